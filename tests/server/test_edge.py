"""What nobody foresaw is answered, logged without words, and ends nothing else."""

import logging

import pytest
from starlette.responses import StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from orchestrator.access.key_folder import KeyFolder, KeyRing
from orchestrator.access.settings import ServerSettings
from orchestrator.core.clock import SystemClock
from orchestrator.server.app import build_app

SECRET = "Đơn của chị Lan"


async def broken(_request):
    raise KeyError(SECRET)


async def half(_request):
    async def parts():
        yield b"data: 1\n\n"
        raise ValueError(SECRET)

    return StreamingResponse(parts())


@pytest.fixture
def client(practised, tmp_path):
    keys = KeyRing(KeyFolder(tmp_path / "keys"), clock=SystemClock())
    routes = [Route("/broken", broken), Route("/half", half)]
    return TestClient(build_app(practised, ServerSettings(), keys, routes=routes))


def test_an_unforeseen_error_is_a_500_with_an_id_and_its_words_stay_in(client, caplog):
    with caplog.at_level(logging.ERROR, logger="orchestrator.server"):
        response = client.get("/broken")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal_error"
    assert response.headers["x-should-retry"] == "false"
    request_id = response.headers["x-request-id"]
    (record,) = caplog.records
    assert request_id in record.getMessage()
    assert "KeyError" in record.getMessage()
    assert SECRET not in caplog.text + response.text
    assert "Traceback" not in caplog.text + response.text


def test_an_answer_that_has_begun_ends_with_an_error_event(client):
    text = client.get("/half").text
    assert text.startswith("data: 1\n\ndata: {")
    assert '"internal_error"' in text
    assert SECRET not in text
