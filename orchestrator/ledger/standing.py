"""How scopes stand in the windows of a moment: limit, what was rolled over, spent and held."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from orchestrator.core.money import ZERO_NUSD, NanoUsd
from orchestrator.ledger.budgets import Limits, rolled_over
from orchestrator.ledger.facts import Counter
from orchestrator.ledger.periods import CALENDAR, Period, Window
from orchestrator.ledger.records import BudgetStatus

_SHOWN_WITHOUT_LIMIT = (Window.DAY, Window.MONTH)


class Standing:
    """The counters of a period, and of the one before for what rolls over, beside the limits."""

    def __init__(
        self, counters: Iterable[Counter], limits: Limits, period: Period, *, began_at: datetime | None
    ) -> None:
        """Index the counters; `began_at` is when the ledger counted money first."""
        self._counters = {(counter.scope, counter.period): counter for counter in counters}
        self._limits = limits
        self._period = period
        self._began_at = began_at

    def of(self, scope: str, window: Window) -> BudgetStatus:
        """Return how a scope stands in a window."""
        period = self._period
        spent, held = self._counted(scope, period.key(window))
        limit, added = self._limits.of(scope, window), self._rolled_over(scope, window)
        return BudgetStatus(
            scope=scope,
            window=window,
            period=period.key(window),
            limit=None if limit is None else NanoUsd(limit + added),
            spent=spent,
            held=held,
            resets_at=period.ends_at(window),
            begins_at=period.begins_at(window),
            rolled_over=added,
        )

    def left(self, scope: str, window: Window) -> NanoUsd | None:
        """Return what may still be spent in a window, None without a limit; as `of` says it, and sooner."""
        limit = self._limits.of(scope, window)
        if limit is None:
            return None
        spent, held = self._counted(scope, self._period.key(window))
        return NanoUsd(max(0, limit + self._rolled_over(scope, window) - spent - held))

    def all(self) -> tuple[BudgetStatus, ...]:
        """Return every limited window, and the day and the month of every scope that has spent or holds."""
        named = set(self._limits.named())
        keys = {self._period.key(window): window for window in CALENDAR}
        counted = {(scope, keys[key]) for scope, key in self._counters if key in keys}
        shown = named | {pair for pair in counted if self._is_shown(*pair)}
        return tuple(self.of(scope, window) for scope, window in sorted(shown, key=_by_scope))

    def limited(self, scopes: Iterable[str] | None = None) -> Iterator[BudgetStatus]:
        """Yield how every limited scope stands; with `scopes`, only theirs."""
        known = (
            {scope for scope, _ in self._limits.named()}
            | {scope for scope, key in self._counters if key in self._period.keys}
            if scopes is None
            else set(scopes)
        )
        for scope in sorted(known, key=lambda scope: (scope != "all", scope)):
            for window in CALENDAR:
                if self._limits.of(scope, window) is not None:
                    yield self.of(scope, window)

    def _is_shown(self, scope: str, window: Window) -> bool:
        return window in _SHOWN_WITHOUT_LIMIT or self._limits.of(scope, window) is not None

    def _counted(self, scope: str, key: str) -> tuple[NanoUsd, NanoUsd]:
        counter = self._counters.get((scope, key))
        return (ZERO_NUSD, ZERO_NUSD) if counter is None else (counter.spent, counter.held)

    def _rolled_over(self, scope: str, window: Window) -> NanoUsd:
        limit = self._limits.all_of(scope).get(window)
        if limit is None or not limit.rollover_nusd or self._began_at is None:
            return ZERO_NUSD
        if self._began_at >= self._period.begins_at(window):
            return ZERO_NUSD
        used = sum(self._counted(scope, self._period.key_before(window)))
        return rolled_over(limit.limit_nusd, limit.rollover_nusd, used_before_nusd=used)


def _by_scope(pair: tuple[str, Window]) -> tuple[str, int]:
    return pair[0], CALENDAR.index(pair[1])
