"""`orchestrator feedback`: a score is kept and shown with its request."""

import pytest


@pytest.fixture
def request_id(run, practice) -> str:
    return run("ask", "hello", "--tenant", "acme", "--json").json["request_id"]


def test_a_score_is_shown_with_its_request(run, request_id):
    assert run("feedback", request_id[:16], "--score", "2").code == 0
    taken = run("feedback", request_id, "--score", "4", "--json").json
    assert taken == {"request_id": request_id, "source": "user", "score": 4, "corrected_is_kept": False}
    run("feedback", request_id, "--corrected", "Xin chào!", "--source", "review")
    (review, user) = run("requests", "show", request_id, "--json").json["feedback"]
    assert (review["source"], review["score"], review["corrected"]) == ("review", None, True)
    assert (user["source"], user["score"]) == ("user", 4)
    shown = run("requests", "show", request_id).out
    assert "user: 4 of 5" in shown
    assert "review: a better answer was written" in shown


def test_content_is_shown_where_it_is_kept_and_forgotten_for_a_tenant(run, practice, tmp_path, monkeypatch):
    from tests.cli.conftest import CONFIG

    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.read_text(encoding="utf-8") + "\nrecord: content\n", encoding="utf-8")
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(path))
    reply = run("ask", "mã 4711", "--tenant", "acme", "--json").json
    assert run("feedback", reply["request_id"], "--corrected", "Xin chào!").code == 0
    shown = run("requests", "show", reply["request_id"], "--content", "--json").json["content"]
    assert shown["messages"][-1]["content"] == "mã 4711"
    assert (shown["reply"], shown["corrected"]) == (reply["text"], "Xin chào!")
    assert "4711" in run("requests", "show", reply["request_id"], "--content").out
    assert "4711" not in run("requests", "show", reply["request_id"]).out
    assert run("requests", "forget", "--expired", "--json").json == {"deleted": 0}
    assert run("requests", "forget", "--tenant", "acme", "--json").json == {
        "deleted": 1,
        "cached": 1,
        "of_keys": 0,
    }
    assert "Neither prompt nor reply is kept" in run("requests", "show", reply["request_id"], "--content").out


@pytest.mark.parametrize("arguments", [("--score", "7"), (), ("--corrected", " ")])
def test_what_is_no_feedback_is_refused(run, request_id, arguments):
    assert run("feedback", request_id, *arguments).code == 2


def test_forgetting_needs_to_know_what(run):
    assert run("requests", "forget").code == 2
    assert run("requests", "forget", "--tenant", "acme", "--expired").code == 2
