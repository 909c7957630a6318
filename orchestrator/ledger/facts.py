"""What a look at the ledger returns: rows, sums of rows, and what does not agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.core.money import NanoUsd
from orchestrator.ledger.records import HoldRequest

TABLES = ("operations", "attempts", "corrections", "monthly")
"""What an export holds."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A table, or a part of one."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Counter:
    """What a scope has spent and holds in a window, as budgets count it."""

    scope: str
    period: str
    """`2026-11-23T14+07:00`, `2026-11-23`, `2026-W48` or `2026-11`."""
    spent: NanoUsd
    held: NanoUsd


@dataclass(frozen=True, slots=True)
class OpenHold:
    """A hold that was not settled yet, and the process that made it."""

    id: int
    request: HoldRequest
    hour: str
    """Empty where it was made before hours were counted."""
    day: str
    month: str
    held_at: datetime
    process: str
    runs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class AssumedCost:
    """An attempt whose cost we assumed, and whose provider may know better."""

    operation_id: str
    number: int
    deployment: str
    provider: str
    cost_nusd: NanoUsd
    upstream_id: str


@dataclass(frozen=True, slots=True)
class CostSample:
    """What attempts with a known cost did cost, and what was held for them."""

    cost_nusd: NanoUsd
    held_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class BookedSum:
    """What rows of the same scopes and windows come to."""

    scopes: tuple[str, ...]
    periods: tuple[str, ...]
    """The keys of their windows."""
    spent: NanoUsd
    held: NanoUsd


@dataclass(frozen=True, slots=True)
class RunSum:
    """What a run has counted, and what its rows come to, those that were rolled up included."""

    tenant: str
    name: str
    counted_spent: NanoUsd
    counted_held: NanoUsd
    booked_spent: NanoUsd
    booked_held: NanoUsd


@dataclass(frozen=True, slots=True)
class UnequalOperation:
    """A request whose cost is not what its attempts cost together."""

    id: str
    cost_nusd: NanoUsd
    attempts_nusd: NanoUsd
    corrections_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class UnclaimedAttempt:
    """An attempt of no known request: its process died before the request ended."""

    operation_id: str
    number: int
    deployment: str
    started_at: str
    cost_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class Excess:
    """An attempt that cost more than was held for it."""

    operation_id: str
    number: int
    deployment: str
    held_nusd: NanoUsd
    cost_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class SourceSum:
    """The settled attempts whose cost is known in one way."""

    attempts: int
    cost_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class RolledDay:
    """A day whose rows became part of their month's sums."""

    requests: int
    attempts: int
    cost_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class ArmRow:
    """A request on a side of an experiment, with what was said of its answer."""

    id: str
    tenant: str
    user: str | None
    tags: tuple[str, ...]
    """Those of its caller, and those that name its side (`core.arms`)."""
    outcome: str
    cached: str
    cost_nusd: NanoUsd
    """With corrections."""
    latency_s: float
    score: float | None
    """The average of all scores, 1 to 5; None without any."""
    is_corrected: bool
    """Somebody wrote a better answer."""
    deployment: str | None = None
    """Who answered; None of a request without an answer."""


@dataclass(frozen=True, slots=True)
class UnequalCounter:
    """The first scope whose counter of a day differs from its rows."""

    scope: str
    day: str
