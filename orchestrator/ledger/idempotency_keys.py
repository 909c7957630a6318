"""Which request has an idempotency key: claimed before it is asked, done when its reply is stored.

    claim_key      takes a free key, or says which request has it; of many callers one gets it
    take_over_key  puts a new request in the place of one that is over, unless another was faster
    finish_key     the reply is stored: the key stays with its request for the time that is configured
    free_key       the request failed: the next caller may try

These are verbs of the store, `KeyStore`, and what they speak of. A key belongs to a tenant.
What is stored of a request is a hash; its reply lies elsewhere (`cache.idempotent_replies`), under the id of
the operation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from orchestrator.ledger.process_identity import Life, life_of


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


class KeyStore(Protocol):
    """Keeps which request has an idempotency key of a tenant; of many callers one gets it."""

    async def claim_key(self, claim: KeyClaim) -> KeyHolder | None:
        """Take a free key: None when it is taken now, else which request has it; an expired one has it too.

        Raises:
            LedgerError: it cannot be written; nothing was claimed.
        """

    async def take_over_key(self, claim: KeyClaim, *, over: KeyHolder) -> bool:
        """Put a request in the place of `over`; False when `over` ended, or another was faster.

        Raises:
            LedgerError: it cannot be written; nothing was claimed.
        """

    def finish_key(self, claim: KeyClaim, *, operation_id: str, until: datetime) -> None:
        """Note that the reply of `operation_id` is stored; doing it twice, or too late, changes nothing.

        Raises:
            LedgerError: it is not written yet; it is deferred.
        """

    def free_key(self, claim: KeyClaim) -> None:
        """Let the next caller try: this request failed. A key that another request has by now stays its own.

        Raises:
            LedgerError: it is not written yet; it is deferred.
        """

    async def expired_keys(
        self, *, done_until: datetime, running_until: datetime, limit: int
    ) -> tuple[ExpiredKey, ...]:
        """Return keys, `limit` at most, of replies and of requests that should have ended by these moments.

        Raises:
            LedgerError: they cannot be read.
        """

    async def forget_keys(self, keys: Sequence[ExpiredKey]) -> None:
        """Free keys; one that another request has by now stays its own.

        Raises:
            LedgerError: it cannot be written; nothing was freed.
        """
