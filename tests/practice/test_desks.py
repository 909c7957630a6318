"""Which path means what."""

from orchestrator.practice import PracticeServer
from orchestrator.practice.desks import DEFAULT_MODELS


def test_unknown_models_and_paths_are_refused_as_the_provider_does(caller):
    """400 at OpenRouter, 404 elsewhere; an unknown path is 404."""
    with PracticeServer(models={"openai": ["gpt-4o"]}) as picky:
        caller.server = picky
        assert caller.post("openai").json()["error"]["code"] == "model_not_found"
        assert caller.post("openai", body={"model": "gpt-4o"}).status_code == 200
        assert caller.post("openrouter").status_code == 400
        assert caller.post("google").json()["error"]["status"] == "NOT_FOUND"
        assert caller.http.post(f"{picky.base_url('openai')}/audio/speech", json={}).status_code == 404
        assert caller.http.get(f"{picky.base_url('google')}/nothing").json()["error"]["code"] == 404
        assert caller.http.get(f"{picky.url}/nowhere").status_code == 404
        assert (
            caller.http.post(f"{picky.base_url('openai')}/chat/completions", content=b"{").status_code == 400
        )


def test_models_are_listed_even_when_nothing_was_configured(caller):
    """Every provider has a few."""
    listed = caller.http.get(f"{caller.server.base_url('openrouter')}/models").json()["data"]
    assert [model["id"] for model in listed] == list(DEFAULT_MODELS["openrouter"])
