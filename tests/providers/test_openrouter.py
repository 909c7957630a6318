"""What OpenRouter is told: no host of it may charge more than is held."""

import pytest

from orchestrator.catalog.price import PriceChange
from orchestrator.core.errors import AllProvidersFailedError
from orchestrator.core.money import nano_usd
from orchestrator.practice import PracticePrice, PracticeServer
from orchestrator.providers.openrouter import token_costs_only

LUNA = {"provider": {"max_price": {"prompt": 0.1, "completion": 0.5}}}


def test_every_send_names_the_listed_price_as_the_most(practised, practice: PracticeServer) -> None:
    practised.complete("Xin chào", model="openrouter/gpt-6-luna")
    list(practised.stream("Xin chào", model="openrouter/gpt-6-luna", cache="off"))
    practised.native("openrouter/gpt-6-luna").invoke("Xin chào")
    assert [request.body["provider"] for request in practice.requests] == [LUNA["provider"]] * 3


def test_no_send_buys_a_search_or_a_page_of_ocr_whatever_the_account_says(
    practised, practice: PracticeServer
) -> None:
    practised.complete("Xin chào", model="openrouter/gpt-6-luna")
    list(practised.stream("Xin chào", model="openrouter/gpt-6-luna", cache="off"))
    practised.native("openrouter/gpt-6-luna").invoke("Xin chào")
    off = [{"id": "web", "enabled": False}, {"id": "file-parser", "pdf": {"engine": "native"}}]
    assert [request.body["plugins"] for request in practice.requests] == [off] * 3


@pytest.mark.parametrize("provider", ["openai", "google"])
def test_nobody_else_is_told_of_it(practised, practice: PracticeServer, provider: str) -> None:
    model = {"openai": "openai/gpt-6-luna", "google": "google/gemini-3.8-flash"}[provider]
    practised.complete("Xin chào", model=model)
    assert not {"provider", "plugins"} & set(practice.requests[-1].body)


def test_a_model_that_became_dearer_is_left_for_the_next_one_and_charges_nothing(
    make_orchestrator, listed_prices
) -> None:
    """Money was held at the old price, so the new one must not be charged."""
    raised = {("openrouter", "openai/gpt-6-luna"): PracticePrice(nano_usd("0.11"), nano_usd("0.50"))}
    with PracticeServer(prices={**listed_prices, **raised}) as dearer:
        orchestrator = make_orchestrator(OPENROUTER_BASE_URL=dearer.base_url("openrouter"))
        reply = orchestrator.complete("Phân loại", use_case="cost_sensitive")
        assert reply.attempts[0].deployment == "openrouter/gpt-6-luna"
        assert (reply.attempts[0].failure, reply.attempts[0].cost_nusd) == ("model_not_found", 0)
        assert reply.deployment != "openrouter/gpt-6-luna"
        assert all(charge.model != "openai/gpt-6-luna" for charge in dearer.bill.charges)
        with pytest.raises(AllProvidersFailedError, match=r"at its listed price; 'orchestrator prices diff'"):
            orchestrator.complete("Phân loại", model="openrouter/gpt-6-luna")


def test_an_announced_rise_is_allowed_for(practised) -> None:
    """A request may run past midnight, and money is held for that."""
    price = practised.config.catalog.price_of("openrouter/gpt-6-luna")
    change = PriceChange(begins=price.date, input="0.2", output="0.4")
    preference = token_costs_only(price.model_copy(update={"changes": (change,)}).dearest)
    assert preference["provider"] == {"max_price": {"prompt": 0.2, "completion": 0.5}}
