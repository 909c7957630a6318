"""The counters of runs and their parts; each is one step inside a transaction of the caller.

A run has a number of its own, which its rows keep: a name that is used again after its run was forgotten
begins a new run, and rows of the old one do not count for it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, timedelta

import orjson

from orchestrator.core.money import NanoUsd
from orchestrator.ledger.periods import Window
from orchestrator.ledger.records import CounterLimit, NewHold, RunStatus, Shortage

RUN_KEPT_FOR = timedelta(days=30)
"""A run that was not used for so long is forgotten when another begins, and its name is free again."""
_FORGOTTEN_MAX = 16
"""As many go at once at most, so that no hold waits for a large tidying."""

_STANDING = "SELECT id, max_nusd, spent_nusd, held_nusd FROM runs WHERE tenant = ? AND name = ?"
_BEGIN = "INSERT INTO runs (tenant, name, max_nusd, held_nusd, used_at) VALUES (?,?,?,?,?)"
_RAISE = (
    "UPDATE runs SET held_nusd = held_nusd + ?, max_nusd = COALESCE(max_nusd, ?), used_at = MAX(used_at, ?)"
    " WHERE id = ?"
)
_FORGET = (
    "DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE used_at < ? AND held_nusd = 0"
    " ORDER BY used_at, id DESC LIMIT ?)"
)


def raise_held(connection: sqlite3.Connection, new: NewHold) -> tuple[tuple[int, ...], list[Shortage]]:
    """Raise `held` in the run of a send and its parts; return their numbers and what is short."""
    run, numbers, short = new.request.run, [], []
    for name in () if run is None else run.lineage:
        named = None if run is None else run.limit_of(name)
        number, shortage = _raise_one(connection, new, name, named)
        numbers.append(number)
        short += [] if shortage is None else [shortage]
    return tuple(numbers), short


def settle_runs(
    connection: sqlite3.Connection, runs: Sequence[int], *, freed_nusd: int, spent_nusd: int
) -> None:
    """Free what a send held in its runs and add what it cost."""
    connection.executemany(
        "UPDATE runs SET held_nusd = held_nusd - ?, spent_nusd = spent_nusd + ? WHERE id = ?",
        [(freed_nusd, spent_nusd, number) for number in runs],
    )


def roll_up(connection: sqlite3.Connection, day: str) -> None:
    """Let each run remember what its rows of a day came to, which are about to go."""
    rows = (
        "SELECT runs, SUM(cost_nusd) FROM (SELECT runs, cost_nusd FROM attempts WHERE day = :day"
        " UNION ALL SELECT runs, cost_nusd FROM corrections WHERE day = :day) WHERE runs <> '[]' GROUP BY runs"
    )
    for runs, cost in connection.execute(rows, {"day": day}).fetchall():
        connection.executemany(
            "UPDATE runs SET rolled_nusd = rolled_nusd + ? WHERE id = ?",
            [(cost, number) for number in orjson.loads(runs)],
        )


def standing(connection: sqlite3.Connection, tenant: str, name: str) -> RunStatus | None:
    """Return how a run stands, None where there is none."""
    row = connection.execute(_STANDING, (tenant, name)).fetchone()
    return None if row is None else RunStatus(name, *row[1:])


def sums_of(rows: Iterator[tuple[str, int, int]]) -> dict[int, list[int]]:
    """Return what rows come to for each run, spent and held."""
    sums: dict[int, list[int]] = {}
    for runs, spent, held in rows:
        for number in orjson.loads(runs):
            both = sums.setdefault(number, [0, 0])
            both[0] += spent
            both[1] += held
    return sums


def _raise_one(
    connection: sqlite3.Connection, new: NewHold, name: str, named: NanoUsd | None
) -> tuple[int, Shortage | None]:
    bound, used_at = new.request.bound_nusd, new.held_at.astimezone(UTC).isoformat()
    key = (new.request.tenant, name)
    row = connection.execute(_STANDING, key).fetchone()
    if row is None:
        begun = connection.execute(_BEGIN, (*key, named, bound, used_at))
        row = (begun.lastrowid or 0, named, 0, 0)
        before = (new.held_at - RUN_KEPT_FOR).astimezone(UTC).isoformat()
        connection.execute(_FORGET, (before, _FORGOTTEN_MAX))
    else:
        connection.execute(_RAISE, (bound, named, used_at, row[0]))
    number, stands, spent, held = row
    # The first limit stands for all calls; a smaller one holds for the call that names it.
    limits = [limit for limit in (stands, named) if limit is not None]
    if not limits or not bound or spent + held + bound <= min(limits):
        return number, None
    limit = CounterLimit(f"run:{name}", Window.RUN, NanoUsd(min(limits)))
    return number, Shortage(limit, NanoUsd(spent + held), NanoUsd(held))
