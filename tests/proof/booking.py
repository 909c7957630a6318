"""What the proofs book with and judge by: claims, a diary of what was acknowledged, and the verdict.

It loads neither LiteLLM nor LangChain, so that a process that only books forks in a millisecond.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.core.clock import Clock, SystemClock
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Attempt, CacheState, CostSource, Outcome, Usage
from orchestrator.core.run import Run
from orchestrator.ledger import opening
from orchestrator.ledger.budgets import BudgetSettings, Limits, Window
from orchestrator.ledger.ledger import HoldRequest, Ledger, RequestRecord
from orchestrator.ledger.reader import LedgerReader
from orchestrator.ledger.reconcile import OrphanPolicy, SettledOrphan, find_orphans, settle_orphans
from orchestrator.ledger.verify import verify

ANY_AGE = timedelta(0)
TABLES = ("holds", "attempts", "operations", "corrections", "counters", "runs", "monthly")
_WINDOWS = {len("2026-11-23"): Window.DAY, len("2026-W48"): Window.WEEK, len("2026-11"): Window.MONTH}
"""By the length of a counter's key; that of an hour is longer."""


def limits_of(**nano: dict[str, int]) -> Limits:
    """Make limits in whole nano-dollars: `limits_of(all={"day": 5000}, tenant={"day": 900})`, a tenant each."""
    entries = [
        {
            "scope": "all" if kind == "all" else f"{kind}:*",
            **{window: f"{amount / 1e9:.9f}" for window, amount in windows.items()},
        }
        for kind, windows in nano.items()
    ]
    return Limits(BudgetSettings(limits=entries))


def open_ledger(path: Path, limits: Limits, *, clock: Clock | None = None) -> Ledger:
    # However many others have the processor: nobody waits that long for a process that was killed.
    settings = opening.LedgerSettings(path=str(path), lock_timeout_s=600)
    return opening.open_ledger(settings, limits=limits, clock=clock or SystemClock())


def claim_of(operation: str, *, bound: int, tenant: str = "a", run: Run | None = None) -> HoldRequest:
    scopes = ("all", f"tenant:{tenant}", "use_case:bulk", "provider:p")
    return HoldRequest(operation, 1, "p/m", "p", "m", scopes, NanoUsd(bound), "book", run=run)


def attempt_of(
    cost: int, *, source: CostSource = CostSource.PRICE_BOOK, upstream_id: str | None = None
) -> Attempt:
    return Attempt(
        1, "p/m", "p", "m", Outcome.SUCCEEDED, usage=Usage(10, 5), cost_nusd=NanoUsd(cost),
        cost_source=source, upstream_id=upstream_id,
    )  # fmt: skip


def operation_of(operation: str, *, cost: int, moment: datetime, tenant: str = "a") -> RequestRecord:
    return RequestRecord(
        operation, moment, tenant, "bulk", None, (), Outcome.SUCCEEDED, None, CacheState.MISS, None,
        "p/m", "p", "m", 1, Usage(10, 5), NanoUsd(cost), 0.1,
    )  # fmt: skip


