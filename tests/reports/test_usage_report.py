"""The report of some days: every number has one definition."""

import unicodedata
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.names import name_of
from orchestrator.core.reply import CacheState, CostSource, Outcome
from orchestrator.ledger.budgets import Limits, LimitSettings
from orchestrator.ledger.compact import compact
from orchestrator.ledger.reader import LedgerReader
from orchestrator.reports import frames
from orchestrator.reports.span import Span
from orchestrator.reports.usage_report import Filter, usage_report
from tests.support.filled_book import BUDGETS

OK, BAD = Outcome.SUCCEEDED, Outcome.FAILED
MONTH = "2026-11"
DECOMPOSED = unicodedata.normalize("NFD", "Hà Nội")


TODAY = date(2026, 11, 23)


def month_report(view, *, month, **names):
    return usage_report(view, Span.of_month(month), of=Filter(**names), today=TODAY)


def _report(book, **names):
    return month_report(LedgerReader(book.path), month=MONTH, **names)


def test_cost_is_what_all_sends_cost_the_failed_ones_too(book):
    """A send that broke off and was billed counts, for the month and for its own model."""
    book.request(("a", BAD, 30), ("b", OK, 70))
    made = _report(book)
    assert (made.requests, made.cost_nusd, made.average_cost_nusd) == (1, 100, 100)
    assert {one.name: (one.requests, one.cost_nusd, one.success_rate) for one in made.models} == {
        "b": (1, 70, 1.0),
        "a": (1, 30, 0.0),
    }


def test_the_average_is_rounded_up_to_a_whole_nano_dollar(book):
    """Ten nano-dollars over three requests are four each, never three and a third."""
    for cost in (4, 4, 2):
        book.request(("a", OK, cost))
    assert _report(book).average_cost_nusd == 4


def test_success_leaves_out_what_nobody_tried(book):
    """Requests refused by a budget or cancelled by their caller are no failures, and are counted apart."""
    book.request(("a", OK, 5))
    book.request(("a", BAD, 0), outcome=Outcome.FAILED)
    book.request(outcome=Outcome.REFUSED)
    book.request(("a", Outcome.CANCELLED, 5), outcome=Outcome.CANCELLED)
    made = _report(book)
    assert made.success_rate == 0.5
    assert dict(made.outcomes) == {"succeeded": 1, "failed": 1, "cancelled": 1, "refused": 1}


def test_cache_hits_and_shared_answers_cost_nothing_and_are_counted(book):
    """Hits and joined requests lower the average."""
    book.request(("a", OK, 90))
    book.request(cached=CacheState.HIT)
    book.request(cached=CacheState.JOINED)
    made = _report(book)
    assert (made.cache_hits, made.joined, made.average_cost_nusd) == (1, 1, 30)


def test_older_answers_given_in_an_outage_are_counted_apart(book):
    book.request(("a", BAD, 0), cached=CacheState.STALE)
    made = _report(book)
    assert (made.cache_hits, made.stale, made.success_rate) == (0, 1, 1.0)


def test_models_are_ranked_by_cost_and_their_shares_add_up(book):
    """Top models: the dearest first, shares of all sends."""
    for model, cost in (("cheap", 1), ("cheap", 1), ("dear", 50), ("middle", 10)):
        book.request((model, OK, cost))
    models = _report(book).models
    assert [one.name for one in models] == ["dear", "middle", "cheap"]
    assert sum(one.share for one in models) == 1.0
    assert models[0].average_latency_s == 0.5


def test_a_report_finds_a_tenant_however_its_name_is_typed(book):
    book.request(("m", Outcome.SUCCEEDED, 7), tenant=name_of("Hà Nội", "tenant"))
    with LedgerReader(book.path) as view:
        assert len(frames.attempts(view, month="2026-11", tenant=DECOMPOSED)) == 1
    report = _report(book, tenant=f" {DECOMPOSED}")
    assert (report.of.tenant, report.cost_nusd) == ("Hà Nội", 7)


