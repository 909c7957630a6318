"""Keys, and the log of requests."""

import pytest

from orchestrator.practice import PracticeServer


@pytest.mark.parametrize(
    ("provider", "missing", "wrong"), [("openrouter", 401, 401), ("openai", 401, 401), ("google", 403, 400)]
)
def test_keys_are_checked_when_there_are_keys(caller, provider, missing, wrong):
    """Each provider refuses in its own way, and says no key back."""
    with PracticeServer(api_keys={"right"}) as guarded:
        caller.server = guarded
        assert caller.post(provider, key="").status_code == missing
        refused = caller.post(provider, key="not-the-right-one")
        assert refused.status_code == wrong
        assert "not-the-right-one" not in refused.text
        assert caller.post(provider, key="right").status_code == 200


def test_requests_are_remembered_without_their_keys(caller):
    """Provider, model, path, headers and body; never a key."""
    caller.post("openai", key="sk-secret")
    caller.post("google", key="AIza-secret")
    first, second = caller.server.requests
    assert (first.provider, first.model, first.path) == ("openai", "m", "/openai/v1/chat/completions")
    assert first.body is not None
    assert first.body["messages"][0]["content"] == "Hello there"
    assert second.path == "/google/v1beta/models/m:generateContent"
    assert "secret" not in repr(caller.server.requests)
