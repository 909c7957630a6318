"""Fingerprints of prompts in a table beside the requests, and what reports ask of them.

All is grouped in SQLite, and what is counted is the least that a cache would have saved: of equal prompts in
one hour of the clock all but the dearest, of equal beginnings in ten minutes all but the longest.
"""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache

from orchestrator.ledger.prompt_prints import BEGINNING_PRINT_BYTES, BEGINNINGS_BYTES, PromptPrint, keyed
from orchestrator.ledger.sqlite.usage_queries import CLOSED, OPEN, others_than_own

_SECRET = "SELECT value FROM about WHERE key = 'prompt_secret'"  # noqa: S105 -- it says where it is
_STATEMENTS_MAX = 64
"""One for each number of rows."""
_HOUR, _TEN_MINUTES = len("2026-11-28T19"), len("2026-11-28T19:3")

_SELECTED = (
    f"{others_than_own('o.tenant')}"  # noqa: S608 -- fixed words
    f" AND o.day IN {OPEN} AND (:tenant IS NULL OR o.tenant = :tenant)"
    " AND (:use_case IS NULL OR o.use_case = :use_case) AND (:user IS NULL OR o.user = :user)"
    " AND (:tag IS NULL OR EXISTS (SELECT 1 FROM json_each(o.tags) WHERE value = :tag))"
)
"""Without our own looks at providers, which ask the same again and again, on purpose."""
_OPERATIONS = f"FROM operations o CROSS JOIN prompts p ON p.operation_id = o.id WHERE {_SELECTED}"
_ATTEMPTS = (
    "FROM operations o CROSS JOIN prompts p ON p.operation_id = o.id CROSS JOIN attempts a"
    f" ON a.operation_id = o.id AND a.day = o.day WHERE {_SELECTED} AND a.outcome = 'succeeded'"
)
_COST_OF_REQUEST = (
    "o.cost_nusd + COALESCE((SELECT SUM(c.cost_nusd) FROM corrections c WHERE c.operation_id = o.id), 0)"
)
_COST_OF_SEND = (
    "a.cost_nusd + COALESCE((SELECT SUM(c.cost_nusd) FROM corrections c"
    " WHERE c.operation_id = a.operation_id AND c.number = a.number), 0)"
)
_ASKED = f"{_OPERATIONS} AND o.outcome = 'succeeded' AND o.cached = 'miss' AND p.whole <> x''"
# Most prompts are asked once, and need not be put in order with the others.
_TWICE = f"twice AS MATERIALIZED (SELECT p.whole {_ASKED} GROUP BY 1 HAVING COUNT(*) > 1)"
# Each tenant has a cache of its own: what two of them ask is asked twice.
_BY_HOUR = (
    f"SELECT o.day, o.tenant, o.use_case, p.whole, COUNT(*) AS n, SUM({_COST_OF_REQUEST}) AS cost,"
    f" MAX({_COST_OF_REQUEST}) AS dearest {_ASKED} AND p.whole IN twice"
    f" GROUP BY 1, 2, 3, 4, substr(o.started_at, 1, {_HOUR})"
)
_BY_DAY = (
    "SELECT day, tenant, use_case, SUM(n) AS n, SUM(n - 1) AS hourly, SUM(cost - dearest) AS hourly_nusd,"  # noqa: S608 -- fixed words
    " SUM(n) - 1 AS daily, SUM(cost) - MAX(dearest) AS daily_nusd"
    f" FROM ({_BY_HOUR}) GROUP BY day, tenant, use_case, whole"
)
REPEAT_ROWS = (
    "SELECT day, tenant, use_case, SUM(n), SUM(hourly), SUM(hourly_nusd), SUM(daily), SUM(daily_nusd)"  # noqa: S608 -- fixed words
    f" FROM (WITH {_TWICE} {_BY_DAY} UNION ALL SELECT o.day, o.tenant, o.use_case, COUNT(*), 0, 0, 0, 0 {_ASKED}"
    " AND p.whole NOT IN twice GROUP BY 1, 2, 3) GROUP BY 1, 2, 3"
)
REPEATS = (
    "SELECT day, use_case, SUM(requests), SUM(hourly), SUM(hourly_nusd), SUM(daily), SUM(daily_nusd) FROM"  # noqa: S608 -- fixed words
    f" (SELECT * FROM repeat_sums WHERE {CLOSED} UNION ALL {REPEAT_ROWS}) GROUP BY 1, 2"
)
_DISCOUNTED_TOKENS_MIN = 1_024
"""No provider gives a discount for a shorter beginning."""
_LEVELS = " UNION ALL ".join(
    f"SELECT {place * BEGINNING_PRINT_BYTES + 1} AS place, {length} AS length"
    for place, length in enumerate(BEGINNINGS_BYTES)
)
_UNCACHED = "MAX(0, a.input_tokens * l.length / p.length_bytes - a.cached_input_tokens)"
"""Tokens of a beginning that were paid in full; it takes its share of what the provider counted."""


