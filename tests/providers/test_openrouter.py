"""What OpenRouter is told: no host of it may charge more than is held."""

import pytest

from orchestrator import CacheUse
from orchestrator.catalog.price import PriceChange
from orchestrator.core.errors import AllProvidersFailedError, ConfigError
from orchestrator.core.money import nano_usd
from orchestrator.core.plan import ReasonKind
from orchestrator.practice import PracticePrice, PracticeServer
from orchestrator.providers.openrouter import token_costs_only
from tests.support.ways import BOTH_WAYS

LUNA = {"provider": {"max_price": {"prompt": 0.1, "completion": 0.5, "request": 0}}}


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
    assert preference["provider"] == {"max_price": {"prompt": 0.2, "completion": 0.5, "request": 0}}


PREFERENCES = {
    "providers": {"openrouter": {"openrouter_preferences": {"data_collection": "deny", "sort": "price"}}},
    "deployments": {"openrouter/gpt-6.1-sol": {"openrouter_preferences": {"ignore": ["slowhost"]}}},
    "use_cases": {
        "customer_service": {
            "openrouter_preferences": {"only": ["openai"], "data_collection": "allow", "sort": "latency"}
        }
    },
}
MERGED = {"data_collection": "deny", "sort": "latency", "ignore": ["slowhost"], "only": ["openai"]}


@BOTH_WAYS
def test_hosts_are_chosen_by_the_merged_preferences(make_orchestrator, practice: PracticeServer) -> None:
    """Provider, deployment and use case, the nearest first; the most that may be charged stands beside them."""
    orchestrator = make_orchestrator(PREFERENCES)
    orchestrator.complete("Xin chào", cache=CacheUse.OFF)
    sent = dict(practice.requests[-1].body["provider"])
    assert sent.pop("max_price")
    assert sent == MERGED
    first = orchestrator.explain("Xin chào").candidates[0]
    assert any("only openai" in reason.text for reason in first.reasons if reason.kind is ReasonKind.HOSTS)
    orchestrator.complete("Xin chào", use_case="content_generation", cache=CacheUse.OFF)
    sent = practice.requests[-1].body["provider"]
    assert (sent["data_collection"], sent["sort"]) == ("deny", "price")
    assert "only" not in sent


def test_an_answer_of_other_hosts_is_not_repeated(make_orchestrator, make_config, practice) -> None:
    """Other hosts may run a model in lower precision; without a change the answer comes from the cache."""
    orchestrator = make_orchestrator()
    orchestrator.complete("Xin chào")
    orchestrator.complete("Xin chào")
    assert len(practice.requests) == 1
    orchestrator.reload(make_config(PREFERENCES))
    orchestrator.complete("Xin chào")
    assert len(practice.requests) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"providers": {"openai": {"openrouter_preferences": {"zdr": True}}}},
            "providers.openai: 'openrouter_preferences' are for kind openrouter",
        ),
        (
            {"deployments": {"openai/gpt-6-luna": {"openrouter_preferences": {"zdr": True}}}},
            "'openai' is no provider of kind openrouter",
        ),
        (
            {"use_cases": {"customer_service": {"openrouter_preferences": {"sort": "speed"}}}},
            "use_cases.customer_service.openrouter_preferences.sort",
        ),
        (
            {"use_cases": {"customer_service": {"openrouter_preferences": {"onyl": ["a"]}}}},
            "Did you mean 'only'",
        ),
    ],
)
def test_preferences_that_mean_nothing_are_refused_with_their_place(make_config, changes, words: str) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml:\d+:\d+: ") as caught:
        make_config(changes)
    assert words in str(caught.value)
