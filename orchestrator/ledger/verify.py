"""Reckons the ledger again: every counter from the rows it stands for, and every request from its attempts.

    with open_view(settings.ledger) as view:
        verification = verify(view, now=clock.now())

All of it is read in one transaction, so what is booked meanwhile makes no difference. The rows of
compacted months are gone, and their counters with them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.core.money import NanoUsd
from orchestrator.ledger.facts import Excess, SourceSum, UnclaimedAttempt, UnequalOperation
from orchestrator.ledger.periods import Window
from orchestrator.ledger.store import LedgerView

NAMED_MAX = 1000
"""Of each kind of finding this many are named."""
OPEN_FOR = timedelta(minutes=1)
"""An attempt is booked before its request is; only after this time is a missing request worth a word."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A counter that is not the sum of its rows."""

    scope: str
    period: str
    """`2026-11-23T14+07:00`, `2026-11-23`, `2026-W48`, `2026-11` or `run`."""
    counted_spent: NanoUsd
    counted_held: NanoUsd
    booked_spent: NanoUsd
    booked_held: NanoUsd


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found in a ledger; of each kind of finding the first thousand are named."""

    rows: Mapping[str, int]
    """How many rows each table has."""
    differences: tuple[Difference, ...]
    unequal_operations: tuple[UnequalOperation, ...]
    unclaimed_attempts: tuple[UnclaimedAttempt, ...]
    excesses: tuple[Excess, ...]
    sources: Mapping[str, SourceSum]
    """By cost source, as booked, without corrections."""
    unequal_days: tuple[str, ...] = ()
    """Days whose kept sums are not those of their rows, so that a report of them is wrong."""
    strays: tuple[str, ...] = ()
    """Why this is not the ledger that running processes book into, a sentence each."""

    @property
    def counters_are_right(self) -> bool:
        """Return whether every counter is the sum of its rows."""
        return not self.differences

    @property
    def is_right(self) -> bool:
        """Return whether every counter and every kept sum is that of its rows, in the file that is in use."""
        return self.counters_are_right and not self.unequal_days and not self.strays


def verify(view: LedgerView, *, now: datetime, strays: tuple[str, ...] = ()) -> Verification:
    """Reckon the ledger that `view` looks at; `strays` is what is known of its file.

    Raises:
        LedgerError: it cannot be read.
    """
    return Verification(
        rows=view.row_counts(),
        differences=tuple(differences(view)),
        unequal_operations=view.unequal_operations(limit=NAMED_MAX),
        unclaimed_attempts=view.unclaimed_attempts(before=now - OPEN_FOR, limit=NAMED_MAX),
        excesses=view.excesses(limit=NAMED_MAX),
        sources=view.source_sums(),
        unequal_days=view.differing_days(),
        strays=strays,
    )


def differences(view: LedgerView) -> Iterator[Difference]:
    """Yield every counter that differs from its rows, one that is missing included."""
    booked: dict[tuple[str, str], list[int]] = {}
    for entry in view.booked_sums():
        for scope in entry.scopes:
            for period in entry.periods:
                sums = booked.setdefault((scope, period), [0, 0])
                sums[0] += entry.spent
                sums[1] += entry.held
    counted = {(counter.scope, counter.period): [counter.spent, counter.held] for counter in view.counters()}
    for key in sorted(booked.keys() | counted.keys()):
        counts, sums = counted.get(key, [0, 0]), booked.get(key, [0, 0])
        if counts != sums:
            yield Difference(*key, *(NanoUsd(amount) for amount in (*counts, *sums)))
    for run in view.run_sums():
        counted_run, booked_run = (run.counted_spent, run.counted_held), (run.booked_spent, run.booked_held)
        if counted_run != booked_run:
            yield Difference(f"run:{run.name} of {run.tenant}", Window.RUN.value, *counted_run, *booked_run)
