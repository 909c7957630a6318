"""Prices are what the price book says on the day, bounds hold, and every name leads somewhere or says why not."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.catalog.price import Price
from orchestrator.core.errors import ConfigError, PriceUnknownError, UnknownNameError
from orchestrator.core.reply import Usage

PROVENANCE = {"source": "the vendor's page", "date": date(2026, 11, 9)}
NO_KEYS = {"OPENROUTER_API_KEY": "", "GEMINI_API_KEY": "", "OPENAI_API_KEY": ""}


def price(**fields):
    return Price(**{"input": 2, "output": 10, **PROVENANCE, **fields})


TIERED = price(
    cached_input="0.5",
    cache_write="2.5",
    tiers=[{"above_input_tokens": 1000, "input": 4, "output": 15, "cached_input": 1, "cache_write": 5}],
)


@pytest.mark.parametrize(
    ("usage", "cost_nusd"),
    [
        (Usage(), 0),
        (Usage(1, 0), 2_000),
        (Usage(0, 1), 10_000),
        (Usage(1000, 100), 2_000_000 + 1_000_000),
        (Usage(1000, 0, cached_input_tokens=400), 600 * 2_000 + 400 * 500),
        (Usage(1000, 0, cache_write_tokens=400), 600 * 2_000 + 400 * 2_500),
        (Usage(1000, 0, cached_input_tokens=600, cache_write_tokens=400), 600 * 500 + 400 * 2_500),
        (Usage(1001, 100), 1001 * 4_000 + 100 * 15_000),
        (Usage(2000, 0, cached_input_tokens=2000), 2000 * 1_000),
        (Usage(2000, 0, cache_write_tokens=2000), 2000 * 5_000),
        (Usage(100, 0, cached_input_tokens=999), 100 * 500),
    ],
)
def test_a_cost_follows_the_price_book(usage, cost_nusd):
    """Above a threshold every token costs the tier's price; no token is charged twice."""
    assert TIERED.cost_of(usage) == cost_nusd


def test_cached_and_stored_tokens_cost_the_input_price_where_no_other_is_given():
    assert price().cost_of(Usage(1000, 0, 400, 300)) == 1000 * 2_000


def test_a_price_of_zero_is_a_price():
    assert price(cache_write=0, cached_input=0).cost_of(Usage(1000, 0, 400, 600)) == 0


dollars = st.integers(0, 100)
optional_dollars = st.none() | dollars
tiers = st.builds(
    dict,
    above_input_tokens=st.integers(1, 2000),
    input=dollars,
    output=dollars,
    cached_input=optional_dollars,
    cache_write=optional_dollars,
)
any_price = st.builds(
    price,
    input=dollars,
    output=dollars,
    cached_input=optional_dollars,
    cache_write=optional_dollars,
    tiers=st.lists(tiers, max_size=3),
)
tokens = st.integers(0, 3000)


@given(any_price, tokens, tokens, st.data())
def test_no_usage_within_the_bound_costs_more_than_the_bound(book, input_tokens, output_tokens, data):
    """Tiers may be dearer or cheaper, in any order: the hold covers whatever is used of it."""
    used_input = data.draw(st.integers(0, input_tokens))
    usage = Usage(used_input, data.draw(st.integers(0, output_tokens)), data.draw(tokens), data.draw(tokens))
    assert book.cost_of(usage) <= book.bound_of(input_tokens=input_tokens, output_tokens=output_tokens)


def test_a_bound_is_no_larger_than_the_dearest_usage_it_covers():
    assert TIERED.bound_of(input_tokens=1000, output_tokens=100) == 1000 * 2_500 + 100 * 10_000
    assert TIERED.bound_of(input_tokens=1001, output_tokens=100) == 1001 * 5_000 + 100 * 15_000


CHANGING = price(
    cached_input="0.1",
    changes=[
        {"begins": date(2027, 1, 1), "input": 6, "output": 30},
        {
            "begins": date(2026, 12, 1),
            "input": 4,
            "output": 20,
            "cached_input": "0.2",
            "cache_write": 5,
            "tiers": [{"above_input_tokens": 1000, "input": 8, "output": 40}],
        },
    ],
)


@pytest.mark.parametrize(
    ("day", "cost_nusd"),
    [
        (date(2026, 11, 30), 1000 * 100),
        (date(2026, 12, 1), 1000 * 200),
        (date(2026, 12, 31), 1000 * 200),
        (date(2027, 1, 1), 1000 * 6_000),
        (date(2099, 1, 1), 1000 * 6_000),
    ],
)
def test_an_announced_price_is_in_force_from_its_day(day, cost_nusd):
    assert CHANGING.on(day).cost_of(Usage(1000, 0, cached_input_tokens=1000)) == cost_nusd


