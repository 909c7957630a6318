"""Prices from the genai-prices snapshot: what it knows is taken whole, what it does not know is not made up."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest

from orchestrator.catalog.bundled_prices import snapshot_price
from orchestrator.catalog.catalog import ProviderKind
from orchestrator.catalog.openrouter_prices import checked_list, keep_list
from orchestrator.catalog.price_book import Origin, PriceBook, PriceQuery, PricesSettings
from orchestrator.config.loader import embedded_path, load_config
from orchestrator.core.errors import ConfigError
from orchestrator.core.reply import Usage

TODAY = date(2026, 11, 23)
ALL_KEYS = {"OPENROUTER_API_KEY": "a", "GEMINI_API_KEY": "b", "OPENAI_API_KEY": "c"}
CATALOG = load_config(embedded_path(), today=TODAY, environment=ALL_KEYS).catalog


@pytest.mark.parametrize(
    "name", [name for name, deployment in CATALOG.deployments.items() if not deployment.is_local]
)
def test_the_shipped_prices_are_those_of_the_snapshot_they_cite(name):
    deployment = CATALOG.deployments[name]
    listed = snapshot_price(deployment.provider.kind, deployment.upstream, today=TODAY)
    assert listed is not None
    shipped = deployment.price.on(TODAY)
    assert (shipped.input, shipped.output, shipped.cached_input) == (
        listed.input,
        listed.output,
        listed.cached_input,
    )
    assert shipped.tiers == listed.tiers
    # Where config.yaml leaves it out, storing costs the input price: never less than the vendor asks.
    assert (shipped.cache_write or shipped.input) >= (listed.cache_write or 0)


def test_a_tier_of_the_snapshot_begins_above_its_threshold():
    listed = snapshot_price(ProviderKind.OPENAI, "gpt-6.1-sol", today=TODAY)
    assert listed is not None
    (tier,) = listed.tiers
    below, above = (listed.cost_of(Usage(tier.above_input_tokens + more, 1000)) for more in (0, 1))
    assert below == 272_000 * 2_000 + 1000 * 10_000
    assert above == 272_001 * 4_000 + 1000 * 15_000


def test_a_snapshot_price_names_its_release_provider_and_day():
    listed = snapshot_price(ProviderKind.GOOGLE, "gemini-4-argon", today=TODAY)
    assert listed is not None
    assert re.fullmatch(r"genai-prices \d+\.\d+\.\d+, google@2026-11-23", listed.version)


def test_a_snapshot_price_is_that_of_the_day():
    """Google's introductory price of gemini-4-argon ends on 2026-11-30."""
    before, after = (
        snapshot_price(ProviderKind.GOOGLE, "gemini-4-argon", today=day)
        for day in (date(2026, 11, 30), date(2026, 12, 2))
    )
    assert before is not None
    assert after is not None
    assert (before.input, after.input) == (2_000_000_000, 4_000_000_000)


def test_an_announced_price_of_the_snapshot_holds_from_its_day_on_in_a_process_that_started_before():
    listed = snapshot_price(ProviderKind.GOOGLE, "gemini-4-argon", today=TODAY)
    usage = Usage(1_000_000, 0)
    for day, cost in ((TODAY, 2), (date(2026, 11, 30), 2), (date(2026, 12, 1), 4), (date(2027, 6, 1), 4)):
        assert listed.on(day).cost_of(usage) == cost * 10**9
        fresh = snapshot_price(ProviderKind.GOOGLE, "gemini-4-argon", today=day)
        in_force, at_start = listed.on(day), fresh.on(day)
        assert (in_force.input, in_force.output, in_force.cached_input, in_force.tiers) == (
            at_start.input, at_start.output, at_start.cached_input, at_start.tiers,
        )  # fmt: skip
    # A request that runs past midnight of the day before may cost what begins then.
    assert listed.on(date(2026, 11, 30)).bound_of(input_tokens=1_000_000, output_tokens=0) == 4 * 10**9
    assert listed.on(date(2026, 11, 29)).bound_of(input_tokens=1_000_000, output_tokens=0) == 2 * 10**9


def test_a_running_process_plans_and_holds_at_the_announced_price_from_its_day_on(make_orchestrator, clock):
    unpriced = {"deployments": {"google/gemini-4-argon": {"price": None}}}
    orchestrator = make_orchestrator(unpriced, clock=clock)
    asked = {"use_case": "data_analysis", "model": "google/gemini-4-argon", "cache": "off"}
    booked = []
    for day in (date(2026, 11, 28), date(2026, 12, 1)):
        clock.set(datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=9))
        plan = orchestrator.explain("Doanh thu tháng này?", **asked)
        reply = orchestrator.complete("Doanh thu tháng này?", **asked)
        booked.append((plan.candidates[0].bound_nusd, reply.cost_nusd, reply.usage))
    (bound, cost, usage), (later_bound, later_cost, later_usage) = booked
    assert usage == later_usage
    assert later_bound > bound
    assert later_cost == 2 * cost


@pytest.mark.parametrize(
    ("kind", "upstream"),
    [
        (ProviderKind.OPENAI, "gpt-99-invented"),
        (ProviderKind.OPENAI, "text-embedding-3-small"),  # has no output price
        (ProviderKind.OPENROUTER, "gpt-6.1-sol"),  # its name there is openai/gpt-6.1-sol
        (ProviderKind.LOCAL, "smollm2-135m-instruct"),
    ],
)
def test_what_the_snapshot_does_not_know_has_no_price(kind, upstream):
    assert snapshot_price(kind, upstream, today=TODAY) is None


