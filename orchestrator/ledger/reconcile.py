"""Settles what is left over: the holds of processes that died, and costs that a provider reports later.

A hold is an orphan when its process is dead. Of a process on another machine it cannot be known here
whether it lives, so its holds are orphans when they are older than any request takes. If it lives
after all and settles, its word becomes a correction of what was booked here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from orchestrator.core.money import ZERO_NUSD, NanoUsd, share_nusd
from orchestrator.core.reply import Attempt, CacheState, CostSource, Outcome, Usage
from orchestrator.ledger.facts import AssumedCost, CostSample, OpenHold
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.periods import Period, held_period, period_of
from orchestrator.ledger.process_identity import Life, life_of
from orchestrator.ledger.records import (
    ORPHANED,
    AttemptTotals,
    CostCorrection,
    Hold,
    HoldRequest,
    OrphanBooking,
    RequestRecord,
)
from orchestrator.ledger.store import LedgerView

ASKED_DAYS = 31
"""A provider is asked about attempts of this many days."""
_SAMPLED_ATTEMPTS = 1000
"""Attempts from which an estimate is made."""


class OrphanPolicy(StrEnum):
    """What is booked for an orphan."""

    BOUND = "bound"
    """All that was held."""
    ZERO = "zero"
    ESTIMATE = "estimate"
    """The share of their holds that attempts on the same deployment did cost; all of it before the first."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """Money held for a send that its process will not settle."""

    hold: Hold
    process: str
    life: Life
    """Of its process: dead, or elsewhere and too old."""


@dataclass(frozen=True, slots=True)
class SettledOrphan:
    """An orphan, and what was booked for it."""

    orphan: Orphan
    cost_nusd: NanoUsd
    source: CostSource


def find_orphans(
    view: LedgerView, *, now: datetime, older_than: timedelta, time_zone: str
) -> tuple[Orphan, ...]:
    """Return the holds whose process is dead, or elsewhere and older than `older_than`; oldest first.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    orphans = []
    lives: dict[str, Life] = {}
    for row in view.holds():
        life = lives.get(row.process) or life_of(row.process)
        lives[row.process] = life
        if life is Life.DEAD or (life is Life.ELSEWHERE and now - row.held_at >= older_than):
            orphans.append(Orphan(_hold_of(row, time_zone), row.process, life))
    return tuple(orphans)


def settle_orphans(
    ledger: Ledger, orphans: Sequence[Orphan], *, policy: OrphanPolicy, now: datetime
) -> tuple[SettledOrphan, ...]:
    """Book each orphan into the windows of its hold, and its request as failed; in one transaction.

    A request that has a row keeps it. An orphan that was settled meanwhile is left as it is and not returned.

    Raises:
        LedgerError: it cannot be written; nothing was booked.
    """
    if not orphans:
        return ()
    with ledger.store.view() as view:
        foreseen = foresee(view, orphans, policy=policy)
    time_zone = ledger.limits.time_zone

    def request_of(hold: Hold, totals: AttemptTotals) -> tuple[RequestRecord, Period]:
        return _request_of(hold, totals, time_zone=time_zone, now=now)

    bookings = [OrphanBooking(entry.orphan.hold, _attempt_of(entry, now)) for entry in foreseen]
    settled = ledger.store.settle_orphans(bookings, request_of)
    return tuple(entry for entry, is_settled in zip(foreseen, settled, strict=True) if is_settled)


def foresee(
    view: LedgerView, orphans: Sequence[Orphan], *, policy: OrphanPolicy
) -> tuple[SettledOrphan, ...]:
    """Return what `settle_orphans` would book now, and book nothing."""
    samples: dict[str, CostSample] = {}
    if policy is OrphanPolicy.ESTIMATE:
        deployments = {orphan.hold.request.deployment for orphan in orphans}
        samples = {name: view.cost_sample(name, attempts=_SAMPLED_ATTEMPTS) for name in deployments}
    return tuple(
        SettledOrphan(
            orphan, *_priced(orphan.hold.request, policy, samples.get(orphan.hold.request.deployment))
        )
        for orphan in orphans
    )


def assumed_costs(view: LedgerView, *, now: datetime) -> tuple[AssumedCost, ...]:
    """Return the attempts of the last 31 days whose cost was assumed and that the provider gave an id.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    return view.assumed_costs(since=f"{now - timedelta(days=ASKED_DAYS):%Y-%m-%d}")


def correct_cost(ledger: Ledger, attempt: AssumedCost, *, cost_nusd: NanoUsd, now: datetime) -> int | None:
    """Book what the provider says an attempt did cost; return the difference.

    None when it was corrected before.

    Raises:
        LedgerError: it cannot be written.
    """
    return ledger.store.correct(
        CostCorrection(attempt.operation_id, attempt.number, cost_nusd, CostSource.PROVIDER, now)
    )


def _hold_of(row: OpenHold, time_zone: str) -> Hold:
    # The windows it was held in, whatever the time zone is now.
    period = held_period(period_of(row.held_at, time_zone), hour=row.hour, day=row.day, month=row.month)
    return Hold(row.id, row.request, period, row.held_at, row.runs)


def _priced(
    request: HoldRequest, policy: OrphanPolicy, sample: CostSample | None
) -> tuple[NanoUsd, CostSource]:
    bound = request.bound_nusd
    if bound == 0 or policy is OrphanPolicy.ZERO:
        return ZERO_NUSD, CostSource.NONE
    if policy is OrphanPolicy.ESTIMATE and sample is not None and sample.held_nusd:
        share = share_nusd(bound, numerator=sample.cost_nusd, denominator=sample.held_nusd)
        return NanoUsd(min(share, bound)), CostSource.ESTIMATE
    return bound, CostSource.BOUND


def _attempt_of(foreseen: SettledOrphan, now: datetime) -> Attempt:
    hold = foreseen.orphan.hold
    request = hold.request
    return Attempt(
        number=request.number,
        deployment=request.deployment,
        provider=request.provider,
        model=request.model,
        outcome=Outcome.FAILED,
        failure=ORPHANED,
        latency_s=max(0.0, (now - hold.held_at).total_seconds()),
        usage=Usage(estimated=True),
        cost_nusd=foreseen.cost_nusd,
        cost_source=foreseen.source,
    )


def _request_of(
    hold: Hold, totals: AttemptTotals, *, time_zone: str, now: datetime
) -> tuple[RequestRecord, Period]:
    """Return the record of an orphan's request: failed, with what all its attempts cost until now."""
    request, started_at = hold.request, totals.started_at
    is_first = started_at == hold.held_at.astimezone(UTC)
    record = RequestRecord(
        id=request.operation_id,
        started_at=started_at,
        tenant=_named(request.scopes, "tenant") or "default",
        use_case=_named(request.scopes, "use_case") or "unknown",
        user=_named(request.scopes, "user"),
        tags=tuple(scope.removeprefix("tag:") for scope in request.scopes if scope.startswith("tag:")),
        outcome=Outcome.FAILED,
        error=ORPHANED,
        cached=CacheState.MISS,
        degraded=None,
        deployment=None,
        provider=None,
        model=None,
        attempts=totals.attempts,
        usage=totals.usage,
        cost_nusd=totals.cost_nusd,
        latency_s=max(0.0, (now - started_at).total_seconds()),
    )
    return record, hold.period if is_first else period_of(started_at, time_zone)


def _named(scopes: Sequence[str], kind: str) -> str | None:
    return next((scope.removeprefix(f"{kind}:") for scope in scopes if scope.startswith(f"{kind}:")), None)