class Diary:
    """A file to which a process adds a line when the ledger has told it that something is done.

    What a killed process had written is kept by the system; a line is whole or not there.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def add(self, *words: object) -> None:
        os.write(self._file, (" ".join(str(word) for word in words) + "\n").encode())

    @staticmethod
    def read(path: Path, kind: str) -> list[tuple[str, ...]]:
        """Return the lines of one kind, without the kind."""
        lines = [line.split() for line in path.read_text().splitlines()]
        return [tuple(rest) for word, *rest in lines if word == kind]


def rows(path: Path, query: str, *given: object) -> list[tuple]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=300)) as connection:
        return connection.execute(query, given).fetchall()


def audit(path: Path) -> None:
    """Let the file itself note, in the transaction of each hold, what its counters then say."""
    with closing(sqlite3.connect(path, timeout=300)) as connection, connection:
        connection.execute(
            "CREATE TABLE admissions (operation_id TEXT, held_at TEXT, held_nusd INTEGER, scope TEXT,"
            " period TEXT, total_nusd INTEGER)"
        )
        connection.execute(
            "CREATE TRIGGER admission AFTER INSERT ON holds BEGIN INSERT INTO admissions"
            " SELECT NEW.operation_id, NEW.held_at, NEW.held_nusd, c.scope, c.period, c.spent_nusd + c.held_nusd"
            " FROM json_each(NEW.scopes) s JOIN counters c ON c.scope = s.value"
            " AND (c.period IN (NEW.hour, NEW.day, NEW.month) OR c.period LIKE '____-W__'); END"
        )


def over_limit(path: Path, limits: Limits, *, since: str = "", until: str = "~") -> list[tuple]:
    """Return every admission after which a counter was above the limit of its scope and window."""
    found = rows(
        path,
        "SELECT operation_id, held_at, scope, period, total_nusd FROM admissions"
        " WHERE held_nusd > 0 AND held_at > ? AND held_at < ?",
        since,
        until,
    )
    judged = ((one, limits.of(one[2], _WINDOWS.get(len(one[3]), Window.HOUR))) for one in found)
    return [one for one, limit in judged if limit is not None and one[4] > limit]


def assert_balanced(path: Path) -> None:
    """Every counter is the sum of its rows, and the file is whole."""
    with LedgerReader(path) as reader:
        found = verify(reader, now=datetime.now(UTC))
    assert found.differences == (), found.differences
    whole = rows(path, "PRAGMA quick_check")
    assert whole == [("ok",)], whole


def assert_runs_are_kept(path: Path) -> None:
    """No run has spent and holds more than its limit, and there are some."""
    runs = rows(path, "SELECT name, max_nusd, spent_nusd + held_nusd FROM runs")
    assert runs
    assert [run for run in runs if run[2] > run[1]] == []


def assert_kept(path: Path, diary: Path) -> None:
    """Whatever the ledger acknowledged is in it: holds until they are settled, attempts, requests."""
    held = {name for (name,) in rows(path, "SELECT operation_id FROM holds")}
    attempts = dict(rows(path, "SELECT operation_id, cost_nusd FROM attempts"))
    operations = dict(rows(path, "SELECT id, cost_nusd FROM operations"))
    lost = [name for name, *_ in Diary.read(diary, "held") if name not in held and name not in attempts]
    assert lost == [], lost
    for kind, kept in (("settled", attempts), ("closed", operations)):
        wrong = [(name, cost) for name, cost in Diary.read(diary, kind) if kept.get(name) != int(cost)]
        assert wrong == [], (kind, wrong)
    again = [name for name, _ in Diary.read(diary, "settled") if name in held]
    assert again == [], ("settled and still held", again)


def reconcile(
    path: Path, ledger: Ledger, policy: OrphanPolicy = OrphanPolicy.BOUND
) -> tuple[SettledOrphan, ...]:
    """Settle the holds of every process that is dead, or elsewhere."""
    now = datetime.now(UTC)
    with LedgerReader(path) as reader:
        orphans = find_orphans(reader, now=now, older_than=ANY_AGE, time_zone=ledger.limits.time_zone)
    return settle_orphans(ledger, orphans, policy=policy, now=now)


def content(path: Path) -> dict[str, list[tuple]]:
    """Return every row of every table, to see that nothing has changed."""
    return {name: sorted(rows(path, f"SELECT * FROM {name}"), key=repr) for name in TABLES}  # noqa: S608


def assert_orphans_settle_once(path: Path, limits: Limits) -> int:
    """Settle what the dead left, look again, and return how many holds that were."""
    left = rows(path, "SELECT COUNT(*) FROM holds")[0][0]
    with closing(open_ledger(path, limits)) as ledger:
        settled = reconcile(path, ledger)
        after = content(path)
        again = reconcile(path, ledger)
    assert again == (), again
    assert (len(settled), after["holds"]) == (left, [])
    assert content(path) == after, "looking again changed something"
    assert_balanced(path)
    return left


@contextmanager
def ended(processes: Iterable[int]) -> Iterator[None]:
    """End and collect forked processes when the block is left."""
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, 9)
            os.waitpid(process, 0)
