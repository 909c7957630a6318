"""Rolls one day up: its rows become part of their month's sums, its counters leave week and month."""

import sqlite3

import orjson

from orchestrator.core.money import NanoUsd
from orchestrator.ledger.facts import RolledDay, UnequalCounter
from orchestrator.ledger.periods import week_of
from orchestrator.ledger.sqlite import runs
from orchestrator.ledger.sqlite.queries import scoped

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
    " 0, COUNT(*), SUM(input_tokens), SUM(output_tokens), SUM(cost_nusd + COALESCE((SELECT SUM(c.cost_nusd)"
    " FROM corrections c WHERE c.operation_id = attempts.operation_id AND c.number = attempts.number), 0))"
    " FROM attempts WHERE day = :day GROUP BY 1, 2, 3, 4, 5"
)
_SPENT = (
    "SELECT scopes, SUM(cost_nusd) FROM (SELECT scopes, cost_nusd FROM attempts WHERE day = :day"
    " UNION ALL SELECT scopes, cost_nusd FROM corrections WHERE day = :day) GROUP BY scopes"
)
_DROP_BESIDE = tuple(
    f"DELETE FROM {table} WHERE operation_id IN (SELECT id FROM operations WHERE day = ?)"  # noqa: S608 -- fixed words
    for table in ("plans", "prompts")
)
_DROP_SHAPES = "DELETE FROM plan_shapes WHERE key NOT IN (SELECT shape_key FROM plans)"


def drop_unused_shapes(connection: sqlite3.Connection) -> int:
    """Drop the shapes that no plan has any more; return how many."""
    return connection.execute(_DROP_SHAPES).rowcount


def roll_up_day(connection: sqlite3.Connection, day: str) -> RolledDay | UnequalCounter:
    """Roll a day up in the caller's transaction, or change nothing where a counter differs from its rows."""
    spent = _spent_by_scope(connection, day)
    unequal = _unequal_scopes(connection, day, spent)
    if unequal:
        return UnequalCounter(unequal[0], day)
    connection.execute(_ROLL.format(rows=_REQUESTS), {"day": day})
    connection.execute(_ROLL.format(rows=_ATTEMPTS), {"day": day})
    runs.roll_up(connection, day)
    connection.execute("DELETE FROM corrections WHERE day = ?", (day,))
    for statement in _DROP_BESIDE:
        connection.execute(statement, (day,))
    attempts = connection.execute("DELETE FROM attempts WHERE day = ?", (day,)).rowcount
    requests = connection.execute("DELETE FROM operations WHERE day = ?", (day,)).rowcount
    _drop_counters(connection, day, spent)
    return RolledDay(requests, attempts, NanoUsd(spent.get("all", 0)))


def _spent_by_scope(connection: sqlite3.Connection, day: str) -> dict[str, int]:
    spent: dict[str, int] = {}
    for scopes, cost in connection.execute(_SPENT, {"day": day}):
        for scope in orjson.loads(scopes):
            spent[scope] = spent.get(scope, 0) + cost
    return spent


def _unequal_scopes(connection: sqlite3.Connection, day: str, spent: dict[str, int]) -> list[str]:
    counted = {
        scope: (spent_nusd, held_nusd)
        for scope, spent_nusd, held_nusd in connection.execute(
            "SELECT scope, spent_nusd, held_nusd FROM counters WHERE period = ?", (day,)
        )
    }
    return [
        scope
        for scope in sorted(spent.keys() | counted.keys())
        if counted.get(scope, (0, 0)) != (spent.get(scope, 0), 0)
    ]


def _drop_counters(connection: sqlite3.Connection, day: str, spent: dict[str, int]) -> None:
    longer = (week_of(day), day[: len("2026-11")])
    connection.executemany(
        "UPDATE counters SET spent_nusd = spent_nusd - ? WHERE scope = ? AND period IN (?,?)",
        [(cost, scope, *longer) for scope, cost in spent.items()],
    )
    # The day itself and its hours, whose keys begin with it.
    connection.execute("DELETE FROM counters WHERE period BETWEEN ? AND ?", (day, f"{day}U"))
    connection.execute(
        "DELETE FROM counters WHERE period IN (?,?) AND spent_nusd = 0 AND held_nusd = 0", longer
    )
