"""Death at every edge: whichever statement a process dies beside, a verb is done as a whole or not begun.

For each verb a process is forked that kills itself (-9) right before the first statement, another before the
second, and so on until one lives through the verb; then the same right after each statement. Each meets a copy
of the same ledger, so that what it leaves can be compared whole: with the ledger before the verb, and with the
one that the survivor left.
"""

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import CostSource
from orchestrator.ledger.feedback import Feedback
from orchestrator.ledger.idempotency_keys import ExpiredKey
from orchestrator.ledger.records import CostCorrection, Hold, Shortage
from orchestrator.ledger.store import LedgerStore
from tests.ledger.store_contract import (
    NOON,
    PERIOD,
    Backend,
    assert_balanced,
    attempt,
    content,
    held,
    in_run,
    key_claim,
    limit_of,
    new_hold,
    orphan_booking,
    orphan_record,
    record,
)

EDGES_MAX = 60
LIVED, DIED = 0, -signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb of the store: what must be booked before it, and itself."""

    before: Callable[[LedgerStore], Any]
    do: Callable[[LedgerStore, Any], Any]


def _settled(store: LedgerStore) -> Hold:
    hold = held(store)
    store.settle(hold, attempt(300, source=CostSource.BOUND, upstream_id="gen-1"))
    return hold


def _orphaned(store: LedgerStore) -> Hold:
    hold = held(store)
    store.settle_orphans([orphan_booking(hold)], orphan_record)
    return hold


def _two_holds(store: LedgerStore) -> list[Hold]:
    return [held(store, name) for name in ("first", "second")]


def _recorded(store: LedgerStore) -> None:
    _settled(store)
    store.record_request(record(), PERIOD)


def _claimed(store: LedgerStore) -> Any:
    asyncio.run(store.claim_key(key_claim()))
    return asyncio.run(store.claim_key(key_claim("second")))


def _refuse(store: LedgerStore, _: object) -> None:
    assert isinstance(store.hold(new_hold(limits=[limit_of(10)])), Shortage)


async def _one_turn(store: LedgerStore, settled: Hold) -> None:
    """Write what three requests have to write in one turn of an event loop: one ends, two begin."""

    async def end() -> None:
        store.settle_deferred(settled, attempt(400))
        store.record_request_deferred(record(cost=400), PERIOD)
        await store.written("op")

    await asyncio.gather(end(), *(store.ahold(new_hold(f"op-{number}")) for number in range(2)))


VERBS = {
    "hold": Verb(lambda store: store.check_writable(), lambda store, _: held(store)),
    "hold_in_run": Verb(
        lambda store: store.check_writable(), lambda store, _: store.hold(in_run("run/part", most=5000))
    ),
    "settle_in_run": Verb(
        lambda store: store.hold(in_run("run/part")), lambda store, hold: store.settle(hold, attempt(400))
    ),
    "refuse": Verb(lambda store: held(store, "first"), _refuse),
    "settle": Verb(held, lambda store, hold: store.settle(hold, attempt(400))),
    "one_turn": Verb(held, lambda store, hold: asyncio.run(_one_turn(store, hold))),
    "settle_again": Verb(_settled, lambda store, hold: store.settle(hold, attempt(300))),
    "settle_late": Verb(_orphaned, lambda store, hold: store.settle(hold, attempt(400))),
    "record_request": Verb(_settled, lambda store, _: store.record_request(record(), PERIOD)),
    "give_feedback": Verb(
        _recorded, lambda store, _: store.give_feedback(Feedback("op", "user", NOON, score=4))
    ),
    "settle_orphans": Verb(
        _two_holds,
        lambda store, holds: store.settle_orphans([orphan_booking(hold) for hold in holds], orphan_record),
    ),
    "correct": Verb(
        _settled,
        lambda store, _: store.correct(CostCorrection("op", 1, NanoUsd(70), CostSource.PROVIDER, NOON)),
    ),
    "correct_by_hand": Verb(
        _settled,
        lambda store, _: store.correct(
            CostCorrection("op", 1, NanoUsd(70), CostSource.OPERATOR, NOON, "the invoice")
        ),
    ),
    "take_time_zone": Verb(
        lambda store: store.check_writable(), lambda store, _: store.take_time_zone("UTC")
    ),
    "roll_up_day": Verb(_recorded, lambda store, _: store.roll_up_day(PERIOD.day)),
    "claim_key": Verb(
        lambda store: store.check_writable(), lambda store, _: asyncio.run(store.claim_key(key_claim()))
    ),
    "take_over_key": Verb(
        _claimed, lambda store, over: asyncio.run(store.take_over_key(key_claim("second"), over=over))
    ),
    "finish_key": Verb(
        _claimed, lambda store, _: store.finish_key(key_claim(), operation_id="op", until=NOON)
    ),
    "free_key": Verb(_claimed, lambda store, _: store.free_key(key_claim())),
    "forget_keys": Verb(
        _claimed, lambda store, _: asyncio.run(store.forget_keys([ExpiredKey("acme", "k", "op")]))
    ),
}
WITHOUT_EFFECT = {"refuse", "settle_again"}


@dataclass(frozen=True, slots=True)
class Edges:
    """What a ledger held: before a verb, after each death in it, and where a process lived through it."""

    before: dict[str, object]
    left: list[dict[str, object]]
    survivors: list[dict[str, object]]


def die_at_every_edge(backend: Backend, name: str) -> Edges:
    """Let a process die beside each statement of a verb; to be called where a fork is cheap.

    Every one of them meets a copy of the same ledger.
    """
    verb = VERBS[name]
    with closing(backend.open()) as store:
        prepared = verb.before(store)
        edges = Edges(content(store), [], [])
    for after in (False, True):
        for at in range(1, EDGES_MAX):
            copy = backend.copied()
            ended_as = die(copy, verb, prepared, at=at, after=after)
            assert ended_as in {LIVED, DIED}, f"the process ended with {ended_as}"
            with closing(copy.open()) as store:
                assert_balanced(store)
                (edges.left if ended_as == DIED else edges.survivors).append(content(store))
                # The next process finds a ledger that works.
                store.settle(held(store, "next"), attempt(5))
            if ended_as == LIVED:
                break
    return edges


def die(backend: Backend, verb: Verb, prepared: object, *, at: int, after: bool) -> int:
    """Fork a process that does the verb and dies beside a statement; return how it ended."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    ended_as = 1
    try:
        backend.install_death()
        store = backend.open()
        store.check_writable()
        backend.arm_death(at=at, after=after)
        verb.do(store, prepared)
        ended_as = LIVED
    except BaseException:  # noqa: BLE001 -- a child must end here, whatever it met
        traceback.print_exc(file=sys.stderr)
    os._exit(ended_as)


class CrashContract:
    @pytest.fixture
    def new_backend(self) -> Callable[[], Backend]:
        raise NotImplementedError

    @pytest.mark.parametrize("name", VERBS)
    def test_death_at_any_edge_leaves_a_verb_done_or_not_begun(self, new_backend, small_process, name):
        edges = small_process.submit(die_at_every_edge, new_backend(), name).result()
        done = edges.survivors[0]
        assert len(edges.left) >= 4, (
            "a transaction has an edge before and behind its begin and its end at least"
        )
        assert edges.survivors == [done, done], "without a death the verb does the same each time"
        assert all(state in (edges.before, done) for state in edges.left)
        assert (done == edges.before) == (name in WITHOUT_EFFECT)
        assert edges.before in edges.left
        assert done in edges.left, "dead right behind the commit: it is done, though it was not acknowledged"
