"""The rows of finished requests: of those that the cache answered, many at once.

After each statement a thread waits for Python's interpreter again, beside busy threads for milliseconds. Rows
that come by the thousand a second would take longer to write than to come, so many are written by one.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC
from functools import lru_cache
from itertools import chain
from typing import TypeVar

import orjson

from orchestrator.ledger.periods import Period
from orchestrator.ledger.records import ORPHANED, RequestRecord
from orchestrator.ledger.sqlite import prompts

T = TypeVar("T")

GatheredRow = tuple[RequestRecord, Period]

_COLUMNS = 20
_ROWS_MAX = 64
_INSERT_OPERATION = (
    f"INSERT INTO operations VALUES ({','.join('?' * _COLUMNS)})"  # noqa: S608 -- only question marks
    " ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome, error = excluded.error,"
    " degraded = excluded.degraded, deployment = excluded.deployment, provider = excluded.provider,"
    " model = excluded.model, attempts = excluded.attempts, input_tokens = excluded.input_tokens,"
    " output_tokens = excluded.output_tokens, cost_nusd = excluded.cost_nusd, latency_ms = excluded.latency_ms"
    f" WHERE operations.error = '{ORPHANED}'"
)
_INSERT_SHAPE = "INSERT INTO plan_shapes VALUES (?,?) ON CONFLICT DO NOTHING"
_INSERT_PLAN = "INSERT INTO plans VALUES (?,?,?) ON CONFLICT DO NOTHING"


def record_request(connection: sqlite3.Connection, record: RequestRecord, period: Period) -> None:
    """Write the row of a finished request; only a row that was made for an orphan gives way to another."""
    written = connection.execute(_INSERT_OPERATION, _values(record, period))
    if record.plan is not None:
        connection.execute(_INSERT_SHAPE, (record.plan.shape_key, record.plan.shape))
        connection.execute(_INSERT_PLAN, (record.id, record.plan.shape_key, record.plan.numbers))
    # Reports take it with the row of its request, or not at all.
    if record.prompt is not None and written.rowcount:
        prompts.keep(connection, [(record.id, record.prompt)])


def record_requests(connection: sqlite3.Connection, rows: Sequence[GatheredRow]) -> None:
    """Write the rows of many finished requests, as `record_request` would, by few statements."""
    for part in _few_sizes(rows):
        if all(record.plan is None for record, _ in part):
            try:
                values = chain.from_iterable(_values(record, period) for record, period in part)
                connection.execute(_insert_operations(len(part)), tuple(values))
            except sqlite3.IntegrityError:
                # One of them is there already; the statement was undone as a whole.
                pass
            else:
                prints = [(record.id, record.prompt) for record, _ in part if record.prompt is not None]
                prompts.keep(connection, prints)
                continue
        for record, period in part:
            record_request(connection, record, period)


def _few_sizes(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the rows in parts of 64, 32, 16 and so on: few statements, and few kinds of them."""
    at, size = 0, _ROWS_MAX
    while at < len(rows):
        while size > len(rows) - at:
            size //= 2
        yield rows[at : at + size]
        at += size


@lru_cache(maxsize=16)
def _insert_operations(rows: int) -> str:
    row = f"({','.join('?' * _COLUMNS)})"
    return f"INSERT INTO operations VALUES {','.join([row] * rows)}"  # noqa: S608 -- only question marks


def _values(record: RequestRecord, period: Period) -> tuple[object, ...]:
    return (
        record.id,
        record.started_at.astimezone(UTC).isoformat(),
        period.day,
        period.month,
        record.tenant,
        record.use_case,
        record.user,
        orjson.dumps(record.tags).decode(),
        record.outcome.value,
        record.error,
        record.cached.value,
        record.degraded,
        record.deployment,
        record.provider,
        record.model,
        record.attempts,
        record.usage.input_tokens,
        record.usage.output_tokens,
        record.cost_nusd,
        round(record.latency_s * 1000),
    )
