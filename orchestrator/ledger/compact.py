"""Rolls old months up: their rows become sums in `monthly`, and their counters go with them.

Only whole months, of which every day is older than asked, and only those without a hold. Each
day is one transaction that leaves a ledger whose every counter is right: the day's rows become
part of the month's sums, the day's counters are taken off the month's and dropped. A compaction
that is stopped goes on where it was the next time.
"""

import sqlite3
from dataclasses import dataclass
from datetime import date, timedelta

import orjson

from orchestrator.core.errors import LedgerError
from orchestrator.core.money import NanoUsd
from orchestrator.ledger.ledger import KEEP_DAYS_MIN, Ledger
from orchestrator.ledger.sqlite.reader import LedgerReader, scoped

_DAYS = "SELECT DISTINCT day FROM attempts WHERE day < :end UNION SELECT DISTINCT day FROM operations WHERE day < :end"
_ROLL = (
    "INSERT INTO monthly {rows} ON CONFLICT DO UPDATE SET requests = requests + excluded.requests,"
    " attempts = attempts + excluded.attempts, input_tokens = input_tokens + excluded.input_tokens,"
    " output_tokens = output_tokens + excluded.output_tokens, cost_nusd = cost_nusd + excluded.cost_nusd"
)
_REQUESTS = (
    "SELECT month, tenant, use_case, COALESCE(provider, ''), COALESCE(model, ''), COUNT(*), 0, 0, 0, 0"
    " FROM operations WHERE day = :day GROUP BY 1, 2, 3, 4, 5"
)
_ATTEMPTS = (
    f"SELECT month, COALESCE({scoped('tenant')}, ''), COALESCE({scoped('use_case')}, ''), provider, model,"  # noqa: S608 -- fixed words
    " 0, COUNT(*), SUM(input_tokens), SUM(output_tokens), SUM(cost_nusd + COALESCE((SELECT c.cost_nusd"
    " FROM corrections c WHERE c.operation_id = attempts.operation_id AND c.number = attempts.number), 0))"
    " FROM attempts WHERE day = :day GROUP BY 1, 2, 3, 4, 5"
)
_SPENT = (
    "SELECT scopes, SUM(cost_nusd) FROM (SELECT scopes, cost_nusd FROM attempts WHERE day = :day"
    " UNION ALL SELECT scopes, cost_nusd FROM corrections WHERE day = :day) GROUP BY scopes"
)


@dataclass(frozen=True, slots=True)
class Compacted:
    """A month that was rolled up."""

    month: str
    requests: int
    attempts: int
    cost_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class Kept:
    """A month that is old enough and was left as it is."""

    month: str
    reason: str


@dataclass(frozen=True, slots=True)
class Compaction:
    """What a compaction did."""

    compacted: tuple[Compacted, ...]
    kept: tuple[Kept, ...]


def compact(ledger: Ledger, *, today: date, keep_days: int) -> Compaction:
    """Roll up every month whose last day is more than `keep_days` days before `today`.

    Raises:
        LedgerError: fewer days than budgets need, a counter that differs from its rows, or a file
            that cannot be written; days that were rolled up before are whole.
    """
    if keep_days < KEEP_DAYS_MIN:
        raise LedgerError(f"rows are kept for {KEEP_DAYS_MIN} days at least: budgets of the month count them")
    end = first_kept_day(today, keep_days=keep_days)
    with LedgerReader(ledger.path) as reader:
        days = sorted(str(day) for (day,) in reader.query(_DAYS, {"end": end}).rows)
        held = {
            str(month): int(count)
            for month, count in reader.query("SELECT month, COUNT(*) FROM holds GROUP BY 1").rows
        }
    months = sorted({day[:7] for day in days})
    kept = tuple(
        Kept(month, f"{held[month]} holds are open: 'orchestrator ledger reconcile' settles orphans")
        for month in months
        if month in held
    )
    done = []
    for month in months:
        if month not in held:
            parts = [_roll_day(ledger, day) for day in days if day[:7] == month]
            requests, attempts, cost = (sum(column) for column in zip(*parts, strict=True))
            done.append(Compacted(month, requests, attempts, NanoUsd(cost)))
    return Compaction(tuple(done), kept)


def first_kept_day(today: date, *, keep_days: int) -> str:
    """Return the first day of the first month that is not rolled up: `2025-10-01`."""
    return (today - timedelta(days=keep_days)).replace(day=1).isoformat()


def _roll_day(ledger: Ledger, day: str) -> tuple[int, int, int]:
    """Roll one day up and return its requests, attempts and nano-dollars."""

    def work(connection: sqlite3.Connection) -> tuple[int, int, int]:
        spent = _check_day(connection, day)
        connection.execute(_ROLL.format(rows=_REQUESTS), {"day": day})
        connection.execute(_ROLL.format(rows=_ATTEMPTS), {"day": day})
        connection.execute("DELETE FROM corrections WHERE day = ?", (day,))
        attempts = connection.execute("DELETE FROM attempts WHERE day = ?", (day,)).rowcount
        requests = connection.execute("DELETE FROM operations WHERE day = ?", (day,)).rowcount
        _drop_counters(connection, day, spent)
        return requests, attempts, spent.get("all", 0)

    return ledger.transact(work)


def _check_day(connection: sqlite3.Connection, day: str) -> dict[str, int]:
    """Return what each scope spent on a day by its rows; refuse a day whose counters say something else."""
    booked: dict[str, int] = {}
    for scopes, cost in connection.execute(_SPENT, {"day": day}):
        for scope in orjson.loads(scopes):
            booked[scope] = booked.get(scope, 0) + cost
    counted = {
        scope: (spent, held)
        for scope, spent, held in connection.execute(
            "SELECT scope, spent_nusd, held_nusd FROM counters WHERE period = ?", (day,)
        )
    }
    wrong = [
        scope
        for scope in sorted(booked.keys() | counted.keys())
        if counted.get(scope, (0, 0)) != (booked.get(scope, 0), 0)
    ]
    if wrong:
        raise LedgerError(
            f"the counter of {wrong[0]} on {day} differs from its rows, so nothing of that day is rolled up; "
            "'orchestrator ledger verify' names the difference"
        )
    return booked


def _drop_counters(connection: sqlite3.Connection, day: str, spent: dict[str, int]) -> None:
    month = day[:7]
    connection.executemany(
        "UPDATE counters SET spent_nusd = spent_nusd - ? WHERE scope = ? AND period = ?",
        [(cost, scope, month) for scope, cost in spent.items()],
    )
    connection.execute("DELETE FROM counters WHERE period = ?", (day,))
    connection.execute("DELETE FROM counters WHERE period = ? AND spent_nusd = 0 AND held_nusd = 0", (month,))
