"""What is written into the file for a fixed day of bookings, compared with rows that were stored once.

`booked_rows.json` was made by the program before its statements moved behind `LedgerStore`. A change of it is a
change of the file format: it needs a migration, and its place in the changelog.
"""

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.core.errors import BudgetExceededError
from orchestrator.core.money import NanoUsd
from orchestrator.core.prompt_size import PromptSize, Script
from orchestrator.core.reply import Attempt, CacheState, CostSource, Outcome, Usage
from orchestrator.ledger.budgets import BudgetSettings, Limits
from orchestrator.ledger.compact import compact
from orchestrator.ledger.facts import AssumedCost
from orchestrator.ledger.idempotency_keys import KeyClaim
from orchestrator.ledger.ledger import HoldRequest, RequestRecord
from orchestrator.ledger.opening import LedgerSettings, open_ledger
from orchestrator.ledger.process_identity import own_process
from orchestrator.ledger.reconcile import OrphanPolicy, correct_cost, find_orphans, settle_orphans

STORED = Path(__file__).with_name("booked_rows.json")
ZONE = "Asia/Ho_Chi_Minh"
LIMITS = Limits(
    BudgetSettings(
        time_zone=ZONE,
        limits=[{"scope": "all", "day": "0.1", "month": "1"}, {"scope": "tenant:*", "day": "0.05"}],
    )
)
SCOPES = ("all", "tenant:acme", "use_case:bulk", "user:42", "provider:p", "tag:trial")
USAGE = Usage(10, 5)


class Bookkeeper:
    """Short ways to book, and a second process on another machine."""

    def __init__(self, path, clock):
        settings = LedgerSettings(path=str(path))
        self.ledger, self.elsewhere = (open_ledger(settings, limits=LIMITS, clock=clock) for _ in range(2))
        self.clock = clock

    def claim(self, operation, bound, *, number=1, size=None, scopes=SCOPES):
        return HoldRequest(
            operation, number, "p/m", "p", "m", scopes, NanoUsd(bound), "book@2026-11-09", size
        )

    def hold(self, operation, *, bound, **more):
        return self.ledger.hold(self.claim(operation, bound, **more))

    def hold_elsewhere(self, operation, *, bound, **more):
        self.elsewhere.check_writable()
        self.elsewhere.store.file.process = "elsewhere:1:"
        return self.elsewhere.hold(self.claim(operation, bound, **more))

    def correct(self, operation, number, *, booked, cost):
        attempt = AssumedCost(operation, number, "p/m", "p", NanoUsd(booked), "gen")
        correct_cost(self.ledger, attempt, cost_nusd=NanoUsd(cost), now=self.clock.now())

    def settle_orphans(self, policy):
        with self.ledger.store.view() as view:
            orphans = find_orphans(
                view, now=self.clock.now(), older_than=timedelta(minutes=10), time_zone=ZONE
            )
        settled = settle_orphans(self.ledger, orphans, policy=policy, now=self.clock.now())
        assert len(settled) == len(orphans) > 0


def attempt(cost, *, outcome=Outcome.SUCCEEDED, cost_source=CostSource.PRICE_BOOK, usage=USAGE, **more):
    return Attempt(
        1, "p/m", "p", "m", outcome, usage=usage, cost_nusd=NanoUsd(cost), cost_source=cost_source, **more
    )


def request(operation, moment, cost):
    return RequestRecord(
        operation, moment, "acme", "bulk", "42", ("trial",), Outcome.SUCCEEDED, None, CacheState.MISS, None,
        "p/m", "p", "m", 1, Usage(10, 5), NanoUsd(cost), 0.1,
    )  # fmt: skip


def book_an_old_month(keeper, clock):
    for day in (1, 31):
        clock.set(datetime(2025, 3, day, 22, 15, tzinfo=UTC))
        for name, cost in (("a", 300), ("b", 700)):
            hold = keeper.hold(f"old-{day}-{name}", bound=1000)
            keeper.ledger.settle(hold, attempt(cost))
            keeper.ledger.record_request(request(f"old-{day}-{name}", clock.now(), cost))


