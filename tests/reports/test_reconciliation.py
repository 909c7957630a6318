"""After a reconciliation the ledger says what the provider charged, to the nano-dollar, and only once."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator import CacheUse, Orchestrator
from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import OrchestratorError
from orchestrator.ledger.reader import LedgerReader
from orchestrator.ledger.reconcile import OrphanPolicy
from orchestrator.ledger.verify import verify
from orchestrator.reports.reconciliation import ReconcileOptions, reconcile

TEN_MINUTES = timedelta(minutes=10)


@pytest.fixture
def run():
    """Reconcile by a configuration."""

    def ran(config, *, dry_run=False):
        order = ReconcileOptions(older_than=TEN_MINUTES, policy=OrphanPolicy.BOUND, dry_run=dry_run)
        return reconcile(config, order, clock=SystemClock(), say=lambda _: None)

    return ran


def break_streams(config, practice, *, times):
    """Let OpenRouter cut streams in the middle; each is booked at its bound."""
    practice.faults.add(f"openrouter:cut_stream=4,times={times}")
    with Orchestrator(config) as orchestrator:
        for number in range(times):
            with pytest.raises(OrchestratorError):
                wanted = {"cache": CacheUse.OFF, "model": "openrouter/gpt-6.1-sol", "on_break": "error"}
                list(orchestrator.stream(f"Xin chào {number}", **wanted))
    practice.bill.wait_for(times)


def booked(config):
    """Return what the ledger counts for OpenRouter, whether it verifies, and how its costs are known."""
    reader = LedgerReader(Path(config.settings.ledger.path))
    with reader:
        (month,) = reader.months()
        counted = {one.scope: one.spent for one in reader.counters(month)}
        attempts = reader.attempts(month=month)
        right = verify(reader, now=SystemClock().now()).counters_are_right
    sources = [row[attempts.columns.index("cost_source")] for row in attempts.rows]
    return counted["provider:openrouter"], counted["all"], right, sources


def test_a_broken_stream_keeps_the_providers_id_and_is_corrected_by_its_record(configured, practice, run):
    config = configured()
    break_streams(config, practice, times=3)
    billed = practice.bill.total_nusd("openrouter")
    before = booked(config)
    assert before[3] == ["bound"] * 3
    foreseen = run(config, dry_run=True)
    assert booked(config) == before, "a dry run books nothing"
    done = run(config)
    assert len(done.corrections) == 3
    assert foreseen.corrections == done.corrections
    assert done.unanswered == ()
    assert sum(one.delta_nusd for one in done.corrections) == billed - before[0]
    assert booked(config) == (billed, billed, True, ["provider"] * 3)


def test_doing_it_again_changes_nothing_and_asks_nobody(configured, practice, run):
    config = configured()
    break_streams(config, practice, times=1)
    run(config)
    after, asked = booked(config), len(practice.requests)
    again = run(config)
    assert (again.orphans, again.corrections, again.unanswered) == ((), (), ())
    assert (booked(config), len(practice.requests)) == (after, asked)


def test_a_cancelled_stream_keeps_the_id_too(configured, practice, run):
    config = configured()
    practice.faults.add("openrouter:drip=2000")

    async def leave_early(orchestrator):
        async for _ in orchestrator.stream("Xin chào", cache=CacheUse.OFF, model="openrouter/gpt-6.1-sol"):
            break

    with Orchestrator(config) as orchestrator:
        asyncio.run(leave_early(orchestrator))
    practice.bill.wait_for(1)
    done = run(config)
    assert len(done.corrections) == 1
    assert booked(config)[:3] == (*[practice.bill.total_nusd()] * 2, True)


def test_what_the_provider_has_no_record_of_stays_as_it_was_booked(configured, practice, run):
    config = configured()
    break_streams(config, practice, times=1)
    before = booked(config)
    practice.bill.clear()
    done = run(config)
    assert done.corrections == ()
    assert [one.reason for one in done.unanswered] == ["openrouter has no record of it"]
    assert booked(config) == before


def test_a_provider_that_does_not_answer_is_asked_again_the_next_time(configured, practice, run):
    config = configured()
    break_streams(config, practice, times=2)
    wrong_key = configured(OPENROUTER_API_KEY="refused")
    done = run(wrong_key)
    assert {one.reason for one in done.unanswered} == {"openrouter: HTTP 401"}
    assert len(run(config).corrections) == 2


def test_without_a_ledger_there_is_nothing_to_do_and_no_file(configured, run):
    config = configured()
    assert run(config).orphans == ()
    assert not Path(config.settings.ledger.path).exists()
