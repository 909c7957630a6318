"""Which request has an idempotency key: claimed before it is asked, done when its reply is stored.

    claim_key   takes a free key, or tells who has it; one transaction, so of many callers one gets it
    take_over   puts a new request in the place of one that is over, unless somebody was faster
    finish_key  the reply is stored: the key stays with its request for the time that is configured
    free_key    the request failed: the next caller may try

They run on an event loop, and hold it up for nobody who has the file. A key belongs to a tenant. What is stored of a request is a hash; its reply lies elsewhere
(`cache.idempotent_replies`), under the id of the operation.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.process_identity import Life, life_of, own_process

_SWEPT_AT_ONCE = 500

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
_OVER = (
    "SELECT tenant, key, operation_id FROM idempotency WHERE state = 'done' AND until <= :now"
    " UNION ALL SELECT tenant, key, operation_id FROM idempotency WHERE state = 'running' AND until <= :abandoned"
    " LIMIT :most"
)
_FORGET = "DELETE FROM idempotency WHERE tenant = ? AND key = ? AND operation_id = ?"


class KeyState(StrEnum):
    """How far the request of a key is."""

    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class KeyClaim:
    """A request that wants a key."""

    tenant: str
    key: str
    request_hash: str
    operation_id: str
    until: datetime
    """When it is over, whatever happens, unless its process stands still."""


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """The request that has a key."""

    request_hash: str
    operation_id: str
    process: str
    state: KeyState
    until: datetime
    """When it must have ended; once done, when the key is free again."""

    def is_expired(self, now: datetime) -> bool:
        """Return whether it was answered so long ago that the key is free."""
        return self.state is KeyState.DONE and self.until <= now

    def is_dead(self, now: datetime) -> bool:
        """Return whether it ended without a word; of a process elsewhere only time can tell."""
        if self.state is KeyState.DONE:
            return False
        life = life_of(self.process)
        return life is Life.DEAD or (life is Life.ELSEWHERE and self.until <= now)


@dataclass(frozen=True, slots=True)
class ExpiredKey:
    """A key whose time is over."""

    tenant: str
    key: str
    operation_id: str


async def claim_key(ledger: Ledger, claim: KeyClaim) -> KeyHolder | None:
    """Take a key for a request: None when it is taken now, else who has it; an expired holder has it too.

    Raises:
        LedgerError: the file cannot be written; nothing was claimed.
    """
    process = own_process()

    def work(connection: sqlite3.Connection) -> KeyHolder | None:
        taken = connection.execute(_CLAIM, (claim.tenant, claim.key, *_values(claim, process)))
        if taken.rowcount == 1:
            return None
        request_hash, operation_id, whose, state, until = connection.execute(
            _HOLDER, (claim.tenant, claim.key)
        ).fetchone()
        return KeyHolder(request_hash, operation_id, whose, KeyState(state), datetime.fromisoformat(until))

    return await ledger.atransact(work)


async def take_over(ledger: Ledger, claim: KeyClaim, *, over: KeyHolder) -> bool:
    """Give a key to a request in the place of `over`; False when `over` ended, or somebody else was faster.

    Raises:
        LedgerError: the file cannot be written; nothing was claimed.
    """
    values = (*_values(claim, own_process()), claim.tenant, claim.key, over.operation_id, over.state.value)
    return await ledger.atransact(lambda connection: connection.execute(_TAKE_OVER, values).rowcount == 1)


def finish_key(ledger: Ledger, claim: KeyClaim, *, operation_id: str, until: datetime) -> None:
    """Say that the reply of `operation_id` is stored; doing it twice, or too late, changes nothing.

    Raises:
        LedgerError: it is not written yet; it is as soon as it can, and before the next transaction.
    """
    values = (_text(until), claim.tenant, claim.key, operation_id)
    ledger.transact_soon(lambda connection: connection.execute(_FINISH, values))


def free_key(ledger: Ledger, claim: KeyClaim) -> None:
    """Let the next caller try: this request failed. A key that another request has by now stays its own.

    Raises:
        LedgerError: it is not written yet; it is as soon as it can, and before the next transaction.
    """
    values = (claim.tenant, claim.key, claim.operation_id)
    ledger.transact_soon(lambda connection: connection.execute(_FREE, values))


async def expired_keys(ledger: Ledger, *, now: datetime, keep_s: float) -> tuple[ExpiredKey, ...]:
    """Return keys whose time is over, five hundred at most, and those whose request never came back in it.

    Raises:
        LedgerError: the file cannot be read.
    """
    given = {
        "now": _text(now),
        "abandoned": _text(now - timedelta(seconds=keep_s)),
        "most": _SWEPT_AT_ONCE,
    }
    rows = await ledger.atransact(lambda connection: connection.execute(_OVER, given).fetchall())
    return tuple(ExpiredKey(*row) for row in rows)


async def forget_keys(ledger: Ledger, keys: Sequence[ExpiredKey]) -> None:
    """Free keys whose time is over; one that another request has by now stays its own.

    Raises:
        LedgerError: the file cannot be written; nothing was freed.
    """
    values = [(one.tenant, one.key, one.operation_id) for one in keys]
    await ledger.atransact(lambda connection: connection.executemany(_FORGET, values))


def _values(claim: KeyClaim, process: str) -> tuple[str, ...]:
    return (claim.request_hash, claim.operation_id, process, KeyState.RUNNING.value, _text(claim.until))


def _text(moment: datetime) -> str:
    # Always with microseconds, or texts would not sort as moments do.
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
