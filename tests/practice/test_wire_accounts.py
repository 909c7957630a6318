"""What providers tell about models, keys and past replies."""

from decimal import Decimal

import pytest

from orchestrator.core.money import NanoUsdPerMtok, nano_usd
from orchestrator.practice import PracticePrice, PracticeServer


@pytest.fixture
def server():
    """A server with one priced model at OpenRouter."""
    price = PracticePrice(
        NanoUsdPerMtok(150_000_000), NanoUsdPerMtok(600_000_000), NanoUsdPerMtok(75_000_000)
    )
    with PracticeServer(prices={("openrouter", "acme/m"): price}) as running:
        yield running


def _get(caller, provider: str, path: str):
    return caller.http.get(f"{caller.server.base_url(provider)}/{path}")


def test_openrouter_lists_prices_as_dollars_per_token(caller):
    """Decimal strings without an exponent, exact."""
    (model,) = _get(caller, "openrouter", "models").json()["data"]
    assert model["id"] == "acme/m"
    assert model["context_length"] == 128_000
    assert model["pricing"]["prompt"] == "0.00000015"
    assert Decimal(model["pricing"]["completion"]) * 1_000_000 == Decimal("0.6")
    endpoints = _get(caller, "openrouter", "models/acme/m/endpoints").json()["data"]["endpoints"]
    assert endpoints[0]["uptime_last_30m"] == 100


def test_openrouter_tells_the_true_cost_of_a_past_reply(caller):
    """By its id; an unknown one is 404."""
    reply = caller.post("openrouter").json()
    generation = _get(caller, "openrouter", f"generation?id={reply['id']}").json()["data"]
    assert generation["total_cost"] == reply["usage"]["cost"]
    assert generation["native_tokens_prompt"] == reply["usage"]["prompt_tokens"]
    assert _get(caller, "openrouter", "generation?id=gen-no").status_code == 404


def test_openrouter_tells_what_the_key_has_used(caller):
    """Key and credits agree with the bill."""
    caller.post("openrouter")
    used = caller.server.bill.total_nusd("openrouter")
    assert nano_usd(_get(caller, "openrouter", "key").json()["data"]["usage"]) == used
    assert nano_usd(_get(caller, "openrouter", "credits").json()["data"]["total_usage"]) == used


def test_openai_and_google_list_their_models(caller):
    """In their own shapes, one by one as well."""
    assert _get(caller, "openai", "models").json()["object"] == "list"
    assert _get(caller, "openai", "models/gpt-4o").json()["id"] == "gpt-4o"
    assert _get(caller, "google", "models").json()["models"][0]["name"].startswith("models/")
    assert _get(caller, "google", "models/g").json()["name"] == "models/g"
