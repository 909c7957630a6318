"""What every back end of the ledger must pass: a class of tests over a store that a subclass opens.

    class TestSqliteStore(StoreContract):
        @pytest.fixture
        def new_backend(self, tmp_path): ...   # makes `Backend`s, each with an empty ledger

Tests look through verbs of the store and its view alone, so that the next back end inherits them as they are.
What only a file can suffer stands in `tests/ledger/test_ledger.py` and `tests/ledger/sqlite/`; death at every
edge of a transaction in `crash_contract.py`.
"""

import asyncio
import json
import os
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

import pytest

from orchestrator.core.errors import LedgerError
from orchestrator.core.money import NanoUsd
from orchestrator.core.prompt_size import PromptSize, Script
from orchestrator.core.reply import Attempt, CacheState, CostSource, Outcome, Usage
from orchestrator.core.run import Run
from orchestrator.ledger.facts import TABLES, RolledDay, UnequalCounter
from orchestrator.ledger.feedback import Feedback, FeedbackSum
from orchestrator.ledger.idempotency_keys import ExpiredKey, KeyClaim, KeyState
from orchestrator.ledger.kept_plan import PackedPlan
from orchestrator.ledger.periods import CALENDAR, Window, period_of
from orchestrator.ledger.process_identity import Life, life_of, own_process
from orchestrator.ledger.prompt_prints import PromptPrint
from orchestrator.ledger.records import (
    ORPHANED,
    CostCorrection,
    CounterLimit,
    Hold,
    HoldRequest,
    NewHold,
    OrphanBooking,
    RequestRecord,
    Shortage,
)
from orchestrator.ledger.requests import RequestQuery
from orchestrator.ledger.store import LedgerBusyError, LedgerStore
from orchestrator.ledger.usage import Duration, Selection
from orchestrator.ledger.verify import verify

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PERIOD = period_of(NOON, "UTC")
SCOPES = ("all", "tenant:acme", "use_case:bulk", "user:42", "provider:p", "tag:trial")
PLAN = PackedPlan(7, '[[["p/m",["route"]]],[],[],{}]', "[[[812,1000]]]")
LATER = NOON + timedelta(days=900)
NEVER = NOON - timedelta(days=900)


class Backend(Protocol):
    """One ledger of a back end, and what a test must be able to do to it."""

    def open(self, *, lock_timeout_s: float = 60.0) -> LedgerStore:
        """Open the ledger once more, as another process does."""

    def copied(self) -> "Backend":
        """Return another ledger with the same content; nobody has this one open."""

    def busy(self) -> AbstractContextManager[object]:
        """Let another program be in the middle of a transaction that changes counters."""

    async def deferred_are_written(self, store: LedgerStore) -> None:
        """Wait for what the store writes by itself, and cause nothing to be written."""

    def add_to_counter(self, scope: str, period: str, amount_nusd: int) -> None:
        """Falsify what was spent, behind the store's back."""

    def install_death(self) -> None:
        """Prepare this process, before it opens a store, to die at a statement."""

    def arm_death(self, *, at: int, after: bool) -> None:
        """Let this process kill itself right before or after the statement `at` from now, counted from 1."""


def claim(operation: str = "op", *, bound: int = 1000, number: int = 1, scopes=SCOPES) -> HoldRequest:
    return HoldRequest(operation, number, "p/m", "p", "m", scopes, NanoUsd(bound), "book")


def in_run(name: str, *, most: int | None = None, tenant: str = "acme", **more) -> NewHold:
    """Return a hold that counts for a run."""
    scopes = tuple(f"tenant:{tenant}" if scope == "tenant:acme" else scope for scope in SCOPES)
    new = new_hold(scopes=scopes, **more)
    run = Run(name, None if most is None else NanoUsd(most))
    return new._replace(request=replace(new.request, run=run))


def stands(store: LedgerStore, name: str, tenant: str = "acme") -> tuple[int | None, int, int] | None:
    run = store.run(tenant, name)
    return None if run is None else (run.limit, run.spent, run.held)


def new_hold(operation: str = "op", *, limits=(), moment: datetime = NOON, **more) -> NewHold:
    return NewHold(claim(operation, **more), period_of(moment, "UTC"), moment, tuple(limits))


def looked_at(store: LedgerStore) -> list[object]:
    """Return all that a report can see of the day, for everybody, for a tenant, and for a user."""
    seen: list[object] = []
    with store.view() as view:
        for names in ({}, {"tenant": "acme"}, {"use_case": "bulk"}, {"tenant": "other"}, {"user": "42"}):
            days = Selection(PERIOD.day, PERIOD.day, **names)
            looks = (
                view.request_groups, view.send_groups, view.tenant_groups, view.refusal_groups, view.spending_groups,
                view.name_groups, view.day_totals, view.repeat_groups,
                view.beginning_groups, view.waiting_groups,
                *(partial(view.durations, duration=duration) for duration in Duration),
            )  # fmt: skip
            seen += [sorted(look(days), key=repr) for look in looks]
    return seen


def costs_of(store: LedgerStore) -> dict[str, int]:
    with store.view() as view:
        return {cost.day: cost.cost_nusd for cost in view.day_totals(Selection(PERIOD.day, PERIOD.day))}


def limit_of(nano: int, *, scope: str = "all", window: Window = Window.DAY) -> CounterLimit:
    return CounterLimit(scope, window, NanoUsd(nano))


def held(store: LedgerStore, operation: str = "op", **more) -> Hold:
    outcome = store.hold(new_hold(operation, **more))
    assert isinstance(outcome, Hold)
    return outcome


