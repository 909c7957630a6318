"""The statements of idempotency keys; each is one step inside a transaction of the caller."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime

from orchestrator.ledger.idempotency_keys import ExpiredKey, KeyClaim, KeyHolder, KeyState

_CLAIM = "INSERT INTO idempotency VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"
_HOLDER = (
    "SELECT request_hash, operation_id, process, state, until FROM idempotency WHERE tenant = ? AND key = ?"
)
_TAKE_OVER = (
    "UPDATE idempotency SET request_hash = ?, operation_id = ?, process = ?, state = ?, until = ?"
    " WHERE tenant = ? AND key = ? AND operation_id = ? AND state = ?"
)
_FINISH = (
    "UPDATE idempotency SET state = 'done', until = ? WHERE tenant = ? AND key = ? AND operation_id = ?"
    " AND state = 'running'"
)
_FREE = "DELETE FROM idempotency WHERE tenant = ? AND key = ? AND operation_id = ? AND state = 'running'"
_EXPIRED = (
    "SELECT tenant, key, operation_id FROM idempotency WHERE state = 'done' AND until <= :done_until"
    " UNION ALL SELECT tenant, key, operation_id FROM idempotency WHERE state = 'running' AND until <= :running_until"
    " LIMIT :limit"
)
_FORGET = "DELETE FROM idempotency WHERE tenant = ? AND key = ? AND operation_id = ?"


def claim(connection: sqlite3.Connection, claim: KeyClaim, *, process: str) -> KeyHolder | None:
    """Insert a key; return the request that has it already, None where none had."""
    inserted = connection.execute(_CLAIM, (claim.tenant, claim.key, *_values(claim, process)))
    if inserted.rowcount == 1:
        return None
    request_hash, operation_id, holder, state, until = connection.execute(
        _HOLDER, (claim.tenant, claim.key)
    ).fetchone()
    return KeyHolder(request_hash, operation_id, holder, KeyState(state), datetime.fromisoformat(until))


def take_over(connection: sqlite3.Connection, claim: KeyClaim, *, over: KeyHolder, process: str) -> bool:
    """Put a request in the place of another, if that still has the key and its state."""
    values = (*_values(claim, process), claim.tenant, claim.key, over.operation_id, over.state.value)
    return connection.execute(_TAKE_OVER, values).rowcount == 1


def finish(connection: sqlite3.Connection, claim: KeyClaim, *, operation_id: str, until: datetime) -> None:
    """Mark the key of a running request as done."""
    connection.execute(_FINISH, (_text(until), claim.tenant, claim.key, operation_id))


def free(connection: sqlite3.Connection, claim: KeyClaim) -> None:
    """Delete the key of a running request."""
    connection.execute(_FREE, (claim.tenant, claim.key, claim.operation_id))


def expired(
    connection: sqlite3.Connection, *, done_until: datetime, running_until: datetime, limit: int
) -> tuple[ExpiredKey, ...]:
    """Return the keys whose time is over."""
    values = {"done_until": _text(done_until), "running_until": _text(running_until), "limit": limit}
    return tuple(ExpiredKey(*row) for row in connection.execute(_EXPIRED, values))


def forget(connection: sqlite3.Connection, keys: Sequence[ExpiredKey]) -> None:
    """Delete keys that still belong to the requests they are named with."""
    connection.executemany(_FORGET, [(key.tenant, key.key, key.operation_id) for key in keys])


def _values(claim: KeyClaim, process: str) -> tuple[str, ...]:
    return (claim.request_hash, claim.operation_id, process, KeyState.RUNNING.value, _text(claim.until))


def _text(moment: datetime) -> str:
    # Always with microseconds, or texts would not sort as moments do.
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
