"""A server's start: it says that it lives, lets requests wait, and tells when it fails."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from orchestrator.access.key_folder import KeyFolder, KeyRing
from orchestrator.access.settings import ServerSettings
from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import ConfigError
from orchestrator.server.app import build_app

LONG_S = 300
BODY = {"model": "cost_sensitive", "messages": [{"role": "user", "content": "Hello?"}]}


@pytest.fixture
def opening(practised, tmp_path):
    """An application that takes requests while it loads, what ends the loading, and the errors it met."""
    ends, failures = threading.Event(), []
    outcome = [practised.warm_up]

    def load():
        ends.wait(LONG_S)
        outcome[0]()

    keys = KeyRing(KeyFolder(tmp_path / "keys"), clock=SystemClock())
    app = build_app(practised, ServerSettings(), keys, load=load, on_failed_start=failures.append)
    yield app, ends, outcome, failures
    ends.set()


def asked_while_it_loads(client, pool):
    """Ask for an answer, and return it once the server said that it lives and is not ready."""
    answer = pool.submit(client.post, "/v1/chat/completions", json=BODY)
    assert client.get("/healthz").json() == {"status": "alive"}
    unready = client.get("/readyz")
    assert (unready.status_code, unready.json()["status"]) == (503, "not ready")
    assert not answer.done()
    return answer


def test_while_it_loads_it_says_that_it_lives_and_requests_wait(opening):
    """It said nothing for seconds, which a balancer takes for dead."""
    app, ends, _, failures = opening
    with TestClient(app, base_url="http://127.0.0.1") as client, ThreadPoolExecutor() as pool:
        answer = asked_while_it_loads(client, pool)
        ends.set()
        assert answer.result(LONG_S).status_code == 200
        assert client.get("/readyz").status_code == 200
    assert not failures


def test_a_start_that_fails_is_told_to_who_waits_and_to_who_started_it(opening):
    app, ends, outcome, failures = opening

    def fails():
        raise ConfigError("litellm cannot be loaded")

    outcome[0] = fails
    with TestClient(app, base_url="http://127.0.0.1") as client, ThreadPoolExecutor() as pool:
        answer = asked_while_it_loads(client, pool)
        ends.set()
        refused = answer.result(LONG_S)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "stopping")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["x-content-type-options"] == "nosniff"
        assert "litellm" not in refused.text
        assert client.get("/v1/models").status_code == client.get("/readyz").status_code == 503
    assert [str(error) for error in failures] == ["litellm cannot be loaded"]
