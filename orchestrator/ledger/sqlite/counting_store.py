"""A ledger whose money is counted in memory and of which no row is kept: for requests that are replayed.

It grants and refuses what the file would, in a fraction of the time. Whoever asks it for rows looks at a
ledger that is not there. Of a run nothing is counted: none is recorded with requests, so none is replayed.
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from orchestrator.core.clock import Clock
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Attempt
from orchestrator.ledger.budgets import rolled_over
from orchestrator.ledger.facts import Counter
from orchestrator.ledger.periods import CALENDAR, Period
from orchestrator.ledger.records import CounterLimit, Hold, NewHold, RequestRecord, Shortage, TokenSample
from orchestrator.ledger.sqlite.statements import foremost
from orchestrator.ledger.sqlite.store import SqliteStore

_Used = list[int]
"""What is spent, and what is held."""


class CountingStore(SqliteStore):
    """A `LedgerStore` for one replay, on one event loop; its file is never made."""

    def __init__(self, *, clock: Clock) -> None:
        """Begin with nothing counted."""
        super().__init__(Path(os.devnull), lock_timeout_s=0.0, clock=clock, on_late=lambda _, __: None)
        self._counters: defaultdict[str, defaultdict[str, _Used]] = defaultdict(
            lambda: defaultdict(lambda: [0, 0])
        )
        """By window and scope."""
        self._open: set[int] = set()
        """The holds that are not settled."""
        self._holds = 0
        """How many were made."""
        self._began_at: datetime | None = None

    @property
    def exists(self) -> bool:
        """Return True: there is nothing to be made."""
        return True

    @property
    def is_open(self) -> bool:
        """Return True: there is nothing to open."""
        return True

    async def aopen(self) -> None:
        """Do nothing: there is nothing to open."""

    def close(self) -> None:
        """Do nothing: there is nothing to write."""

    def hold(self, new: NewHold) -> Hold | Shortage:
        """Hold in every counter of a claim, or nothing at all."""
        request = new.request
        short = tuple(self._short(new))
        if short:
            return foremost(short, bound_nusd=request.bound_nusd)
        self._add(new.period, request.scopes, spent_nusd=0, held_nusd=request.bound_nusd)
        self._began_at = self._began_at or new.held_at
        self._holds += 1
        self._open.add(self._holds)
        return Hold(self._holds, request, new.period, new.held_at)

    async def ahold(self, new: NewHold) -> Hold | Shortage:
        """Hold as `hold` does."""
        return self.hold(new)

    def settle(self, hold: Hold, attempt: Attempt) -> None:
        """Replace a hold by what was spent; doing it twice changes nothing."""
        if hold.id in self._open:
            self._open.remove(hold.id)
            freed_nusd = -hold.request.bound_nusd
            self._add(hold.period, hold.request.scopes, spent_nusd=attempt.cost_nusd, held_nusd=freed_nusd)

    def settle_deferred(self, hold: Hold, attempt: Attempt) -> None:
        """Settle at once."""
        self.settle(hold, attempt)

    def record_request(self, record: RequestRecord, period: Period) -> None:
        """Keep no row."""

    def record_request_deferred(self, record: RequestRecord, period: Period) -> None:
        """Keep no row."""

    def gather_request(self, record: RequestRecord, period: Period) -> None:
        """Keep no row."""

    async def written(self, operation_id: str) -> None:
        """Return at once: what is settled is counted."""

    def counter(self, scope: str, period: str) -> Counter:
        """Return what a scope has spent and holds in a window."""
        spent, held = self._of(period, scope)
        return Counter(scope, period, NanoUsd(spent), NanoUsd(held))

    def counters(self, *periods: str) -> tuple[Counter, ...]:
        """Return every counter of some windows, in all without any, by scope and period."""
        named = periods or tuple(self._counters)
        keys = sorted((scope, period) for period in named for scope in self._counters.get(period, ()))
        return tuple(self.counter(*key) for key in keys)

    def began_at(self) -> datetime | None:
        """Return when money was counted first."""
        return self._began_at

    def token_samples(self, attempts: int) -> tuple[TokenSample, ...]:  # noqa: ARG002 -- a verb of every store
        """Return none: no row is kept."""
        return ()

    def _add(self, period: Period, scopes: Sequence[str], *, spent_nusd: int, held_nusd: int) -> None:
        for window in CALENDAR:
            of_scope = self._counters[period.windows[window].key]
            for scope in scopes:
                used = of_scope[scope]
                used[0] += spent_nusd
                used[1] += held_nusd

    def _of(self, period: str, scope: str) -> Sequence[int]:
        of_scope = self._counters.get(period)
        return (0, 0) if of_scope is None else of_scope.get(scope, (0, 0))

    def _short(self, new: NewHold) -> Iterator[Shortage]:
        """Yield the limits that are passed when the bound of a send counts as held."""
        for limit in new.limits:
            spent, held = self._of(new.period.key(limit.window), limit.scope)
            if spent + held + new.request.bound_nusd <= limit.limit_nusd:
                continue
            more = self._rolled_over(new, limit)
            if spent + held + new.request.bound_nusd > limit.limit_nusd + more:
                yield Shortage(limit, NanoUsd(spent + held), NanoUsd(held), more)

    def _rolled_over(self, new: NewHold, limit: CounterLimit) -> NanoUsd:
        """Return what the window before left of a limit, if money was counted before this window began."""
        began = self._began_at
        if not limit.rollover_nusd or began is None or began >= new.period.begins_at(limit.window):
            return NanoUsd(0)
        used = sum(self._of(new.period.key_before(limit.window), limit.scope))
        return rolled_over(limit.limit_nusd, limit.rollover_nusd, used_before_nusd=used)