def _beginnings(tenant: str) -> str:
    by_beginning = (
        f"SELECT o.day, {tenant} AS tenant, o.use_case, a.deployment, l.length, COUNT(*) AS n,"
        f" SUM({_UNCACHED}) AS tokens, MAX({_UNCACHED}) AS most"
        f" {_ATTEMPTS.replace('WHERE', f'JOIN ({_LEVELS}) l ON length(p.beginnings) >= l.place WHERE', 1)}"
        f" AND a.input_tokens * l.length / p.length_bytes >= {_DISCOUNTED_TOKENS_MIN}"
        f" GROUP BY 1, 2, 3, 4, 5, substr(p.beginnings, l.place, {BEGINNING_PRINT_BYTES}),"
        f" substr(a.started_at, 1, {_TEN_MINUTES})"
    )
    return (
        "SELECT day, tenant, use_case, deployment, length, SUM(n), SUM(n - 1), SUM(tokens - most)"  # noqa: S608 -- fixed words
        f" FROM ({by_beginning}) GROUP BY 1, 2, 3, 4, 5"
    )


BEGINNING_ROWS = (_beginnings("NULL"), _beginnings("o.tenant"))
"""Of everybody, whose prompts a provider compares with each other, and of each tenant alone."""
BEGINNINGS = (
    "SELECT day, use_case, deployment, length_bytes, sends, alike, uncached_tokens FROM"  # noqa: S608 -- fixed words
    f" (SELECT * FROM beginning_sums WHERE {CLOSED} AND tenant IS :tenant UNION ALL {BEGINNING_ROWS[0]})"
)
WAITING_ROWS = (
    f"SELECT o.day, o.tenant, o.use_case, a.deployment, COUNT(*), SUM({_COST_OF_SEND})"
    f" {_ATTEMPTS} AND p.waited = 1 GROUP BY 1, 2, 3, 4"
)
WAITED = (
    "SELECT day, use_case, deployment, SUM(sends), SUM(cost_nusd) FROM"  # noqa: S608 -- fixed words
    f" (SELECT * FROM waiting_sums WHERE {CLOSED} UNION ALL {WAITING_ROWS}) GROUP BY 1, 2, 3"
)


def keep(connection: sqlite3.Connection, prints: Sequence[tuple[str, PromptPrint]]) -> None:
    """Keep the prints of some requests, keyed with the secret of this file."""
    if not prints:
        return
    (secret,) = connection.execute(_SECRET).fetchone()
    values: list[object] = []
    for operation_id, prompt in prints:
        kept = keyed(prompt, secret)
        values += (operation_id, kept.whole, kept.beginnings, prompt.length_bytes, int(prompt.waited))
    connection.execute(_insert(len(prints)), values)


@lru_cache(maxsize=_STATEMENTS_MAX)
def _insert(rows: int) -> str:
    return f"INSERT INTO prompts VALUES {','.join(['(?,?,?,?,?)'] * rows)} ON CONFLICT DO NOTHING"  # noqa: S608
