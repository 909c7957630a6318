"""Which path means what."""

from orchestrator.practice import PracticePrice, PracticeServer
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


def test_a_model_of_no_given_price_that_is_too_dear_says_where_the_prices_are(caller, caplog):
    """Who asks with the prices of a configuration has to give them to the practice providers too."""
    body = {
        "model": "openai/gpt-6-luna",
        "provider": {"max_price": {"prompt": "0.001", "completion": "0.001"}},
    }
    refused = caller.post("openrouter", body=body)
    assert refused.status_code == 404
    assert "practice_server() has the prices of config.yaml" in refused.json()["error"]["message"]
    assert "openai/gpt-6-luna" in caplog.text
    with PracticeServer(prices={("openrouter", "openai/gpt-6-luna"): PracticePrice(9, 9)}) as priced:
        caller.server = priced
        assert caller.post("openrouter", body=body).status_code == 200
    with PracticeServer(default_price=PracticePrice(10**10, 10**10)) as priced:
        # One price for all was given.
        caller.server = priced
        assert "prices of config.yaml" not in caller.post("openrouter", body=body).json()["error"]["message"]


def test_models_are_listed_even_when_nothing_was_configured(caller):
    """Every provider has a few."""
    listed = caller.http.get(f"{caller.server.base_url('openrouter')}/models").json()["data"]
    assert [model["id"] for model in listed] == list(DEFAULT_MODELS["openrouter"])
