"""A day's traffic with faults: after `ledger reconcile` the books say what the providers charged.

Compared attempt by attempt, by the id that the provider gave. Whatever a provider reported or recorded
is equal to the nano-dollar; whatever had to be assumed says so, and is never below the bill.
"""

import asyncio
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import booking
import pytest
import spender
from test_never_overspent import CHANGES, trouble

from orchestrator.config.loader import embedded_path
from orchestrator.core.clock import SystemClock
from orchestrator.drill.practice_config import practice_models, practice_prices
from orchestrator.ledger.reconcile import OrphanPolicy
from orchestrator.practice import PracticeServer
from orchestrator.reports.reconciliation import ReconcileOptions, reconcile

CALLS = 750
KNOWN = {"provider", "price_book"}
ASSUMED = {"estimate", "bound"}
ATTEMPTS = (
    "SELECT a.provider, a.upstream_id, a.cost_nusd + COALESCE(c.cost_nusd, 0), COALESCE(c.source, a.cost_source)"
    " FROM attempts a LEFT JOIN corrections c ON c.operation_id = a.operation_id AND c.number = a.number"
)


@pytest.fixture
def practice():
    """Practice providers that charge what the configuration says."""
    prices = practice_prices(embedded_path(), today=spender.TODAY, environment={})
    with PracticeServer(prices=prices, models=practice_models(prices)) as server:
        yield server


@pytest.fixture
def day(make_orchestrator, practice):
    """A day's traffic, reconciled; the path of its ledger."""
    # A budget that is not in the way: what is compared here is the bill.
    orchestrator = make_orchestrator(
        {**CHANGES, "budgets": {"limits": [{"scope": "all", "day": 1000}], "tiers": []}}
    )
    orchestrator.warm_up()
    config = orchestrator.config
    # By chance the day below may cut none.
    practice.faults.add("openrouter:cut_stream=2,times=1")
    list(orchestrator.stream("Mấy giờ mở cửa?"))
    with trouble(practice, seed=11):
        asyncio.run(spender.spend(orchestrator, seed=11, calls=CALLS, in_flight=40))
    orchestrator.close()
    practice.wait_idle(timeout_s=300)
    order = ReconcileOptions(older_than=timedelta(0), policy=OrphanPolicy.BOUND)
    done = reconcile(config, order, clock=SystemClock(), say=lambda _: None)
    assert done.corrections, "no stream was cut or abandoned"
    return Path(config.settings.ledger.path)


def test_the_books_of_a_day_say_what_the_providers_charged(day, practice):
    booking.assert_balanced(day)
    assert booking.rows(day, "SELECT COUNT(*) FROM holds") == [(0,)]
    assert_equal_to_the_bill(booking.rows(day, ATTEMPTS), practice.bill.charges)
    assert_repeated_answers_cost_nothing(day)


def assert_equal_to_the_bill(attempts, charges):
    by_id = {upstream: (cost, source) for _, upstream, cost, source in attempts if upstream is not None}
    known = [(charge, *by_id[charge.request_id]) for charge in charges if charge.request_id in by_id]
    exact = [(charge.cost_nusd, cost) for charge, cost, source in known if source in KNOWN]
    assert len(exact) > CALLS // 3
    assert sum(cost for _, cost in exact) == sum(charge for charge, _ in exact)
    assert [pair for pair in exact if pair[0] != pair[1]] == []
    assumed = [(charge.cost_nusd, cost, source) for charge, cost, source in known if source not in KNOWN]
    assert [one for one in assumed if one[1] < one[0] or one[2] not in ASSUMED] == []

    # Nothing was booked as known that no provider charged.
    billed = {charge.request_id for charge in charges}
    invented = [
        upstream
        for upstream, (cost, source) in by_id.items()
        if source in KNOWN and cost and upstream not in billed
    ]
    assert invented == []

    # A charge whose id never arrived belongs to an attempt without an id, booked at its bound: each to its own,
    # the largest first, so that no row stands for two charges.
    nameless, missing = defaultdict(list), defaultdict(list)
    for provider, upstream, cost, source in attempts:
        if upstream is None and source in ASSUMED:
            nameless[provider].append(cost)
    for charge in charges:
        if charge.request_id not in by_id:
            missing[charge.provider].append(charge.cost_nusd)
    for provider, costs in missing.items():
        rows = sorted(nameless[provider], reverse=True)
        assert len(rows) >= len(costs), provider
        assert all(row >= cost for row, cost in zip(rows, sorted(costs, reverse=True), strict=False))
    assert sum(cost for _, _, cost, _ in attempts) >= sum(charge.cost_nusd for charge in charges)


def assert_repeated_answers_cost_nothing(path):
    repeated = booking.rows(
        path,
        "SELECT cached, COUNT(*), SUM(cost_nusd), SUM(input_tokens + output_tokens), SUM(attempts) FROM operations"
        " WHERE cached IN ('hit', 'joined') GROUP BY cached ORDER BY cached",
    )
    assert [(cached, count > 0, *rest) for cached, count, *rest in repeated] == [
        ("hit", True, 0, 0, 0),
        ("joined", True, 0, 0, 0),
    ]
