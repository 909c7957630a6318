"""What the ledger is told and tells: claims, holds, operations and standings."""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.calls import CacheState, Outcome, Usage
from orchestrator.money import NanoUsd
from orchestrator.policy.budgets import Period, Window


@dataclass(frozen=True, slots=True)
class Claim:
    """What is to be held for one send."""

    operation_id: str
    number: int
    deployment: str
    provider: str
    model: str
    scopes: tuple[str, ...]
    bound_nusd: NanoUsd
    price_version: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Money held for one send, until it is settled."""

    id: int
    claim: Claim
    period: Period
    held_at: datetime


@dataclass(frozen=True, slots=True)
class Operation:
    """One logical request, as the ledger keeps it when it ends."""

    id: str
    started_at: datetime
    tenant: str
    use_case: str
    user: str | None
    tags: tuple[str, ...]
    outcome: Outcome
    error: str | None
    cached: CacheState
    degraded: str | None
    deployment: str | None
    provider: str | None
    model: str | None
    attempts: int
    usage: Usage
    cost_nusd: NanoUsd
    latency_s: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How a scope stands in a window."""

    scope: str
    window: Window
    period: str
    limit: NanoUsd | None
    spent: NanoUsd
    held: NanoUsd
    resets_at: datetime

    @property
    def left(self) -> NanoUsd | None:
        """Return what may still be spent, None without a limit."""
        return None if self.limit is None else NanoUsd(max(0, self.limit - self.spent - self.held))
