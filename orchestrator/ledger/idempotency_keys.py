"""Which request has an idempotency key: claimed before it is asked, done when its reply is stored.

    claim_key      takes a free key, or says which request has it; of many callers one gets it
    take_over_key  puts a new request in the place of one that is over, unless another was faster
    finish_key     the reply is stored: the key stays with its request for the time that is configured
    free_key       the request failed: the next caller may try

These are verbs of the store (`ledger.store.KeyStore`); here is what they speak of. A key belongs to a tenant.
What is stored of a request is a hash; its reply lies elsewhere (`cache.idempotent_replies`), under the id of
the operation.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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
