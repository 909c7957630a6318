"""Processes that die right before and right after every single statement of the ledger.

python commit_edges.py FOLDER

For each verb of the ledger a process is forked that kills itself (-9) at the first statement, another
at the second, and so on until one lives through the whole verb: so no edge is left out. Another process
writes into the same file all the while. It prints how many died where, as JSON.
"""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from booking import (
    ANY_AGE,
    Diary,
    assert_balanced,
    attempt_of,
    audit,
    claim_of,
    ended,
    limits_of,
    open_ledger,
    operation_of,
    reconcile,
    rows,
)

from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import BudgetExceededError
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import CostSource
from orchestrator.ledger.compact import compact
from orchestrator.ledger.facts import AssumedCost
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.periods import period_of
from orchestrator.ledger.reader import LedgerReader
from orchestrator.ledger.reconcile import OrphanPolicy, correct_cost, find_orphans, settle_orphans
from tests.support import mortal_sqlite

LIMITS = limits_of(all={"day": 10**12}, tenant={"day": 10**11})
EDGES_MAX = 100
LIVED, DIED = 0, -signal.SIGKILL


class LongAgo(SystemClock):
    """A day that may be compacted."""

    def now(self) -> datetime:
        return datetime(2025, 3, 31, 23, 59, 59, tzinfo=UTC)


class Verb:
    """One thing that the ledger does: what comes before it, itself, and how its effect is seen."""

    file: str | None = None
    """A file of its own for each death, because it is made by the verb."""
    is_one_transaction = True
    clock = SystemClock()

    def before(self, ledger: Ledger, operation: str) -> Any:
        """Do what must be done before; nobody dies here."""
        ledger.check_writable()

    def do(self, ledger: Ledger, operation: str, given: Any) -> None:
        raise NotImplementedError

    seen = ""
    """A query that finds a row when the verb is done."""


class Open(Verb):
    file = "new-{operation}.sqlite3"
    is_one_transaction = False

    def before(self, ledger, operation):
        pass

    def do(self, ledger, operation, given):
        ledger.check_writable()


class HoldMoney(Verb):
    seen = "SELECT 1 FROM holds WHERE operation_id = ?"

    def do(self, ledger, operation, given):
        ledger.hold(claim_of(operation, bound=1000))


class Refuse(Verb):
    seen = "SELECT 1 FROM holds WHERE operation_id = ?"
    is_one_transaction = False

    def do(self, ledger, operation, given):
        try:
            ledger.hold(claim_of(operation, bound=10**12))
        except BudgetExceededError:
            return
        raise AssertionError("it should not fit")


class Settle(Verb):
    seen = "SELECT 1 FROM attempts WHERE operation_id = ? AND cost_nusd = 400"

    def before(self, ledger, operation):
        return ledger.hold(claim_of(operation, bound=1000))

    def do(self, ledger, operation, given):
        ledger.settle(given, attempt_of(400))


class SettleAgain(Settle):
    is_one_transaction = False  # it has no effect

    def before(self, ledger, operation):
        hold = super().before(ledger, operation)
        ledger.settle(hold, attempt_of(400))
        return hold


class SettleLate(Settle):
    """The process was taken for dead, and was alive after all."""

    seen = "SELECT 1 FROM corrections WHERE operation_id = ? AND cost_nusd = -600"

    def before(self, ledger, operation):
        ledger.check_writable()
        ledger.store.file.process = "elsewhere:1:"
        hold = super().before(ledger, operation)
        reconcile(ledger.store.path, ledger)
        return hold


class Close(Verb):
    seen = "SELECT 1 FROM operations WHERE id = ?"

    def do(self, ledger, operation, given):
        ledger.record_request(operation_of(operation, cost=0, moment=datetime.now(UTC)))


class SettleOrphans(Verb):
    seen = "SELECT 1 FROM attempts JOIN operations ON id = operation_id WHERE operation_id = ? AND failure = 'orphaned'"

    def before(self, ledger, operation):
        ledger.check_writable()
        ledger.store.file.process = "elsewhere:1:"
        ledger.hold(claim_of(operation, bound=1000))
        now = datetime.now(UTC)
        with LedgerReader(ledger.store.path) as reader:
            found = find_orphans(reader, now=now, older_than=ANY_AGE, time_zone="UTC")
        return [one for one in found if one.hold.request.operation_id == operation]

    def do(self, ledger, operation, given):
        settle_orphans(ledger, given, policy=OrphanPolicy.ESTIMATE, now=datetime.now(UTC))


class Correct(Verb):
    seen = "SELECT 1 FROM corrections WHERE operation_id = ?"

    def before(self, ledger, operation):
        hold = ledger.hold(claim_of(operation, bound=1000))
        ledger.settle(hold, attempt_of(1000, source=CostSource.BOUND, upstream_id="gen-1"))
        return AssumedCost(operation, 1, "p/m", "p", NanoUsd(1000), "gen-1")

    def do(self, ledger, operation, given):
        correct_cost(ledger, given, cost_nusd=NanoUsd(300), now=datetime.now(UTC))