def test_a_changed_price_brings_its_own_tiers_and_cache_prices():
    changed = CHANGING.on(date(2026, 12, 1))
    assert changed.cost_of(Usage(1000, 0, cache_write_tokens=1000)) == 1000 * 5_000
    assert changed.cost_of(Usage(1001, 1)) == 1001 * 8_000 + 40_000


def test_the_ledger_can_tell_which_price_it_was():
    assert CHANGING.version == "the vendor's page@2026-11-09"
    assert CHANGING.on(date(2026, 11, 30)).version == CHANGING.version
    assert CHANGING.on(date(2027, 1, 1)).version == "the vendor's page, change of 2027-01-01@2026-11-09"


def test_a_model_name_leads_to_its_places_best_provider_first(make_config):
    places = make_config().catalog.named("gpt-6-luna")
    assert [place.name for place in places] == ["openrouter/gpt-6-luna", "openai/gpt-6-luna"]


def test_an_alias_leads_to_its_successor(make_config):
    catalog = make_config().catalog
    assert catalog.named("gpt-3.5-turbo") == catalog.named("gpt-6-luna")


def test_an_alias_of_an_alias_leads_to_the_model(make_config):
    catalog = make_config({"aliases": {"cheap": {"model": "gpt-3.5-turbo"}}}).catalog
    assert catalog.named("cheap") == catalog.named("gpt-6-luna")


def test_a_deployment_name_leads_to_that_place_alone(make_config):
    places = make_config().catalog.named("openai/gpt-6-luna")
    assert [(place.name, place.upstream) for place in places] == [("openai/gpt-6-luna", "gpt-6-luna")]


def test_an_unknown_name_says_which_was_likely_meant(make_config):
    with pytest.raises(UnknownNameError, match="unknown model 'gpt-6-lunar'.* Did you mean 'gpt-6-luna'"):
        make_config().catalog.named("gpt-6-lunar")


def test_a_model_that_no_provider_in_force_serves_says_why(make_config):
    catalog = make_config(**NO_KEYS).catalog
    for name in ("gpt-6-luna", "gpt-3.5-turbo"):
        with pytest.raises(UnknownNameError) as caught:
            catalog.named(name)
        assert str(caught.value) == (
            "no usable deployment serves model 'gpt-6-luna': "
            "no key is set for openrouter, openai: set OPENROUTER_API_KEY or OPENAI_API_KEY"
        )


def test_why_a_model_is_off_does_not_hang_on_how_its_places_are_named(make_config):
    luna = {"provider": "openai", "model": "gpt-6-luna", "upstream": "gpt-6-luna", "enabled": False}
    use_cases = {
        name: {"primary": {"deployment": "fast", "reason": "r"}, "fallbacks": []}
        for name in ("customer_service", "content_generation", "data_analysis", "cost_sensitive", "embedding")
    }
    deployments = {"__replace__": True, "fast": luna}
    config = make_config({"deployments": deployments, "use_cases": use_cases})
    with pytest.raises(UnknownNameError, match="'gpt-6-luna': 'enabled: false' in config.yaml"):
        config.catalog.named("gpt-6-luna")


def test_a_deployment_that_is_off_says_why(make_config):
    off = make_config({"deployments": {"openai/gpt-6-luna": {"enabled": False}}}).catalog
    with pytest.raises(UnknownNameError, match="'openai/gpt-6-luna' is off: 'enabled: false' in config.yaml"):
        off.named("openai/gpt-6-luna")
    assert [place.name for place in off.named("gpt-6-luna")] == ["openrouter/gpt-6-luna"]


def test_the_local_model_needs_no_key_and_costs_nothing(make_config):
    catalog = make_config(**NO_KEYS).catalog
    (local,) = catalog.deployments.values()
    assert local.is_local
    assert catalog.price_of(local.name).bound_of(input_tokens=10**6, output_tokens=10**6) == 0


def test_a_place_that_is_not_in_force_has_no_price(make_config):
    catalog = make_config(OPENAI_API_KEY="").catalog
    assert catalog.price_of("openrouter/gpt-6-luna").output == 500_000_000
    with pytest.raises(PriceUnknownError, match="no price for 'openai/gpt-6-luna'"):
        catalog.price_of("openai/gpt-6-luna")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("llama-4-maverick", "for a model with the capability 'reasoning'"),
        ("gpt-6-luna", "less than max_output_tokens"),
    ],
)
def test_room_for_reasoning_is_for_models_that_reason_and_leaves_some_for_words(make_config, model, words):
    room = 1000 if model.startswith("llama") else 128_000
    with pytest.raises(ConfigError, match=words):
        make_config({"models": {model: {"reasoning_tokens": room}}})


def test_no_model_has_room_for_reasoning_unless_the_configuration_says_so(make_config):
    catalog = make_config({"models": {"gpt-6-luna": {"reasoning_tokens": 2048}}}).catalog
    with_room = {name for name, model in catalog.models.items() if model.reasoning_tokens}
    assert with_room == {"gpt-6-luna"}