def test_a_deployment_without_a_price_takes_the_one_of_the_snapshot(make_config):
    config = make_config({"deployments": {"openai/gpt-6-luna": {"price": None}}})
    assert config.catalog.price_of("openai/gpt-6-luna").output == 500_000_000
    assert config.catalog.price_of("openai/gpt-6-luna").source.startswith("genai-prices ")


def test_a_deployment_that_nobody_has_a_price_for_is_a_mistake(make_config):
    with pytest.raises(
        ConfigError, match=r"config.yaml:\d+:5: 'openai/gpt-6-luna' has no price.*add 'price:"
    ):
        make_config({"deployments": {"openai/gpt-6-luna": {"price": None, "upstream": "gpt-99-invented"}}})


LUNA = PriceQuery(ProviderKind.OPENROUTER, "openai/gpt-6-luna")
ENTRY = {"id": LUNA.upstream, "pricing": {"prompt": "0.0000007", "completion": "0.000001"}}
UNKNOWN = {"deployments": {"openai/gpt-6-luna": {"price": None, "upstream": "gpt-99-invented"}}}


def book_with_list(tmp_path, *, fetched: date = TODAY, **entry) -> PriceBook:
    path = tmp_path / "state" / "prices" / "openrouter.json"
    fetched_at = datetime.combine(fetched, datetime.min.time(), UTC)
    kept, _ = checked_list([{**ENTRY, **entry}], fetched_at=fetched_at, provider="openrouter")
    keep_list(kept, path)
    return PriceBook(PricesSettings(path=str(path)), today=TODAY)


def test_the_sources_are_asked_in_their_order(tmp_path):
    book = book_with_list(tmp_path)
    stated = book.quote(LUNA, None)
    assert stated.origin is Origin.LIVE
    assert book.quote(LUNA, stated.price).origin is Origin.CONFIG
    assert [quote.origin for quote in book.known(LUNA)] == [Origin.LIVE, Origin.SNAPSHOT]
    without = PriceBook(PricesSettings(path=str(tmp_path / "none.json")), today=TODAY)
    assert without.quote(LUNA, None).origin is Origin.SNAPSHOT
    direct = PriceQuery(ProviderKind.OPENAI, "gpt-6-luna")
    assert [quote.origin for quote in book.known(direct)] == [Origin.SNAPSHOT, Origin.MAP]
    assert book.quote(PriceQuery(ProviderKind.OPENAI, "gpt-99-invented"), None) is None


def test_a_deployment_without_a_price_takes_the_one_of_the_live_list(make_config, tmp_path):
    book_with_list(tmp_path)
    config = make_config({"deployments": {"openrouter/gpt-6-luna": {"price": None}}})
    price = config.catalog.price_of("openrouter/gpt-6-luna")
    assert (price.input, price.version) == (700_000_000, "OpenRouter's list@2026-11-23")


@pytest.mark.parametrize(("age_days", "noticed"), [(0, False), (7, False), (8, True), (-3, False)])
def test_an_old_list_is_noticed_and_still_counts(tmp_path, age_days, noticed):
    book = book_with_list(tmp_path, fetched=TODAY - timedelta(days=age_days))
    assert any("prices refresh" in notice for notice in book.notices()) is noticed
    assert book.quote(LUNA, None).origin is Origin.LIVE


def test_a_damaged_list_is_a_notice_and_the_next_source_decides(make_config, tmp_path):
    book_with_list(tmp_path).path.write_bytes(b"{")
    config = make_config({"deployments": {"openrouter/gpt-6-luna": {"price": None}}})
    assert config.catalog.price_of("openrouter/gpt-6-luna").source.startswith("genai-prices ")
    assert any("price list is left out" in notice for notice in config.notices)


def test_an_assumed_maximum_is_used_only_where_nobody_knows_and_always_told(make_config):
    maximum = {"prices": {"assumed_maximum": {"input": 15, "output": 75}}}
    config = make_config({**UNKNOWN, **maximum})
    price = config.catalog.price_of("openai/gpt-6-luna")
    assert (price.input, price.output) == (15_000_000_000, 75_000_000_000)
    assert price.version == "assumed maximum of config.yaml@2026-11-23"
    (notice,) = [text for text in config.notices if "assumed_maximum" in text]
    assert "openai/gpt-6-luna" in notice
    assert "$15.00 and $75.00 per million tokens" in notice
    assert not [text for text in make_config(maximum).notices if "assumed_maximum" in text]


@pytest.mark.parametrize(
    ("left_days", "says"),
    [(-1, "was switched off"), (0, "today"), (1, "in 1 day;"), (30, "in 30 days;"), (31, None)],
)
def test_the_end_of_a_model_is_told_thirty_days_before(make_config, left_days, says):
    ends = TODAY + timedelta(days=left_days)
    config = make_config({"models": {"gpt-6-luna": {"ends": ends}}})
    notices = [notice for notice in config.notices if notice.startswith("model gpt-6-luna ")]
    assert [says in notice for notice in notices] == ([True] if says else [])


def test_an_end_that_only_the_live_list_knows_is_told(make_config, tmp_path):
    book_with_list(tmp_path, expiration_date="2026-12-01")
    notices = [notice for notice in make_config().notices if notice.startswith("model gpt-6-luna ")]
    assert notices == [
        "model gpt-6-luna is switched off by its vendor on 2026-12-01, in 8 days; replace it in config.yaml"
    ]
