"""A snapshot says what the ledger and the circuits say, and is read again after a second."""

import threading

import pytest

from orchestrator.core.errors import UnavailableError
from orchestrator.resilience.circuit_breaker import CircuitState
from orchestrator.server.dashboard import snapshot as snapshot_module
from orchestrator.server.dashboard.live_counts import LiveCounts
from orchestrator.server.dashboard.snapshot import Snapshots


def test_it_is_kept_for_less_than_a_second_and_then_read_again(practised, clock):
    counts = LiveCounts(clock=clock)
    snapshots = Snapshots(practised, counts, clock=clock)
    before = snapshots.latest()
    practised.complete("Hello?")
    assert snapshots.latest() is before
    clock.advance(1)
    after = snapshots.latest()
    assert after is not before
    known = {health.name: health for health in after.deployments}
    assert known.keys() == practised.config.catalog.deployments.keys()
    assert sum(health.seen.samples for health in known.values()) == 1
    assert {provider.circuit for provider in after.providers.values()} == {CircuitState.CLOSED}
    sent = [provider.room for provider in after.providers.values() if provider.room.requests < 1_000_000]
    assert [room.requests_per_min - room.requests for room in sent] == [1]
    assert after.load.in_flight == 0


def test_its_budgets_are_those_of_the_ledger(make_orchestrator, clock):
    orchestrator = make_orchestrator({"budgets": {"limits": [{"scope": "all", "day": 3}]}}, clock=clock)
    reply = orchestrator.complete("Hello?")
    snapshot = Snapshots(orchestrator, LiveCounts(clock=clock), clock=clock).latest()
    day = next(budget for budget in snapshot.budgets if budget.scope == "all")
    assert (day.spent, day.limit) == (reply.cost_nusd, 3_000_000_000)


def test_requests_that_leave_no_time_to_look_are_said_and_are_no_mistake_of_ours(
    practised, clock, monkeypatch
):
    monkeypatch.setattr(snapshot_module, "_LOOP_WAIT_S", 0.01)
    goes_on = threading.Event()

    async def busy() -> None:
        goes_on.wait()

    snapshots = Snapshots(practised, LiveCounts(clock=clock), clock=clock)
    working = practised.begin(busy()).future
    with pytest.raises(UnavailableError, match="no time for a look"):
        snapshots.latest()
    goes_on.set()
    working.result()
    monkeypatch.undo()
    assert snapshots.latest().load.in_flight == 0
