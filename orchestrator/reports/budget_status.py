"""How every budget stands, read from the ledger without touching it."""

from collections.abc import Collection
from datetime import datetime

from orchestrator.ledger.budgets import Limits
from orchestrator.ledger.facts import Counter
from orchestrator.ledger.periods import period_of
from orchestrator.ledger.records import BudgetStatus
from orchestrator.ledger.standing import Standing
from orchestrator.ledger.store import LedgerView


def budget_status(
    view: LedgerView, limits: Limits, *, moment: datetime, scopes: Collection[str] | None = None
) -> tuple[BudgetStatus, ...]:
    """Return how every limited scope stands in the hour, day, week and month of `moment`.

    A limit that nothing was spent against stands there too. With `scopes`, only theirs.

    Raises:
        LedgerError: there is a ledger and it cannot be read.
    """
    period = period_of(moment, limits.time_zone)
    counters: tuple[Counter, ...] = ()
    began_at = None
    if view.exists:
        with view:
            # What counts is the ledger's own zone, whatever config.yaml says by now.
            period = period_of(moment, view.time_zone or limits.time_zone)
            counters, began_at = view.counters(*period.keys, *period.keys_before), view.began_at
    return tuple(Standing(counters, limits, period, began_at=began_at).limited(scopes))