def attempt(cost: int, *, source: CostSource = CostSource.PRICE_BOOK, **more) -> Attempt:
    usage = more.pop("usage", Usage(10, 5))
    return Attempt(
        1,
        "p/m",
        "p",
        "m",
        Outcome.SUCCEEDED,
        usage=usage,
        cost_nusd=NanoUsd(cost),
        cost_source=source,
        **more,
    )


def record(operation: str = "op", *, cost: int = 300, error: str | None = None) -> RequestRecord:
    return RequestRecord(
        operation, NOON, "acme", "bulk", "42", ("trial",), Outcome.SUCCEEDED, error, CacheState.MISS, None,
        "p/m", "p", "m", 1, Usage(10, 5), NanoUsd(cost), 0.1, PLAN,
    )  # fmt: skip


def orphan_record(hold: Hold, totals) -> tuple[RequestRecord, object]:
    return record(hold.request.operation_id, cost=totals.cost_nusd, error=ORPHANED), hold.period


def orphan_booking(hold: Hold, cost: int = 1000) -> OrphanBooking:
    return OrphanBooking(hold, attempt(cost, source=CostSource.BOUND, failure=ORPHANED))


def key_claim(operation: str = "op", *, key: str = "k", tenant: str = "acme") -> KeyClaim:
    return KeyClaim(tenant, key, "hash", operation, NOON + timedelta(minutes=2))


def counted(store: LedgerStore, scope: str = "all", period: str = PERIOD.day) -> tuple[int, int]:
    counter = store.counter(scope, period)
    return counter.spent, counter.held


def table(store: LedgerStore, name: str) -> list[dict]:
    with store.view() as view:
        columns, rows = view.table(name)
        return [dict(zip(columns, row, strict=True)) for row in rows]


def assert_balanced(store: LedgerStore) -> None:
    """Every counter is the sum of its rows, and every request of its attempts."""
    with store.view() as view:
        verification = verify(view, now=NOON)
    assert verification.differences == ()
    assert verification.unequal_operations == ()


def content(store: LedgerStore) -> dict[str, object]:
    """Return all that a ledger holds, whichever process held it."""
    expired = asyncio.run(store.expired_keys(done_until=LATER, running_until=NEVER, limit=99))
    running = asyncio.run(store.expired_keys(done_until=NEVER, running_until=LATER, limit=99))
    with store.view() as view:
        tables: dict[str, object] = {name: sorted(map(repr, view.table(name)[1])) for name in TABLES}
        holds = [(hold.request, hold.day, hold.held_at, hold.runs) for hold in view.holds()]
        about = {"counters": view.counters(), "time_zone": view.time_zone, "runs": tuple(view.run_sums())}
        about["details"] = [view.request(row.id) for row in view.requests(RequestQuery(limit=99))]
        return {**tables, **about, "holds": holds, "done": expired, "running": running}


def in_processes(work: Callable[[int], object], count: int) -> list:
    """Do work in forked processes at once and return what each returned, by JSON."""
    children = []
    for number in range(count):
        reader, writer = os.pipe()
        process = os.fork()
        if process == 0:
            try:
                os.write(writer, json.dumps(work(number)).encode())
                os._exit(0)
            except BaseException:  # noqa: BLE001 -- a child must end here, whatever it met
                traceback.print_exc(file=sys.stderr)
                os._exit(1)
        os.close(writer)
        children.append((process, reader))
    results = []
    for process, reader in children:
        with os.fdopen(reader, "rb") as pipe:
            text = pipe.read()
        assert os.waitpid(process, 0)[1] == 0
        results.append(json.loads(text))
    return results


