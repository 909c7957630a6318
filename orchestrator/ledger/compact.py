"""Rolls old months up: their rows become sums in `monthly`, and their counters go with them.

Only whole months, of which every day is older than asked, and only those without a hold. Each
day is one transaction that leaves a ledger whose every counter is right: the day's rows become
part of the month's sums, the day's counters are taken off the month's and dropped. A compaction
that is stopped goes on where it was the next time.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from orchestrator.core.errors import LedgerError
from orchestrator.core.money import NanoUsd
from orchestrator.ledger.facts import RolledDay, UnequalCounter
from orchestrator.ledger.ledger import Ledger

KEEP_DAYS_MIN = 62
"""Two whole months: what budgets count now is never rolled up."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """A month that was rolled up."""

    month: str
    requests: int
    attempts: int
    cost_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class Kept:
    """A month that is old enough and was left as it is."""

    month: str
    reason: str


@dataclass(frozen=True, slots=True)
class Compaction:
    """What a compaction did."""

    compacted: tuple[Compacted, ...]
    kept: tuple[Kept, ...]


def compact(ledger: Ledger, *, today: date, keep_days: int) -> Compaction:
    """Roll up every month whose last day is more than `keep_days` days before `today`.

    Raises:
        LedgerError: fewer days than budgets need, a counter that differs from its rows, or a ledger
            that cannot be written; days that were rolled up before are whole.
    """
    if keep_days < KEEP_DAYS_MIN:
        raise LedgerError(f"rows are kept for {KEEP_DAYS_MIN} days at least: budgets of the month count them")
    with ledger.store.view() as view:
        days = view.booked_days(before=first_kept_day(today, keep_days=keep_days))
        held = view.holds_by_month()
    months = sorted({_month_of(day) for day in days})
    kept = tuple(
        Kept(month, f"{held[month]} holds are open: 'orchestrator ledger reconcile' settles orphans")
        for month in months
        if month in held
    )
    compacted = []
    for month in months:
        if month not in held:
            rolled = [_roll_day(ledger, day) for day in days if _month_of(day) == month]
            compacted.append(
                Compacted(
                    month,
                    sum(part.requests for part in rolled),
                    sum(part.attempts for part in rolled),
                    NanoUsd(sum(part.cost_nusd for part in rolled)),
                )
            )
    # Also where no month was due: shapes of plans that went before may be left.
    ledger.store.drop_unused()
    return Compaction(tuple(compacted), kept)


def first_kept_day(today: date, *, keep_days: int) -> str:
    """Return the first day of the first month that is not rolled up: `2025-10-01`."""
    return (today - timedelta(days=keep_days)).replace(day=1).isoformat()


def _month_of(day: str) -> str:
    return day[: len("2026-11")]


def _roll_day(ledger: Ledger, day: str) -> RolledDay:
    outcome = ledger.store.roll_up_day(day)
    if isinstance(outcome, UnequalCounter):
        raise LedgerError(
            f"the counter of {outcome.scope} on {day} differs from its rows, so nothing of that day is rolled up; "
            "'orchestrator ledger verify' names the difference"
        )
    return outcome