def test_a_tenant_sees_its_own_money_alone(book):
    """Another tenant's requests are neither counted nor paid for."""
    book.request(("a", OK, 5), tenant="acme")
    book.request(("a", OK, 7), tenant="other", use_case="data_analysis")
    made = _report(book, tenant="acme")
    assert (made.requests, made.cost_nusd) == (1, 5)
    assert [one.name for one in made.use_cases] == ["customer_service"]


def test_a_send_without_its_request_is_paid_for_all_the_same(book):
    """After a crash the money is in the report though the request's row is missing."""
    book.request(("a", OK, 5), with_operation=False)
    made = _report(book)
    assert (made.requests, made.cost_nusd, made.average_cost_nusd) == (0, 5, None)
    assert not made.is_empty
    assert made.tenants[0].cost_nusd == 5


def test_cost_says_how_it_is_known(book):
    """Bounds and estimates stand apart from what providers said."""
    book.request(("a", OK, 5))
    book.request(("a", BAD, 9), source=CostSource.BOUND, outcome=Outcome.FAILED)
    made = _report(book)
    assert (made.cost_by_source["provider"], made.cost_by_source["bound"]) == (5, 9)
    assert sum(made.cost_by_source.values()) == made.cost_nusd


def test_no_ledger_is_an_empty_report(tmp_path):
    """Nothing was asked yet: zeros, and no rate pretends to be known."""
    made = month_report(LedgerReader(tmp_path / "none.sqlite3"), month=MONTH)
    assert made.is_empty
    assert (made.cost_nusd, made.average_cost_nusd, made.success_rate) == (0, None, None)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["t1", "t2"]),
            st.sampled_from(["customer_service", "data_analysis"]),
            st.lists(
                st.tuples(st.sampled_from("abc"), st.sampled_from([OK, BAD]), st.integers(0, 10**6)),
                max_size=3,
            ),
        ),
        max_size=8,
    )
)
def test_every_grouping_adds_up_to_the_total(new_book, requests):
    """Whatever happened: models, use cases, tenants and sources each add up to the month's cost."""
    with new_book() as book:
        for tenant, use_case, sends in requests:
            book.request(*sends, tenant=tenant, use_case=use_case)
        made = _report(book)
    total = sum(cost for _, _, sends in requests for _, _, cost in sends)
    assert made.cost_nusd == total
    for parts in (made.models, made.use_cases, made.tenants):
        assert sum(one.cost_nusd for one in parts) == total
    assert sum(made.cost_by_source.values()) == total


def test_a_compacted_month_keeps_its_requests_and_cost(book, at):
    """What is rolled up loses outcomes and latencies, and no nano-dollar."""
    book.clock.moment = at("2025-08-05 10:00")
    book.request(("dear", Outcome.SUCCEEDED, 700), tenant="a")
    book.request(("cheap", Outcome.FAILED, 0), ("cheap", Outcome.SUCCEEDED, 30), tenant="b", use_case="bulk")
    before = month_report(LedgerReader(book.path), month="2025-08")
    compact(book.ledger, today=date(2026, 11, 23), keep_days=400)
    after = month_report(LedgerReader(book.path), month="2025-08")
    assert (after.requests, after.cost_nusd, after.average_cost_nusd) == (2, 730, 365)
    for kind in ("models", "use_cases", "tenants"):
        kept = [(one.name, one.requests, one.share, one.cost_nusd) for one in getattr(after, kind)]
        assert kept == [(one.name, one.requests, one.share, one.cost_nusd) for one in getattr(before, kind)]
    assert after.success_rate is None
    assert month_report(LedgerReader(book.path), month="2025-08", tenant="b").cost_nusd == 30


def test_our_own_probes_cost_and_are_in_no_success_rate(book):
    """The doctor asks for a model that does not exist, on purpose."""
    book.request(("a", OK, 70))
    book.request(("a", BAD, 30), tenant="probe:doctor", outcome=BAD)
    book.request(("a", BAD, 5), tenant="probe:health_check", outcome=BAD)
    report = _report(book)
    assert (report.cost_nusd, report.requests, report.success_rate) == (105, 3, 1.0)
    assert report.probes == 2
    assert (report.outcomes["failed"], report.outcomes["succeeded"]) == (0, 1)
    assert [(part.requests, part.success_rate) for part in report.models] == [(3, 1.0)]