def book_a_day(keeper, clock):
    ledger = keeper.ledger
    clock.set(datetime(2026, 11, 23, 9, 0, 0, 123456, tzinfo=UTC))
    size = PromptSize(input_expected_tokens=120, input_bound_tokens=900, script=Script.WIDE)
    first = keeper.hold("day-1", bound=5000, size=size)
    full = attempt(
        4321, latency_s=1.2345, first_token_s=0.25, upstream_id="gen-1", price_version="seen@2026-11-23",
        usage=Usage(100, 50, cached_input_tokens=20, cache_write_tokens=5, reasoning_tokens=7),
    )  # fmt: skip
    clock.advance(2)
    ledger.settle(first, full)
    ledger.settle(first, full)
    ledger.record_request(request("day-1", clock.now(), 4321))
    ledger.record_request(replace(request("day-1", clock.now(), 9), error="again"))
    second = keeper.hold("day-2", bound=3000, scopes=(*SCOPES[:4], "provider:q"))
    ledger.settle_deferred(
        second,
        attempt(0, outcome=Outcome.FAILED, failure="rate_limited", status=429, cost_source=CostSource.NONE),
    )
    third = keeper.hold("day-2", bound=3000, number=2)
    ledger.settle_deferred(third, attempt(3000, cost_source=CostSource.BOUND, upstream_id="gen-2"))
    degraded = replace(request("day-2", clock.now(), 3000), attempts=2, degraded="dearer", user=None, tags=())
    ledger.record_request_deferred(degraded)
    keeper.correct("day-2", 2, booked=3000, cost=1250)
    keeper.correct("day-2", 2, booked=3000, cost=7)
    with pytest.raises(BudgetExceededError):
        keeper.hold("day-3", bound=10**9)
    ledger.settle(keeper.hold("day-4", bound=10), attempt(25))
    ledger.settle(keeper.hold("day-5", bound=0), attempt(0, cost_source=CostSource.NONE))
    keeper.hold("under-way", bound=77)
    clock.set(datetime(2026, 11, 30, 16, 59, 59, tzinfo=UTC))
    over_midnight = keeper.hold("midnight", bound=400)
    clock.advance(5)
    ledger.settle(over_midnight, attempt(111))


def book_what_the_dead_left(keeper, clock):
    clock.set(datetime(2026, 12, 2, 3, 0, tzinfo=UTC))
    keeper.ledger.settle(keeper.hold("half", bound=900), attempt(90))
    keeper.hold_elsewhere("orphan-bound", bound=1001)
    late = keeper.hold_elsewhere("half", bound=900, number=2)
    clock.advance(3600)
    keeper.settle_orphans(OrphanPolicy.BOUND)
    for policy in (OrphanPolicy.ZERO, OrphanPolicy.ESTIMATE):
        keeper.hold_elsewhere(f"orphan-{policy.value}", bound=1001)
        clock.advance(3600)
        keeper.settle_orphans(policy)
    keeper.ledger.settle(late, attempt(333))
    keeper.ledger.record_request(replace(request("half", clock.now(), 423), attempts=2))


async def use_keys(store, clock):
    clock.set(datetime(2026, 12, 3, 3, 0, tzinfo=UTC))
    until = clock.now() + timedelta(minutes=2)

    def claim(key, operation):
        return KeyClaim("acme", key, f"hash-{key}", operation, until)

    for number in range(1, 5):
        assert await store.claim_key(claim(f"k{number}", f"key-{number}")) is None
    holder = await store.claim_key(claim("k2", "key-2b"))
    assert await store.take_over_key(claim("k2", "key-2b"), over=holder)
    store.finish_key(claim("k1", "key-1"), operation_id="key-1", until=until + timedelta(hours=1))
    store.free_key(claim("k3", "key-3"))
    store.finish_key(claim("k4", "key-4"), operation_id="key-4", until=until)
    swept_at = clock.now() + timedelta(minutes=30)
    expired = await store.expired_keys(
        done_until=swept_at, running_until=swept_at - timedelta(hours=1), limit=500
    )
    assert [key.operation_id for key in expired] == ["key-4"]
    await store.forget_keys(expired)


def content(path):
    """Return every row of every table in the order of the file, without what is another in every run."""
    with closing(sqlite3.connect(path)) as connection:
        (secret,) = connection.execute("SELECT value FROM about WHERE key = 'prompt_secret'").fetchone()
        other = {own_process(): "this process", secret: "a secret"}
        names = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        cursors = {name: connection.execute(f"SELECT * FROM {name}") for name in sorted(names)}  # noqa: S608
        return {
            name: {
                "columns": [column[0] for column in cursor.description],
                "rows": [
                    [other.get(value, value) for value in row] for row in cursor if row[0] != "generation"
                ],
            }
            for name, cursor in cursors.items()
        }


def test_the_rows_of_a_fixed_day_of_bookings_are_what_they_always_were(tmp_path, clock):
    """Holds, settlements, refusals, orphans, corrections, keys and a compacted month: to the last byte."""
    path = tmp_path / "ledger.sqlite3"
    keeper = Bookkeeper(path, clock)
    book_an_old_month(keeper, clock)
    book_a_day(keeper, clock)
    book_what_the_dead_left(keeper, clock)
    asyncio.run(use_keys(keeper.ledger.store, clock))
    assert compact(keeper.ledger, today=date(2026, 11, 23), keep_days=400).compacted
    assert content(path) == json.loads(STORED.read_text())
