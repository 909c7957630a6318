"""How every budget stands, read from the ledger without touching it."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from orchestrator.core.money import ZERO_NUSD
from orchestrator.ledger.budgets import BudgetSettings, Limits, Period, Window, period_of
from orchestrator.ledger.facts import Counter
from orchestrator.ledger.records import BudgetStatus
from orchestrator.ledger.store import LedgerView


def budget_status(
    view: LedgerView, settings: BudgetSettings, *, moment: datetime, scopes: Collection[str] | None = None
) -> tuple[BudgetStatus, ...]:
    """Return how every limited scope stands in the day and the month of `moment`.

    A limit that nothing was spent against stands there too. With `scopes`, only theirs.

    Raises:
        LedgerError: there is a ledger and it cannot be read.
    """
    period = period_of(moment, settings.time_zone)
    counters: tuple[Counter, ...] = ()
    if view.exists:
        with view:
            # What counts is the ledger's own zone, whatever config.yaml says by now.
            period = period_of(moment, view.time_zone or settings.time_zone)
            counters = view.counters(period.day, period.month)
    return tuple(_statuses(counters, Limits(settings), period=period, scopes=scopes))


def _statuses(
    counters: Iterable[Counter], limits: Limits, *, period: Period, scopes: Collection[str] | None
) -> Iterator[BudgetStatus]:
    counted = {(counter.scope, counter.period): counter for counter in counters}
    named = {scope for scope, _ in limits.named()}
    known = scopes if scopes is not None else named | {scope for scope, _ in counted}
    for scope in sorted(known, key=lambda scope: (scope != "all", scope)):
        for window in (Window.DAY, Window.MONTH):
            limit = limits.of(scope, window)
            if limit is None:
                continue
            counter = counted.get((scope, period.key(window)))
            spent, held = (counter.spent, counter.held) if counter else (ZERO_NUSD, ZERO_NUSD)
            yield BudgetStatus(scope, window, period.key(window), limit, spent, held, period.ends_at(window))
