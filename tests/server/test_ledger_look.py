"""A server whose ledger cannot be used is not ready; operations see why, and callers do not."""

from pathlib import Path

from starlette.testclient import TestClient

from orchestrator.access.key_folder import KeyFolder, KeyRing
from orchestrator.access.settings import ServerSettings
from orchestrator.core.errors import StateError
from orchestrator.ledger.usability import CALM_S
from orchestrator.server.app import build_app
from orchestrator.server.error_answers import answer_of
from orchestrator.server.ledger_look import KEPT_S


def test_it_is_not_ready_while_its_ledger_cannot_be_used_and_says_no_path(
    make_orchestrator, tmp_path, clock, caplog
):
    orchestrator = make_orchestrator({}, clock=clock)
    keys = KeyRing(KeyFolder(tmp_path / "keys"), clock=clock)
    path = Path(orchestrator.config.settings.ledger.path)
    body = {"model": "cost_sensitive", "messages": [{"role": "user", "content": "Hello?"}]}
    app = build_app(orchestrator, ServerSettings(), keys, clock=clock)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.get("/readyz").json() == {"status": "ready"}
        path.rename(path.with_name("away"))
        assert client.get("/readyz").status_code == 200, "it was looked at a moment ago"
        clock.advance(KEPT_S)
        for _ in range(2):
            answer = client.post("/v1/chat/completions", json=body)
            assert answer.json()["error"]["code"] == "ledger_unavailable"
        unready = client.get("/readyz")
        assert (unready.status_code, unready.json()["reason"]) == (503, "the ledger cannot be used")
        path.with_name("away").rename(path)
        clock.advance(CALM_S)
        assert client.get("/readyz").status_code == 200
    told = [record.getMessage() for record in caplog.records if "ledger_unavailable" in record.getMessage()]
    assert len(told) == 2
    assert str(path) in told[0]
    assert "can be used again" in told[1]


def test_what_callers_may_not_see_of_an_error_is_logged_once_an_hour(clock, caplog):
    for number in range(3):
        error = StateError("cannot open the stored replies in /var/replies")
        answer = answer_of(error, now=clock.now(), scopes=frozenset())
        assert "/var/replies" not in answer.message
        clock.advance(1800 * number)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert "/var/replies" in said[0]
    clock.advance(3600)
    answer_of(error, now=clock.now(), scopes=frozenset())
    assert len(caplog.records) == 2
