"""Sums of a day that is over: what reports ask of its rows, asked once.

    announce   a token of ours is written beside the day, in one short transaction
    reckon     the rows are summed in a look of its own; nobody waits for it
    keep_sums  the sums are written, if the token is still there

A row that is booked for a day in between takes the token away (the triggers of `schema`), so sums that miss
it are never kept; one that is booked later takes the kept sums away in the same manner.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import orjson

from orchestrator.ledger.sqlite import prompts, usage_queries
from orchestrator.ledger.sqlite.schema import SUM_TABLES
from orchestrator.ledger.usage import Selection

ROWS: Mapping[str, tuple[str, ...]] = {
    "request_sums": (usage_queries.REQUEST_ROWS,),
    "send_sums": (usage_queries.SEND_ROWS,),
    "name_sums": (usage_queries.NAME_ROWS,),
    "duration_sums": usage_queries.DURATION_ROWS,
    "repeat_sums": (prompts.REPEAT_ROWS,),
    "beginning_sums": prompts.BEGINNING_ROWS,
    "waiting_sums": (prompts.WAITING_ROWS,),
}
"""What the rows of a day come to, by the table that keeps it."""

_ANNOUNCE = (
    "INSERT INTO summed_days VALUES (:day, lower(hex(randomblob(16)))) ON CONFLICT DO UPDATE"
    " SET counting = excluded.counting WHERE counting IS NOT NULL RETURNING counting"
)
_STILL_OURS = "SELECT 1 FROM summed_days WHERE day = ? AND counting = ?"

Execute = Callable[[str, Any], Iterator[tuple[Any, ...]]]
Sums = Mapping[str, list[tuple[Any, ...]]]


def announce(connection: sqlite3.Connection, day: str) -> str | None:
    """Say in the caller's transaction that a day is being summed; return a token, None of a summed day."""
    row = connection.execute(_ANNOUNCE, {"day": day}).fetchone()
    return None if row is None else str(row[0])


def reckon(execute: Execute, day: str) -> Sums:
    """Return what the rows of a day come to, by table; `execute` asks one look at the ledger."""
    values = {**asdict(Selection(day, day)), "open": orjson.dumps([day]).decode(), "closed": "[]"}
    return {
        table: [row for statement in statements for row in execute(statement, values)]
        for table, statements in ROWS.items()
    }


def keep_sums(connection: sqlite3.Connection, day: str, token: str, sums: Sums) -> bool:
    """Keep what was reckoned in the caller's transaction; False when something was booked meanwhile."""
    if connection.execute(_STILL_OURS, (day, token)).fetchone() is None:
        return False
    for table, rows in sums.items():
        # What a row that came late has left behind.
        connection.execute(f"DELETE FROM {table} WHERE day = ?", (day,))  # noqa: S608 -- our own names
        if rows:
            places = ",".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608 -- our own names
    connection.execute("UPDATE summed_days SET counting = NULL WHERE day = ?", (day,))
    return True


def drop_stale(connection: sqlite3.Connection) -> int:
    """Drop sums of days whose rows have changed or are gone, in the caller's transaction; return a count."""
    return sum(
        connection.execute(f"DELETE FROM {table} WHERE day NOT IN (SELECT day FROM summed_days)").rowcount  # noqa: S608 -- our own names
        for table in SUM_TABLES
    )


def differing(execute: Execute, day: str) -> bool:
    """Return whether the sums that are kept of a day are not what its rows come to now."""
    reckoned = reckon(execute, day)
    return any(
        _sorted(execute(f"SELECT * FROM {table} WHERE day = ?", (day,))) != _sorted(rows)  # noqa: S608 -- our own names
        for table, rows in reckoned.items()
    )


def _sorted(rows: Any) -> list[tuple[Any, ...]]:
    return sorted(rows, key=repr)
