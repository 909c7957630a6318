"""The application opens, says whether it can serve, and closes."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from orchestrator.access.key_folder import KeyFolder, KeyRing
from orchestrator.access.settings import ServerSettings
from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import ClosedError
from orchestrator.server.app import build_app


def test_a_running_server_is_alive_and_ready(running):
    with running.client() as client:
        assert client.get("/healthz").json() == {"status": "alive"}
        assert client.get("/readyz").json() == {"status": "ready"}


def test_the_health_check_of_the_image_passes_while_the_server_is_ready_alone(running):
    """As the image runs it, at the port of this server: Docker takes any other end than 0 for unhealthy."""
    image = (Path(__file__).parents[2] / "deploy/Dockerfile").read_text("utf-8")
    line = re.search(r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", image, re.MULTILINE)
    python, *words = json.loads(line[1])
    command = [sys.executable, *(word.replace(":8400/", f":{running.port}/") for word in words)]
    assert python == "python"
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    running.orchestrator.close()
    with running.client() as client:
        # It looks at the ledger once in a while.
        while client.get("/readyz").status_code == 200:
            time.sleep(0.05)
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


def test_every_answer_has_security_headers_and_no_name_of_a_program(running):
    with running.client() as client:
        for path in ("/healthz", "/v1/models", "/nothing", "/v1/chat/completions"):
            headers = client.get(path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["cache-control"] == "no-store"
            assert "server" not in headers


def test_a_path_or_a_method_that_is_not_there_is_an_error_in_openais_shape(running):
    with running.client() as client:
        missing, wrong = client.get("/v1/nothing"), client.put("/healthz")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
    assert "GET" in wrong.headers["allow"]
    assert wrong.json()["error"]["message"].startswith("this path takes")
    assert "GET" in wrong.json()["error"]["message"]


def test_it_is_ready_only_between_the_warm_up_and_the_end_and_closes_the_orchestrator(practised, tmp_path):
    keys = KeyRing(KeyFolder(tmp_path / "keys"), clock=SystemClock())
    app = build_app(
        practised, ServerSettings(), keys, routes=[Route("/more", lambda _: PlainTextResponse("more"))]
    )
    assert TestClient(app).get("/readyz").status_code == 503
    with TestClient(app) as client:
        assert client.get("/readyz").status_code == 200
        assert client.get("/more").text == "more"
    assert TestClient(app).get("/readyz").status_code == 503
    with pytest.raises(ClosedError):
        practised.complete("Hello?")