@pytest.mark.parametrize("summed", [False, True])
def test_our_own_sends_are_in_no_speed(book, summed):
    """A model that a probe alone asked has none; what is kept of days that are over says the same."""
    book.request(("a", OK, 70), latency_s=2.0)
    for _ in range(3):
        book.request(("a", OK, 1), ("b", OK, 1), tenant="probe:doctor", latency_s=9.0)
    if summed:
        assert book.ledger.store.sum_day(f"{book.clock.now():%Y-%m-%d}")
    report = _report(book)
    assert (report.cost_nusd, report.latency.p50_s, report.average_latency_s) == (76, 2.0, 2.0)
    a, b = report.models
    assert (a.requests, a.latency.p50_s, a.output_tokens_per_s) == (4, a.average_latency_s, 10.0)
    assert (b.requests, b.latency, b.first_token, b.output_tokens_per_s) == (3, None, None, None)
    probes = _report(book, tenant="probe:doctor")
    assert (probes.requests, probes.latency, probes.average_latency_s) == (3, None, None)


@pytest.mark.parametrize("name", ["doctor", "health_check", "shadow", "probe"])
def test_no_customer_is_left_out_for_its_name(book, name):
    book.tags = (name,)
    book.request(("a", OK, 70), tenant=name)
    book.request(("a", BAD, 30), tenant=name, outcome=BAD)
    report = _report(book)
    assert (report.outcomes["failed"], report.success_rate) == (1, 0.5)
    for parts in (report.tenants, report.models, report.tags):
        assert [(part.requests, part.success_rate) for part in parts] == [(2, 0.5)]


def _with_shadows(book):
    """One request of a customer, and two shadows of an experiment, one of which failed."""
    book.request(("a", OK, 70))
    own = LimitSettings.model_validate({"scope": "tenant:shadow:faq", "day": 1})
    book.ledger.limits = Limits(BUDGETS, own=(own,))
    shadow = {"tenant": "shadow:faq", "use_case": "shadow:faq"}
    book.request(("b", OK, 20), **shadow)
    book.request(("b", BAD, 10), outcome=BAD, **shadow)


def _apart(report):
    assert (report.requests, report.cost_nusd, report.experiments_nusd) == (1, 100, 30)
    assert (report.average_cost_nusd, [day.requests for day in report.days if day.requests]) == (70, [1])
    assert [(part.name, part.requests, part.cost_nusd) for part in report.experiments] == [("faq", 2, 30)]
    for parts in (report.tenants, report.use_cases):
        assert [(part.requests, part.share, part.cost_nusd) for part in parts] == [(1, 1.0, 70)]
    assert {part.name: (part.requests, part.cost_nusd) for part in report.models} == {
        "a": (1, 70),
        "b": (2, 30),
    }


def test_shadows_of_experiments_cost_and_are_nobodys_requests(book):
    _with_shadows(book)
    report = _report(book)
    _apart(report)
    assert (report.success_rate, report.latency.p50_s, report.outcomes["failed"]) == (1.0, 2.0, 0)
    assert report.experiments[0].success_rate == 0.5
    assert _report(book, tenant="acme").experiments == ()


def test_a_trend_and_a_compacted_month_keep_shadows_apart_too(book, at):
    book.clock.moment = at("2025-08-05 10:00")
    _with_shadows(book)
    trend = month_report(LedgerReader(book.path), month="2025-09").trend
    assert (trend.requests, trend.cost_nusd) == (1, 100)
    compact(book.ledger, today=date(2026, 11, 23), keep_days=400)
    _apart_when_rolled(month_report(LedgerReader(book.path), month="2025-08"))


def _apart_when_rolled(report):
    assert (report.requests, report.cost_nusd, report.average_cost_nusd) == (1, 100, 70)
    assert [(part.name, part.requests, part.cost_nusd) for part in report.experiments] == [("faq", 2, 30)]
    assert [part.name for part in report.tenants] == ["acme"]