class StoreContract:
    @pytest.fixture
    def new_backend(self) -> Callable[[], Backend]:
        raise NotImplementedError

    @pytest.fixture
    def backend(self, new_backend) -> Backend:
        return new_backend()

    @pytest.fixture
    def store(self, backend):
        with closing(backend.open()) as store:
            yield store

    # ---- holding and settling

    def test_a_hold_counts_in_every_scope_and_window_until_its_cost_counts_there(self, store):
        hold = held(store)
        keys = [(scope, period) for scope in SCOPES for period in PERIOD.keys]
        assert {counted(store, *key) for key in keys} == {(0, 1000)}
        store.settle(hold, attempt(300))
        assert {counted(store, *key) for key in keys} == {(300, 0)}
        assert [(row["operation_id"], row["cost_nusd"]) for row in table(store, "attempts")] == [("op", 300)]
        assert_balanced(store)

    @pytest.mark.parametrize("scope", SCOPES)
    @pytest.mark.parametrize("window", CALENDAR)
    def test_a_limit_may_be_reached_and_a_shortage_holds_nothing_anywhere(self, store, scope, window):
        limit = limit_of(2500, scope=scope, window=window)
        store.settle(held(store, "first"), attempt(500))
        held(store, "second", bound=2000, limits=[limit])
        before = content(store)
        refused = Shortage(limit, NanoUsd(2500), held_nusd=NanoUsd(2000))
        assert store.hold(new_hold("third", bound=1, limits=[limit])) == refused
        assert content(store) == before

    def test_the_first_limit_in_the_order_of_the_caller_is_the_one_that_refuses(self, store):
        tight, wide = limit_of(10, scope="tag:trial"), limit_of(999)
        assert store.hold(new_hold(limits=[wide, tight])) == Shortage(wide, NanoUsd(0))
        assert store.hold(new_hold(limits=[tight, wide])) == Shortage(tight, NanoUsd(0))

    def test_a_limit_that_what_is_spent_passes_comes_before_one_that_only_holds_pass(self, store):
        store.settle(held(store, "spent", bound=900), attempt(900))
        held(store, "open", bound=500)
        by_holds, for_good = limit_of(2000), limit_of(1000, scope="tag:trial")
        refused = store.hold(new_hold("more", bound=700, limits=[by_holds, for_good]))
        assert refused == Shortage(for_good, NanoUsd(1400), held_nusd=NanoUsd(500))
        assert refused.is_final(700)
        refused = store.hold(new_hold("more", bound=700, limits=[by_holds]))
        assert refused == Shortage(by_holds, NanoUsd(1400), held_nusd=NanoUsd(500))
        assert not refused.is_final(700)

    def test_without_a_limit_a_scope_is_counted_all_the_same(self, store):
        held(store)
        assert isinstance(store.hold(new_hold("more", limits=[limit_of(1500)])), Shortage)

    def test_a_cost_above_its_hold_is_booked_in_full(self, store):
        store.settle(held(store), attempt(1600))
        assert counted(store) == (1600, 0)

    def test_settling_twice_changes_nothing(self, store):
        hold = held(store)
        store.settle(hold, attempt(300))
        before = content(store)
        store.settle(hold, attempt(300))
        store.settle(hold, attempt(999))
        assert content(store) == before

    def test_a_settlement_books_into_the_windows_of_its_hold(self, store):
        eve = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
        store.settle(held(store, moment=eve), attempt(300, latency_s=10.0))
        assert (counted(store, period="2026-11-30"), counted(store, period="2026-12-01")) == (
            (300, 0),
            (0, 0),
        )

    def test_a_request_is_recorded_once(self, store):
        store.record_request(record(cost=5), PERIOD)
        store.record_request(record(cost=9), PERIOD)
        assert [(row["id"], row["cost_nusd"]) for row in table(store, "operations")] == [("op", 5)]

    async def test_on_an_event_loop_all_of_it_is_the_same(self, store):
        await store.aopen()
        outcome = await store.ahold(new_hold(limits=[limit_of(1000)]))
        assert isinstance(outcome, Hold)
        assert isinstance(await store.ahold(new_hold("more", bound=1, limits=[limit_of(1000)])), Shortage)
        store.settle_deferred(outcome, attempt(300))
        store.record_request_deferred(record(), PERIOD)
        await store.written("op")
        assert counted(store) == (300, 0)
        assert [row["id"] for row in table(store, "operations")] == ["op"]
        assert_balanced(store)

    async def test_what_is_written_in_one_turn_of_an_event_loop_is_each_as_if_it_were_alone(self, store):
        """Of a hundred holds those are granted that the limit has room for; the others hold nothing."""
        await store.aopen()
        paid = [held(store, f"paid-{number}", bound=100) for number in range(5)]
        for hold in paid:
            store.settle_deferred(hold, attempt(60))
        outcomes = await asyncio.gather(
            *(
                store.ahold(new_hold(f"op-{number}", bound=100, limits=[limit_of(1000)]))
                for number in range(100)
            )
        )
        assert [isinstance(outcome, Hold) for outcome in outcomes] == [True] * 7 + [False] * 93
        assert {outcome.used_nusd for outcome in outcomes[7:]} == {1000}
        assert counted(store) == (300, 700)
        assert_balanced(store)

    async def test_a_hold_whose_caller_left_in_the_turn_of_its_commit_is_taken_back(self, store):
        await store.aopen()
        loop = asyncio.get_running_loop()
        staying = asyncio.create_task(store.ahold(new_hold("op-1")))
        # Before the second begins: so it is cancelled after both are held, and before it is woken.
        loop.call_soon(lambda: loop.call_soon(leaving.cancel))
        leaving = asyncio.create_task(store.ahold(new_hold("op-2")))
        assert isinstance(await staying, Hold)
        await asyncio.gather(leaving, return_exceptions=True)
        await store.written("op-2")
        assert leaving.cancelled()
        assert counted(store) == (0, 1000)
        assert_balanced(store)
        assert isinstance(await store.ahold(new_hold("next")), Hold)

    async def test_a_booking_that_no_later_moment_makes_right_stands_in_the_way_of_no_other(self, store):
        for hold in (held(store, "twice"), held(store, "twice"), held(store, "other")):
            store.settle_deferred(hold, attempt(300))
        with pytest.raises(LedgerError):
            await store.written("twice")
        await store.written("other")
        assert counted(store) == (600, 1000)

    def test_what_providers_counted_is_remembered_oldest_first(self, store):
        size = PromptSize(input_bound_tokens=90, input_expected_tokens=12, script=Script.WIDE)
        for number in range(3):
            sized = HoldRequest(f"op-{number}", 1, "p/m", "p", "m", SCOPES, NanoUsd(9), "book", size)
            hold = store.hold(NewHold(sized, PERIOD, NOON, ()))
            store.settle(hold, attempt(1, usage=Usage(10 + number, 5)))
        samples = store.token_samples(2)
        assert [(sample.expected_tokens, sample.counted_tokens) for sample in samples] == [(12, 11), (12, 12)]
        assert {(sample.model, sample.script) for sample in samples} == {("m", Script.WIDE)}

    # ---- what rolls over

    def test_what_a_window_left_of_its_limit_is_added_to_the_next_one_and_to_that_alone(self, store):
        day = timedelta(days=1)

        def outcome(bound, moment, rollover=1000):
            limit = CounterLimit("all", Window.DAY, NanoUsd(1000), NanoUsd(rollover))
            return store.hold(new_hold(f"{bound} {moment}", bound=bound, moment=moment, limits=[limit]))

        first = outcome(300, NOON)
        assert isinstance(first, Hold)
        assert isinstance(outcome(701, NOON), Shortage), (
            "money was first counted today: yesterday left nothing"
        )
        refused = outcome(1701, NOON + day)
        assert isinstance(refused, Shortage)
        assert refused.rolled_over_nusd == 700
        store.settle(first, attempt(250))
        assert isinstance(outcome(1751, NOON + day), Shortage)
        assert isinstance(outcome(1101, NOON + day, rollover=100), Shortage), "no more than may roll over"
        assert isinstance(outcome(1750, NOON + day), Hold), "what was freed after the edge is added too"
        assert isinstance(outcome(1001, NOON + 2 * day), Shortage), "what was added ended with its day"
        assert isinstance(outcome(1000, NOON + 2 * day), Hold)
        assert_balanced(store)

    # ---- runs

    def test_a_run_counts_whole_and_in_each_of_its_parts_and_is_limited_in_each(self, store):
        hold = store.hold(in_run("thread/research", most=600, bound=500))
        assert isinstance(hold, Hold)
        assert stands(store, "thread/research") == (600, 0, 500)
        assert stands(store, "thread") == (None, 0, 500)
        refused = store.hold(in_run("thread/research", operation="more", bound=101))
        assert refused == Shortage(
            CounterLimit("run:thread/research", Window.RUN, NanoUsd(600)), NanoUsd(500), NanoUsd(500)
        )
        assert isinstance(store.hold(in_run("thread", operation="whole", most=550, bound=50)), Hold)
        before = content(store)
        assert isinstance(store.hold(in_run("thread/other", operation="other", bound=1)), Shortage)
        assert content(store) == before
        store.settle(hold, attempt(100))
        assert isinstance(store.hold(in_run("thread/other", operation="other", bound=1)), Hold)
        assert (stands(store, "thread"), stands(store, "thread/research")) == ((550, 100, 51), (600, 100, 0))
        assert_balanced(store)

    def test_the_first_limit_of_a_run_stands_and_a_smaller_one_holds_for_the_call_that_names_it(self, store):
        assert isinstance(store.hold(in_run("r", operation="free", bound=10)), Hold)
        assert isinstance(store.hold(in_run("r", operation="first", most=1000, bound=10)), Hold)
        assert isinstance(store.hold(in_run("r", operation="larger", most=5000, bound=1000)), Shortage)
        assert isinstance(store.hold(in_run("r", operation="smaller", most=100, bound=90)), Shortage)
        assert isinstance(store.hold(in_run("r", operation="unnamed", bound=980)), Hold)
        assert stands(store, "r") == (1000, 0, 1000)

    def test_a_run_is_that_of_its_tenant(self, store):
        assert isinstance(store.hold(in_run("r", most=10, bound=10)), Hold)
        assert isinstance(store.hold(in_run("r", operation="b", tenant="b", most=10, bound=10)), Hold)
        assert stands(store, "r", "b") == (10, 0, 10)
        assert stands(store, "r", "c") is None

    def test_orphans_and_corrections_change_the_counter_of_their_run(self, store):
        hold = store.hold(in_run("r/part", bound=1000))
        with store.view() as view:
            (left,) = view.holds()
        assert left.runs == hold.runs
        store.settle_orphans([orphan_booking(hold)], orphan_record)
        assert stands(store, "r") == (None, 1000, 0)
        store.correct(CostCorrection("op", 1, NanoUsd(300), CostSource.OPERATOR, NOON, "the invoice"))
        assert stands(store, "r") == stands(store, "r/part") == (None, 300, 0)
        assert_balanced(store)

    def test_a_run_keeps_what_it_has_spent_when_its_rows_are_rolled_up(self, store):
        store.settle(store.hold(in_run("r", most=1000, bound=900)), attempt(300))
        store.roll_up_day(PERIOD.day)
        assert stands(store, "r") == (1000, 300, 0)
        next_day = NOON + timedelta(days=1)
        assert isinstance(store.hold(in_run("r", operation="more", bound=701, moment=next_day)), Shortage)
        assert_balanced(store)

    def test_a_run_that_nobody_uses_is_forgotten_and_its_name_begins_anew(self, store):
        held_open = store.hold(in_run("open", operation="open", bound=5))
        store.settle(store.hold(in_run("r/part", most=1000, bound=900)), attempt(900))
        later = NOON + timedelta(days=31)
        assert isinstance(store.hold(in_run("another", operation="another", moment=later, bound=1)), Hold)
        assert (stands(store, "r"), stands(store, "r/part")) == (None, None)
        assert stands(store, "open") == (None, 0, 5), "not while it holds money"
        store.settle(held_open, attempt(5))
        assert isinstance(store.hold(in_run("r/part", operation="anew", moment=later, bound=7)), Hold)
        assert stands(store, "r/part") == (None, 0, 7)
        assert_balanced(store)

    # ---- orphans and corrections

    def test_orphans_are_settled_together_and_once(self, store):
        first, second = held(store, "first"), held(store, "second")
        store.settle(second, attempt(70))
        bookings = [orphan_booking(first), orphan_booking(second)]
        assert store.settle_orphans(bookings, orphan_record) == (True, False)
        assert store.settle_orphans(bookings, orphan_record) == (False, False)
        assert counted(store) == (1070, 0)
        assert [(row["id"], row["error"]) for row in table(store, "operations")] == [("first", ORPHANED)]
        assert_balanced(store)

    def test_the_request_of_an_orphan_is_recorded_with_what_all_its_attempts_come_to(self, store):
        store.settle(held(store), attempt(70))
        orphan = held(store, number=2, moment=NOON + timedelta(hours=1))
        seen = []

        def look(hold, totals):
            seen.append(totals)
            return orphan_record(hold, totals)

        store.settle_orphans([orphan_booking(orphan)], look)
        (totals,) = seen
        assert (totals.attempts, totals.cost_nusd, totals.started_at) == (2, 1070, NOON)
        assert (totals.usage.input_tokens, totals.usage.output_tokens) == (20, 10)

    def test_a_process_that_was_alive_after_all_has_the_last_word(self, store):
        hold = held(store)
        store.settle_orphans([orphan_booking(hold)], orphan_record)
        for _ in range(2):
            store.settle(hold, attempt(300))
            store.record_request(record(cost=300), PERIOD)
        assert counted(store) == (300, 0)
        assert [row["cost_nusd"] for row in table(store, "attempts")] == [1000], "never changed"
        assert [row["cost_nusd"] for row in table(store, "corrections")] == [-700]
        assert [(row["error"], row["cost_nusd"]) for row in table(store, "operations")] == [(None, 300)]
        assert_balanced(store)

    def test_of_the_corrections_of_an_attempt_the_first_stands(self, store):
        store.settle(held(store), attempt(1000, source=CostSource.BOUND, upstream_id="gen-1"))
        with store.view() as view:
            (assumed,) = view.assumed_costs(since=PERIOD.day)
        assert (assumed.operation_id, assumed.upstream_id) == ("op", "gen-1")

        def correct(operation, cost):
            return store.correct(CostCorrection(operation, 1, NanoUsd(cost), CostSource.PROVIDER, NOON))

        assert [correct("op", 250), correct("op", 7), correct("unknown", 7)] == [-750, None, None]
        assert counted(store, "tag:trial", PERIOD.month) == (250, 0)
        with store.view() as view:
            assert view.assumed_costs(since=PERIOD.day) == ()
        assert_balanced(store)

    def test_a_request_is_found_with_all_that_is_kept_of_it(self, store):
        store.settle(held(store), attempt(1000, source=CostSource.BOUND))
        store.record_request(record(cost=1000), PERIOD)
        store.correct(CostCorrection("op", 1, NanoUsd(300), CostSource.OPERATOR, NOON, "the invoice"))
        with store.view() as view:
            (row,) = view.requests(RequestQuery())
            detail = view.request("op")
            assert view.request("another") is None
            assert [view.request_ids("o", tenant=name, limit=9) for name in (None, "acme", "other")] == [
                ("op",),
                ("op",),
                (),
            ]
        assert (row.id, row.tenant, row.tags, row.cost_nusd) == ("op", "acme", ("trial",), 300)
        assert detail.request == row
        assert [(send.number, send.held_nusd, send.cost_nusd) for send in detail.attempts] == [
            (1, 1000, 1000)
        ]
        assert [(change.attempt, change.cost_nusd, change.note) for change in detail.corrections] == [
            (1, -700, "the invoice")
        ]
        (candidate,) = detail.plan.candidates
        assert (candidate.deployment, candidate.score, candidate.bound_nusd) == ("p/m", 0.812, 1000)

    def test_feedback_is_kept_once_for_each_request_and_source(self, store):
        store.settle(held(store), attempt(300))
        store.record_request(record(), PERIOD)

        def give(operation="op", *, tenant=None, **more):
            return store.give_feedback(Feedback(operation, given_at=NOON, **more), tenant=tenant)

        assert give(source="user", score=2)
        assert give(source="user", score=4)
        assert give(source="user", corrected=True)
        assert give(source="review", score=5, tenant="acme")
        assert not give("another", source="user", score=1)
        assert not give(source="user", score=1, tenant="other")
        today = Selection(PERIOD.day, PERIOD.day)
        with store.view() as view:
            feedback = view.request("op").feedback
            sums = view.feedback_sums(today)
            for also in ({"tenant": "acme"}, {"use_case": "bulk"}, {"user": "42"}, {"tag": "trial"}):
                assert view.feedback_sums(replace(today, **also)) == sums
            for other in ("tenant", "use_case", "user", "tag"):
                assert view.feedback_sums(replace(today, **{other: "other"})) == ()
        assert [(word.source, word.score, word.corrected) for word in feedback] == [
            ("review", 5, False),
            ("user", 4, True),
        ]
        assert sums == (FeedbackSum("acme", "bulk", "m", answers=2, scored=2, score_sum=9, corrected=1),)
        store.roll_up_day(PERIOD.day)
        with store.view() as view:
            assert view.feedback_sums(today) == sums, "it outlives the rows of its request"

    def test_a_person_has_the_last_word_as_often_as_needed_and_gives_the_reason(self, store):
        store.settle(held(store), attempt(10**18, source=CostSource.PROVIDER))
        store.record_request(record(cost=10**18), PERIOD)

        def correct(cost, *, source=CostSource.OPERATOR, note=""):
            return store.correct(CostCorrection("op", 1, NanoUsd(cost), source, NOON, note))

        assert correct(5, source=CostSource.PROVIDER) == 5 - 10**18
        assert [correct(300, note="the invoice"), correct(300, note="once more")] == [295, 0]
        assert [correct(7, source=CostSource.PROVIDER), correct(250, note="credited")] == [None, -50]
        assert counted(store) == (250, 0)
        assert [row["cost_nusd"] for row in table(store, "attempts")] == [10**18], "never changed"
        assert [
            (row["step"], row["source"], row["cost_nusd"], row["note"]) for row in table(store, "corrections")
        ] == [
            (1, "provider", 5 - 10**18, ""),
            (2, "operator", 295, "the invoice"),
            (3, "operator", -50, "credited"),
        ]
        with store.view() as view:
            sends = view.attempts(month=PERIOD.month)
            (send,) = (dict(zip(sends.columns, row, strict=True)) for row in sends.rows)
            assert (send["cost_nusd"], send["cost_source"]) == (250, "operator")
            found = verify(view, now=LATER)
        assert (found.differences, found.unequal_operations, found.excesses) == ((), (), ())
        assert store.roll_up_day(PERIOD.day) == RolledDay(1, 1, NanoUsd(250))
        assert_balanced(store)

    # ---- whose days they are

    def test_days_are_those_of_the_first_zone_and_another_holds_nothing(self, store):
        held(store)
        hanoi = NewHold(claim("two"), period_of(NOON, "Asia/Ho_Chi_Minh"), NOON, ())
        with pytest.raises(LedgerError, match="counts days of UTC, config.yaml says Asia/Ho_Chi_Minh"):
            store.hold(hanoi)
        with pytest.raises(LedgerError, match="counts days of UTC"):
            store.take_time_zone("Asia/Ho_Chi_Minh")
        store.take_time_zone("UTC")
        assert counted(store) == (0, 1000)
        with store.view() as view:
            assert view.time_zone == "UTC"

    def test_the_zone_changes_on_purpose_and_never_under_a_hold(self, store):
        hold = held(store)
        with pytest.raises(LedgerError, match="open holds"):
            store.change_time_zone("Asia/Ho_Chi_Minh")
        store.settle(hold, attempt(300))
        assert store.change_time_zone("Asia/Ho_Chi_Minh") == "UTC"
        with pytest.raises(LedgerError, match="counts days of Asia/Ho_Chi_Minh"):
            store.hold(new_hold("two"))
        assert counted(store) == (300, 0)

    # ---- rolling up

    def test_a_day_becomes_a_part_of_its_months_sums(self, store):
        store.settle(held(store), attempt(300))
        store.record_request(record(), PERIOD)
        assert store.roll_up_day(PERIOD.day) == RolledDay(1, 1, NanoUsd(300))
        assert store.roll_up_day(PERIOD.day) == RolledDay(0, 0, NanoUsd(0))
        assert table(store, "attempts") == table(store, "operations") == []
        assert store.counters(*PERIOD.keys) == ()
        with store.view() as view:
            assert view.rolled(month=PERIOD.month).rows == (("acme", "bulk", "m", 1, 1, 300),)
        assert_balanced(store)

    def test_a_day_whose_counter_is_wrong_is_left_as_it_is(self, backend, store):
        store.settle(held(store), attempt(300))
        backend.add_to_counter("tag:trial", PERIOD.day, 1)
        before = content(store)
        assert store.roll_up_day(PERIOD.day) == UnequalCounter("tag:trial", PERIOD.day)
        assert content(store) == before

    # ---- summing days

    def test_the_sums_of_a_day_say_what_its_rows_say(self, store):
        for number, cost in enumerate((300, 0, 70)):
            store.settle(held(store, f"op-{number}"), attempt(cost))
            asked = record(f"op-{number}", cost=cost)
            store.record_request(replace(asked, prompt=PromptPrint(b"q", (b"4k",), 10, True)), PERIOD)
        store.settle(held(store, "of nobody"), attempt(5))
        before = looked_at(store)
        assert store.sum_day(PERIOD.day)
        assert store.sum_day(PERIOD.day), "it is summed already"
        with store.view() as view:
            assert view.unsummed_days(since=PERIOD.day, before="2100-01-01") == ()
            assert verify(view, now=LATER).unequal_days == ()
        assert looked_at(store) == before

    @pytest.mark.parametrize("late", ["settle", "record_request", "correct", "roll_up_day"])
    def test_whatever_is_booked_into_a_summed_day_is_seen(self, store, late):
        store.settle(held(store), attempt(300))
        if late != "record_request":
            store.record_request(record(), PERIOD)
        assert store.sum_day(PERIOD.day)
        before = looked_at(store)
        {
            "settle": lambda: store.settle(held(store, "late"), attempt(7)),
            "record_request": lambda: store.record_request(record(), PERIOD),
            "correct": lambda: store.correct(
                CostCorrection("op", 1, NanoUsd(7), CostSource.OPERATOR, NOON, "the invoice")
            ),
            "roll_up_day": lambda: store.roll_up_day(PERIOD.day),
        }[late]()
        after = looked_at(store)
        assert after != before
        assert store.sum_day(PERIOD.day)
        assert looked_at(store) == after

    def test_a_day_that_is_booked_into_while_it_is_summed_is_not_kept(self, store, monkeypatch):
        store.settle(held(store), attempt(300))
        late, look = held(store, "late"), store.view

        def look_and_book():
            view = look()
            store.settle(late, attempt(7))
            return view

        monkeypatch.setattr(store, "view", look_and_book)
        assert not store.sum_day(PERIOD.day)
        monkeypatch.undo()
        assert costs_of(store) == {PERIOD.day: 307}
        assert store.sum_day(PERIOD.day)
        assert costs_of(store) == {PERIOD.day: 307}

    # ---- looking

    def test_looking_makes_no_ledger(self, backend):
        with closing(backend.open()) as store:
            assert not store.exists
            assert not store.view().exists
            assert not store.exists
            held(store)
            assert store.exists
            assert store.view().exists

    def test_one_look_is_of_one_moment(self, store):
        held(store, "before")
        with store.view() as view:
            assert len(view.holds()) == 1
            held(store, "meanwhile")
            assert len(view.holds()) == 1
            assert [counter.held for counter in view.counters(PERIOD.day)] == [1000] * len(SCOPES)

    @pytest.mark.parametrize("scope", SCOPES)
    def test_a_counter_that_is_one_nano_dollar_off_is_named(self, backend, store, scope):
        store.settle(held(store, "settled"), attempt(300))
        held(store, "open")
        assert_balanced(store)
        backend.add_to_counter(scope, PERIOD.month, 1)
        with store.view() as view:
            (difference,) = verify(view, now=NOON).differences
        assert (difference.scope, difference.period) == (scope, PERIOD.month)
        assert (difference.counted_spent, difference.booked_spent, difference.booked_held) == (301, 300, 1000)

    def test_what_does_not_agree_is_found(self, store):
        store.settle(held(store, "above", bound=10), attempt(25))
        store.record_request(record("above", cost=20), PERIOD)
        store.settle(held(store, "unclaimed"), attempt(7))
        with store.view() as view:
            verification = verify(view, now=NOON + timedelta(minutes=2))
        assert [(row.operation_id, row.cost_nusd) for row in verification.excesses] == [("above", 25)]
        assert [(row.id, row.attempts_nusd) for row in verification.unequal_operations] == [("above", 25)]
        assert [row.operation_id for row in verification.unclaimed_attempts] == ["unclaimed"]
        assert verification.rows["attempts"] == verification.sources["price_book"].attempts == 2

    # ---- idempotency keys

    async def test_a_free_key_is_taken_and_a_taken_one_names_its_request(self, store):
        assert await store.claim_key(key_claim()) is None
        assert await store.claim_key(key_claim("other", tenant="globex")) is None
        holder = await store.claim_key(key_claim("second"))
        assert holder is not None
        assert (holder.operation_id, holder.state, holder.process) == ("op", KeyState.RUNNING, own_process())
        assert (holder.request_hash, holder.until) == ("hash", key_claim().until)

    async def test_of_several_that_take_a_key_over_one_gets_it(self, store):
        await store.claim_key(key_claim("dead"))
        over = await store.claim_key(key_claim())
        takers = [store.take_over_key(key_claim(f"op-{number}"), over=over) for number in range(5)]
        assert sorted(await asyncio.gather(*takers)) == [False] * 4 + [True]

    async def test_a_request_that_ended_is_not_taken_over_and_a_late_word_changes_nothing(self, store):
        await store.claim_key(key_claim())
        over = await store.claim_key(key_claim("late"))
        store.finish_key(key_claim(), operation_id="op", until=NOON + timedelta(hours=1))
        assert not await store.take_over_key(key_claim("late"), over=over)
        store.free_key(key_claim())
        store.finish_key(key_claim("late"), operation_id="late", until=LATER)
        holder = await store.claim_key(key_claim("late"))
        assert holder is not None
        assert (holder.operation_id, holder.state, holder.until) == (
            "op",
            KeyState.DONE,
            NOON + timedelta(hours=1),
        )

    async def test_a_key_is_freed_and_forgotten_by_its_own_request_alone(self, store):
        await store.claim_key(key_claim())
        store.free_key(key_claim("other"))
        await store.forget_keys([ExpiredKey("acme", "k", "other")])
        assert await store.claim_key(key_claim("other")) is not None
        store.free_key(key_claim())
        assert await store.claim_key(key_claim("other")) is None

    async def test_keys_are_over_when_their_moment_has_come(self, store):
        for name in ("done", "runs"):
            await store.claim_key(key_claim(name, key=name))
        store.finish_key(key_claim(key="done"), operation_id="done", until=NOON)
        second = timedelta(seconds=1)
        until = key_claim().until
        for done, running, expected in (
            (NOON - second, until - second, set()), (NOON, until - second, {"done"}), (NOON, until, {"done", "runs"}),
        ):  # fmt: skip
            expired = await store.expired_keys(done_until=done, running_until=running, limit=9)
            assert {key.operation_id for key in expired} == expected
        assert len(await store.expired_keys(done_until=NOON, running_until=until, limit=1)) == 1
        await store.forget_keys([ExpiredKey("acme", "done", "done")])
        assert await store.claim_key(key_claim("new", key="done")) is None

    # ---- many at once

    def test_threads_get_exactly_what_a_limit_allows(self, store):
        def hold_many(worker: int) -> int:
            holds = (new_hold(f"{worker}-{number}", limits=[limit_of(100_000)]) for number in range(25))
            return sum(isinstance(store.hold(new), Hold) for new in holds)

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(hold_many, range(8))) == 100
        assert counted(store) == (0, 100_000)
        assert_balanced(store)

    def test_processes_on_one_new_ledger_get_exactly_what_a_limit_allows(self, backend):
        """They also make the ledger at the same moment, and half of what they hold they settle."""

        def spend(worker: int) -> int:
            with closing(backend.open(lock_timeout_s=60)) as store:
                granted = 0
                for number in range(50):
                    outcome = store.hold(new_hold(f"{worker}-{number}", limits=[limit_of(100_000)]))
                    if isinstance(outcome, Hold):
                        granted += 1
                        if number % 2:
                            store.settle(outcome, attempt(1000))
                return granted

        assert sum(in_processes(spend, 4)) == 100
        with closing(backend.open()) as store:
            assert sum(counted(store)) == 100_000
            assert_balanced(store)

    def test_processes_on_one_run_get_exactly_what_it_allows(self, backend):
        def spend(worker: int) -> int:
            with closing(backend.open(lock_timeout_s=60)) as store:
                news = (in_run("r/part", operation=f"{worker}-{turn}", most=40_000) for turn in range(20))
                return sum(isinstance(store.hold(new), Hold) for new in news)

        assert sum(in_processes(spend, 3)) == 40
        with closing(backend.open()) as store:
            assert stands(store, "r") == (None, 0, 40_000)
            assert_balanced(store)

    def test_no_order_of_scopes_makes_two_processes_wait_for_each_other(self, backend):
        """Rows that are locked in the order of a claim's scopes end in a deadlock."""
        backend.open().check_writable()

        def hold_many(worker: int) -> int:
            scopes = SCOPES if worker % 2 else tuple(reversed(SCOPES))
            with closing(backend.open(lock_timeout_s=60)) as store:
                return len([held(store, f"{worker}-{number}", scopes=scopes) for number in range(50)])

        assert in_processes(hold_many, 4) == [50] * 4
        with closing(backend.open()) as store:
            assert counted(store) == (0, 200_000)

    def test_of_processes_that_claim_at_once_each_key_goes_to_one(self, backend):
        def claim_all(worker: int) -> list[int]:
            with closing(backend.open(lock_timeout_s=60)) as store:
                claims = (key_claim(f"{worker}-{number}", key=f"k{number}") for number in range(25))
                return [
                    number for number, key in enumerate(claims) if asyncio.run(store.claim_key(key)) is None
                ]

        taken = in_processes(claim_all, 4)
        assert sorted(number for own in taken for number in own) == list(range(25))

    def test_a_forked_child_goes_on_with_its_parents_store(self, store):
        held(store, "before")
        in_processes(lambda number: held(store, f"child-{number}").id, 2)
        held(store, "after")
        assert counted(store) == (0, 4000)
        assert_balanced(store)

    def test_a_process_that_is_gone_leaves_its_hold_counted_and_its_name(self, backend, store):
        def leave(_: int) -> str:
            held(backend.open(), "orphan")
            return own_process()

        (process,) = in_processes(leave, 1)
        assert isinstance(store.hold(new_hold(limits=[limit_of(1999)])), Shortage)
        with store.view() as view:
            (orphan,) = view.holds()
            assert view.holds_by_month() == {PERIOD.month: 1}
        assert (orphan.process, orphan.request, orphan.held_at) == (process, claim("orphan"), NOON)
        assert life_of(orphan.process) is Life.DEAD

    # ---- a ledger that others hold

    def test_a_thread_waits_for_others_and_gives_up_when_its_time_is_over(self, backend):
        with closing(backend.open(lock_timeout_s=0.05)) as store:
            store.check_writable()
            with (
                backend.busy(),
                pytest.raises(LedgerBusyError, match="Nothing is sent that cannot be booked"),
            ):
                store.hold(new_hold())
            held(store)
            assert counted(store) == (0, 1000)

    async def test_an_event_loop_turns_while_a_hold_waits_and_one_that_gives_up_holds_nothing(
        self, backend, store
    ):
        await store.aopen()
        with backend.busy():
            waiting, leaving = (
                asyncio.create_task(store.ahold(new_hold(f"op-{number}"))) for number in (1, 2)
            )
            for _ in range(20):
                await asyncio.sleep(0)
            assert not waiting.done()
            leaving.cancel()
        assert isinstance(await waiting, Hold)
        await asyncio.gather(leaving, return_exceptions=True)
        assert leaving.cancelled()
        assert counted(store) == (0, 1000)

    async def test_a_deferred_settlement_is_written_by_itself(self, backend, store):
        holds = [held(store, f"op-{number}") for number in range(2)]
        with backend.busy():
            for hold in holds:
                store.settle_deferred(hold, attempt(300))
            with pytest.raises(LedgerBusyError):
                await store.written(holds[0].request.operation_id)
        await backend.deferred_are_written(store)
        assert counted(store) == (600, 0)

    def test_what_is_deferred_is_written_before_the_next_transaction(self, backend):
        with closing(backend.open(lock_timeout_s=0)) as store:
            hold = held(store)
            with backend.busy(), pytest.raises(LedgerError):
                store.settle(hold, attempt(300))
            with backend.busy(), pytest.raises(LedgerError):
                store.record_request(record(), PERIOD)
            assert isinstance(store.hold(new_hold("next", limits=[limit_of(1300)])), Hold)
            assert counted(store) == (300, 1000)
            assert [row["id"] for row in table(store, "operations")] == ["op"]

    def test_what_is_deferred_is_written_when_the_store_is_closed(self, backend, store):
        with closing(backend.open(lock_timeout_s=0)) as closing_store:
            hold = held(closing_store)
            with backend.busy(), pytest.raises(LedgerError):
                closing_store.settle(hold, attempt(300))
        assert counted(store) == (300, 0)

    def test_a_shortage_does_not_lose_what_is_deferred(self, backend):
        with closing(backend.open(lock_timeout_s=0)) as store:
            hold = held(store)
            with backend.busy(), pytest.raises(LedgerError):
                store.settle(hold, attempt(300))
            assert isinstance(store.hold(new_hold("much", limits=[limit_of(999)])), Shortage)
            store.check_writable()
            assert counted(store) == (300, 0)

    async def test_a_key_that_cannot_be_freed_now_is_free_before_it_is_claimed_again(self, backend):
        with closing(backend.open(lock_timeout_s=0)) as store:
            await store.claim_key(key_claim())
            with backend.busy(), pytest.raises(LedgerError):
                store.free_key(key_claim())
            assert await store.claim_key(key_claim("next")) is None
