"""How every budget stands, read from the ledger without touching it."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from orchestrator.core.money import ZERO_NUSD
from orchestrator.ledger.budgets import BudgetSettings, Limits, Window, period_of
from orchestrator.ledger.ledger import BudgetStatus
from orchestrator.ledger.sqlite.reader import Counter, LedgerReader


def standings(
    reader: LedgerReader, settings: BudgetSettings, *, moment: datetime, scopes: Collection[str] | None = None
) -> tuple[BudgetStatus, ...]:
    """Return the standing of every limited scope in the day and the month of `moment`.

    A limit that nothing was spent against stands there too. With `scopes`, only theirs.

    Raises:
        LedgerError: there is a ledger and it cannot be read.
    """
    period = period_of(moment, settings.time_zone)
    counters: tuple[Counter, ...] = ()
    if reader.exists:
        with reader:
            counters = reader.counters(period.day, period.month)
    return tuple(_standings(counters, settings, moment=moment, scopes=scopes))


def _standings(
    counters: Iterable[Counter], settings: BudgetSettings, *, moment: datetime, scopes: Collection[str] | None
) -> Iterator[BudgetStatus]:
    limits, period = Limits(settings), period_of(moment, settings.time_zone)
    counted = {(one.scope, one.period): one for one in counters}
    named = {limit.scope for limit in settings.limits if not limit.scope.endswith(":*")}
    known = scopes if scopes is not None else named | {scope for scope, _ in counted}
    for scope in sorted(known, key=lambda one: (one != "all", one)):
        for window in (Window.DAY, Window.MONTH):
            limit = limits.of(scope, window)
            if limit is None:
                continue
            found = counted.get((scope, period.key(window)))
            spent, held = (found.spent, found.held) if found else (ZERO_NUSD, ZERO_NUSD)
            yield BudgetStatus(scope, window, period.key(window), limit, spent, held, period.ends_at(window))
