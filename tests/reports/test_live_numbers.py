"""What happens now is summed from the rows, over exactly the span that it names."""

from datetime import timedelta

import pytest

from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import CacheState, Outcome, Usage
from orchestrator.ledger.reader import LedgerReader
from orchestrator.ledger.records import RequestRecord, new_operation_id
from orchestrator.reports import live_numbers as live_module
from orchestrator.reports.live_numbers import ModelNow, live_numbers


@pytest.fixture
def record(book):
    """Book a request that began some seconds before now."""

    def booked(ago_s, *, cost=0, latency_s=1.0, error=None, degraded=None, model="m", tenant="acme"):
        began_at = book.clock.now() - timedelta(seconds=ago_s)
        outcome = Outcome.SUCCEEDED if error is None else Outcome.FAILED
        book.ledger.record_request(
            RequestRecord(
                new_operation_id(began_at), began_at, tenant, "bulk", None, (), outcome, error, CacheState.MISS,
                degraded, f"p/{model}", "p", model, 1, Usage(10, 5), NanoUsd(cost), latency_s,
            )
        )  # fmt: skip

    return booked


def look(book, window_s=300.0):
    return live_numbers(LedgerReader(book.path), now=book.clock.now(), window_s=window_s)


def test_without_a_ledger_there_is_nothing_and_no_rate_of_nothing(tmp_path, at):
    numbers = live_numbers(LedgerReader(tmp_path / "none"), now=at("2026-11-23 05:00"), window_s=60)
    assert (numbers.requests, numbers.error_share, numbers.latency_p95_s) == (0, None, None)
    assert list(tmp_path.iterdir()) == []


def test_requests_errors_latency_and_cost_are_summed_and_older_ones_left_out(book, record):
    for number in range(19):
        record(number, cost=100, latency_s=1.0)
    record(20, cost=1, latency_s=9.0, error="UnavailableError", degraded="fallback", model="other")
    record(301, cost=1_000_000, model="old")
    numbers = look(book)
    assert (numbers.requests, numbers.errors, numbers.degraded) == (20, 1, 1)
    assert numbers.error_share == pytest.approx(0.05)
    assert numbers.latency_average_s == pytest.approx((19 + 9) / 20)
    assert numbers.latency_p95_s == 1.0
    assert numbers.cost_nusd == 1_901
    assert numbers.cost_per_hour_nusd == 1_901 * 12
    assert numbers.models == (ModelNow("m", 19, 1_900), ModelNow("other", 1, 1))


def test_of_more_requests_than_a_look_reads_the_newest_count_with_the_span_that_they_cover(
    book, record, monkeypatch
):
    """A busy ledger makes the span shorter and not the rates smaller."""
    monkeypatch.setattr(live_module, "PAGE", 3)
    monkeypatch.setattr(live_module, "PAGES_MAX", 2)
    for ago_s in range(0, 100, 10):
        record(ago_s, cost=10)
    numbers = look(book)
    assert (numbers.requests, numbers.window_s) == (6, 50.0)
    assert numbers.cost_per_hour_nusd == 60 * 72


def test_all_pages_of_the_span_count(book, record, monkeypatch):
    monkeypatch.setattr(live_module, "PAGE", 3)
    for ago_s in range(10):
        record(ago_s, cost=1)
    assert (look(book).requests, look(book).window_s) == (10, 300.0)


def test_shadows_of_experiments_are_in_the_cost_and_in_no_other_number(book, record):
    record(1, cost=100)
    record(2, cost=7, latency_s=50.0, error="UnavailableError", model="b", tenant="shadow:faq")
    numbers = look(book)
    assert (numbers.requests, numbers.errors, numbers.latency_p95_s) == (1, 0, 1.0)
    assert (numbers.cost_nusd, numbers.shadows, numbers.shadows_nusd) == (107, 1, 7)
    assert numbers.models == (ModelNow("m", 1, 100),)
    assert numbers.as_plain()["experiments"]["cost_nusd"] == 7