class RollUpDay(Verb):
    seen = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM attempts WHERE operation_id = ?)"
    clock = LongAgo()

    def before(self, ledger, operation):
        ledger.settle(ledger.hold(claim_of(operation, bound=1000)), attempt_of(400))
        ledger.record_request(operation_of(operation, cost=400, moment=self.clock.now()))

    def do(self, ledger, operation, given):
        ledger.store.roll_up_day(period_of(self.clock.now(), LIMITS.time_zone).day)


class Compact(RollUpDay):
    is_one_transaction = False  # one for each day, and one for what no plan needs any more

    def do(self, ledger, operation, given):
        compact(ledger, today=date(2026, 11, 23), keep_days=400)


VERBS: tuple[type[Verb], ...] = (
    Open, HoldMoney, Refuse, Settle, SettleAgain, SettleLate, Close, SettleOrphans, Correct, RollUpDay, Compact,
)  # fmt: skip


@contextmanager
def at_work(process: int) -> Iterator[None]:
    """Let a process run inside the block alone: what it books meanwhile is judged after every death."""
    os.kill(process, signal.SIGCONT)
    try:
        yield
    finally:
        os.kill(process, signal.SIGSTOP)


def die(verb: Verb, path: Path, operation: str, at: int, after: bool, last_words: Path) -> int:
    """Fork a process that does the verb and dies beside a statement; return how it ended."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    ended_as = 1
    try:
        mortal_sqlite.install()
        ledger = open_ledger(path, LIMITS, clock=verb.clock)
        given = verb.before(ledger, operation)
        mortal_sqlite.arm(at=at, after=after, last_words=last_words.write_text)
        verb.do(ledger, operation, given)
        ended_as = LIVED
    except BaseException as error:  # noqa: BLE001 -- a child must end here, whatever it met
        print(f"{type(verb).__name__} {at}: {error!r}", file=sys.stderr)
    os._exit(ended_as)


def judge(verb: Verb, path: Path, operation: str, last: str) -> None:
    """After a death the file is balanced, and the verb is done or not begun: done from its COMMIT on."""
    assert_balanced(path)
    if verb.is_one_transaction and last:
        found = bool(rows(path, verb.seen, operation))
        assert found == (last == "COMMIT after"), (type(verb).__name__, last)


def try_every_edge(verb: Verb, folder: Path, shared: Path, other: int) -> int:
    """Let a process die at each statement of a verb while the process `other` works; return how many died."""
    name, deaths = type(verb).__name__, 0
    for after in (False, True):
        at, ended_as = 0, DIED
        while ended_as == DIED:
            at += 1
            assert at <= EDGES_MAX, (name, "does not end")
            operation = f"{name}-{after:d}-{at}"
            path = folder / verb.file.format(operation=operation) if verb.file else shared
            last_words = folder / "last-words"
            last_words.write_text("")
            with at_work(other) if path is shared else nullcontext():
                ended_as = die(verb, path, operation, at, after, last_words)
            assert ended_as in {LIVED, DIED}, (name, at, ended_as)
            deaths += ended_as == DIED
            if verb.file:  # whoever comes next finds a file that works
                with closing(open_ledger(path, LIMITS)) as ledger:
                    ledger.settle(ledger.hold(claim_of(operation, bound=10)), attempt_of(5))
            last = f"{last_words.read_text()} {'after' if after else 'before'}" if ended_as == DIED else ""
            judge(verb, path, operation, last)
    return deaths


def write_meanwhile(path: Path, diary: Diary) -> int:
    """Fork a process that books without end."""
    process = os.fork()
    if process:
        return process
    try:
        ledger, number = open_ledger(path, LIMITS), 0
        while True:
            number += 1
            hold = ledger.hold(claim_of(f"other-{number}", bound=1000, tenant="b"))
            diary.add("held", f"other-{number}")
            ledger.settle(hold, attempt_of(number % 1000))
            diary.add("settled", f"other-{number}", number % 1000)
            SystemClock().pause(0.001)
    finally:
        os._exit(1)


def main() -> None:
    folder = Path(sys.argv[1])
    shared = folder / "ledger.sqlite3"
    with closing(open_ledger(shared, LIMITS)) as ledger:
        ledger.check_writable()
    audit(shared)
    deaths: Counter[str] = Counter()
    other = write_meanwhile(shared, Diary(folder / "diary"))
    with ended([other]):
        os.kill(other, signal.SIGSTOP)
        for verb in VERBS:
            deaths[verb.__name__] = try_every_edge(verb(), folder, shared, other)
    print(json.dumps(deaths))


if __name__ == "__main__":
    main()
