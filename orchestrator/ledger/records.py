"""What the ledger books and answers: requests to hold, holds, requests that ended, how a budget stands."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.money import ZERO_NUSD, NanoUsd
from orchestrator.core.payer import name_in
from orchestrator.core.prompt_size import PromptSize, Script
from orchestrator.core.reply import Attempt, CacheState, CostSource, Outcome, Usage
from orchestrator.core.run import Run
from orchestrator.ledger.kept_plan import PackedPlan
from orchestrator.ledger.periods import Period, Window
from orchestrator.ledger.prompt_prints import PromptPrint

ORPHANED = "orphaned"
"""The failure of a send whose process died before it could say what came of it."""


_62_BITS = (1 << 62) - 1


class OrphanCost(StrEnum):
    """What is booked for a send of which nothing more can be learned."""

    BOUND = "bound"
    """All that was held: never too little."""
    ZERO = "zero"
    """Nothing."""


def new_operation_id(moment: datetime) -> str:
    """Return an id for a request that begins at `moment`: 32 hexadecimal digits, a UUID of version 7.

    Its first digits are the milliseconds of the moment, so that new rows lie beside each other in the
    file: random ids would make each booking touch pages of its own, the more the larger the ledger.
    """
    chance = secrets.randbits(74)
    bits = (
        (int(moment.timestamp() * 1000) << 80)
        | (7 << 76)
        | (chance >> 62 << 64)
        | (2 << 62)
        | (chance & _62_BITS)
    )
    return f"{bits:032x}"


_BOUND_MAX_NUSD = 2**60
"""A billion dollars: some of them fit into a counter of 64 bits."""


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """What is to be held for one send."""

    operation_id: str
    number: int
    deployment: str
    provider: str
    model: str
    scopes: tuple[str, ...]
    bound_nusd: NanoUsd
    price_version: str
    size: PromptSize | None = None
    """What was asked, uncorrected, to learn from what the provider counts."""
    run: Run | None = None
    """The run of its tenant that it counts against besides."""

    def __post_init__(self) -> None:
        """Refuse what no counter can hold.

        Raises:
            InvalidRequestError: it may cost billions of dollars, which is a mistake of its limit.
        """
        if self.bound_nusd > _BOUND_MAX_NUSD:
            raise InvalidRequestError(
                f"on {self.deployment} this request may cost more than any ledger counts; lower max_tokens"
            )

    @property
    def tenant(self) -> str:
        """Return whose send it is."""
        return name_in(self.scopes, "tenant") or ""


class CounterLimit(NamedTuple):
    """The most that a scope may have spent and held together in a window."""

    scope: str
    window: Window
    limit_nusd: NanoUsd
    rollover_nusd: NanoUsd = ZERO_NUSD
    """The most that is added of what the window before left of `limit_nusd`."""


class NewHold(NamedTuple):
    """A hold that is to be made: the windows it counts in, and what their counters may say after it."""

    request: HoldRequest
    period: Period
    held_at: datetime
    limits: tuple[CounterLimit, ...]
    """In the order in which they refuse: named is the first that would be passed by what is spent alone, else
    the first that would be passed with what is held."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why nothing was held: the limit that the hold would have passed."""

    limit: CounterLimit
    used_nusd: NanoUsd
    """Spent and held before the hold."""
    held_nusd: NanoUsd = ZERO_NUSD
    """Of it: held for sends under way, which may free a part of it."""
    rolled_over_nusd: NanoUsd = ZERO_NUSD
    """What the window before left, on top of the limit."""

    def is_final(self, bound_nusd: int) -> bool:
        """Return whether what is spent refuses a hold, whatever becomes of what others hold."""
        spent = self.used_nusd - self.held_nusd
        return spent + bound_nusd > self.limit.limit_nusd + self.rolled_over_nusd


class Hold(NamedTuple):
    """Money held for one send, until it is settled."""

    id: int
    request: HoldRequest
    period: Period
    held_at: datetime
    runs: tuple[int, ...] = ()
    """The ledger's numbers of its run and the parts of it, the whole first."""


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How a run stands."""

    name: str
    limit: NanoUsd | None
    """The most that all its calls may cost; None where nobody has named a limit."""
    spent: NanoUsd
    held: NanoUsd

    @property
    def left(self) -> NanoUsd | None:
        """Return what may still be spent, None without a limit."""
        return None if self.limit is None else NanoUsd(max(0, self.limit - self.spent - self.held))


@dataclass(frozen=True, slots=True)
class RequestRecord:
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
    plan: PackedPlan | None = None
    """None where there was none, or none is kept."""
    prompt: PromptPrint | None = None
    """None where no model was asked, or no more is kept than money needs."""


@dataclass(frozen=True, slots=True)
class CostCorrection:
    """What an attempt did cost, by somebody who knows better than its row."""

    operation_id: str
    number: int
    cost_nusd: NanoUsd
    source: CostSource
    """Whose word it is: the provider's record, the attempt's own process, or a person's."""
    at: datetime
    note: str = ""
    """Why; a person says so."""


@dataclass(frozen=True, slots=True)
class OrphanBooking:
    """What is booked for a hold whose process left it."""

    hold: Hold
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class AttemptTotals:
    """What all settled attempts of one request come to."""

    attempts: int
    cost_nusd: NanoUsd
    started_at: datetime
    """When the first of them was held."""
    usage: Usage


@dataclass(frozen=True, slots=True)
class TokenSample:
    """What one provider counted in one prompt."""

    model: str
    script: Script
    expected_tokens: int
    counted_tokens: int


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """How a scope stands in a window."""

    scope: str
    window: Window
    period: str
    limit: NanoUsd | None
    """With what was rolled over."""
    spent: NanoUsd
    held: NanoUsd
    resets_at: datetime
    begins_at: datetime
    rolled_over: NanoUsd = ZERO_NUSD
    """Of the limit: what the window before left."""

    @property
    def left(self) -> NanoUsd | None:
        """Return what may still be spent, None without a limit."""
        return None if self.limit is None else NanoUsd(max(0, self.limit - self.spent - self.held))
