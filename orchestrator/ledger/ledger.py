"""The ledger: what may be spent is held before a send, what was spent is booked after it.

How no budget is overspent, at any concurrency, over processes and after a crash:

    1. Before every send its upper bound is *held* in one transaction: it raises `held` in the
       counter of every scope and window, and is undone as a whole where one of them then has
       spent + held > limit. No other transaction sees or changes a counter in between.
    2. After the send one transaction *settles*: held goes down by the bound, spent goes up by
       the true cost, the hold's row is replaced by the attempt's row.
    3. A process that dies between the two leaves its hold, which stays counted in full.
    4. A settlement that cannot be written (disk full) is deferred: kept and written before the next
       transaction; until then the hold stays counted, so the error is on the safe side.

    5. An event loop is not held up by another process: `ahold` waits aside, and what `settle_deferred`
       and `record_request_deferred` cannot write in this turn of it is kept, as in 4, and follows.

Counters exist for every scope from its first send on, limited or not, so that a limit added
later counts what was spent before. A settlement books into the windows of its hold. The rows are kept
by a store (`ledger.store`); here is decided what is held, against which limits, and what is worth an alert.
"""

from collections.abc import Callable

from orchestrator.core.alerts import Alert, AlertKind, Alerts
from orchestrator.core.clock import Clock
from orchestrator.core.errors import BudgetExceededError, ConfigError, LedgerError
from orchestrator.core.money import ZERO_NUSD, NanoUsd, format_usd
from orchestrator.core.payer import SHADOW_PAYER
from orchestrator.core.reply import Attempt, CostSource
from orchestrator.ledger.budgets import Limits
from orchestrator.ledger.facts import Counter
from orchestrator.ledger.money_queue import MoneyPlace, MoneyQueue
from orchestrator.ledger.observers import Observers
from orchestrator.ledger.periods import Window, period_of
from orchestrator.ledger.records import (
    BudgetStatus,
    CostCorrection,
    CounterLimit,
    Hold,
    HoldRequest,
    NewHold,
    RequestRecord,
    RunStatus,
    Shortage,
    TokenSample,
)
from orchestrator.ledger.standing import Standing
from orchestrator.ledger.store import LedgerStore
from orchestrator.ledger.usability import Usability

__all__ = ["BudgetStatus", "Hold", "HoldRequest", "Ledger", "RequestRecord", "late_alert"]

_SAMPLED_ATTEMPTS = 5000
"""Of so many attempts it is learned how a model counts tokens."""
_REASON_MAX = 500
_SHADOW_SCOPE = f"tenant:{SHADOW_PAYER}"


class Ledger:
    """The limits of a configuration over a store that keeps the rows."""

    def __init__(
        self, store: LedgerStore, *, limits: Limits, clock: Clock, alerts: Alerts | None = None
    ) -> None:
        """Remember the store; it is opened with the first use. `ledger.opening` makes one from settings."""
        self.store = store
        self.limits = limits
        self._clock = clock
        self._alerts = alerts or Alerts()
        self._usability = Usability(self._alerts, clock, store.location)
        self.observers = Observers()
        self.queue = MoneyQueue()
        """Who waits for money that others hold, in this process."""

    @property
    def location(self) -> str:
        """Return where the ledger is, as messages name it."""
        return self.store.location

    @property
    def exists(self) -> bool:
        """Return whether there is a ledger: looking makes none."""
        return self.store.exists

    def adopt(self, limits: Limits) -> None:
        """Go by other limits from now on.

        Raises:
            ConfigError: the ledger counts days of another zone, so nothing could be held by them.
        """
        if limits.time_zone != self.limits.time_zone and self.exists:
            with self.store.view() as view:
                counted = view.time_zone
            if counted not in {None, limits.time_zone}:
                raise ConfigError(
                    f"budgets.time_zone is {limits.time_zone}, and the ledger counts days of {counted}: what runs goes "
                    f"on with {counted} until 'orchestrator ledger time-zone {limits.time_zone}' has changed the "
                    "ledger, which it does while nothing is held"
                )
        self.limits = limits

    def hold(self, request: HoldRequest) -> Hold:
        """Hold the bound of one send in every scope and window it counts against, or nothing at all.

        Raises:
            BudgetExceededError: a limit would be passed; nothing was held.
            LedgerError: the ledger cannot be written, so nothing may be sent.
        """
        new = self._new_hold(request)
        with self._usability.noted():
            outcome = self.store.hold(new)
        return self._granted(new, outcome)

    async def ahold(self, request: HoldRequest, *, place: MoneyPlace | None = None) -> Hold:
        """Hold as `hold` does; while another process holds the ledger, the event loop does other work.

        With a `place` it is not let past those who wait in this process for the same limits.

        Raises:
            BudgetExceededError, LedgerError: as `hold`.
        """
        new = self._new_hold(request)
        ahead = None if place is None else self.queue.ahead(new, place)
        if ahead is not None:
            raise ahead
        with self._usability.noted():
            outcome = await self.store.ahold(new)
        return self._granted(new, outcome)

    def settle(self, hold: Hold, attempt: Attempt) -> None:
        """Book what one send did cost and free the rest of its hold; doing it twice changes nothing.

        A ledger that cannot be written now does not lose the booking: it is written before the next
        transaction, and the hold stays counted until then. A cost above what was held is booked in full
        and raised as an alert.

        Raises:
            LedgerError: it is not written yet; what for, and what to do.
        """
        self._alert_excess(hold.request, attempt)
        self.observers.attempt_settled(hold, attempt)
        try:
            self.store.settle(hold, attempt)
        except LedgerError as exc:
            self._alert(AlertKind.BOOKED_LATE, str(exc), hold.request.operation_id)
            raise
        finally:
            # Also what is written later: whoever holds next writes it before.
            self.queue.freed(hold.request)

    def settle_deferred(self, hold: Hold, attempt: Attempt) -> None:
        """Book as `settle` does, on an event loop, with what else it books in this turn; see `written`."""
        self._alert_excess(hold.request, attempt)
        self.observers.attempt_settled(hold, attempt)
        try:
            self.store.settle_deferred(hold, attempt)
        except LedgerError as exc:
            # Where no event loop runs it was tried at once.
            self._alert(AlertKind.BOOKED_LATE, str(exc), hold.request.operation_id)
            raise
        finally:
            self.queue.freed(hold.request)

    def record_request(self, record: RequestRecord) -> None:
        """Write the row of a finished request; doing it twice changes nothing.

        Raises:
            LedgerError: it is not written yet; what for, and what to do.
        """
        self.observers.request_recorded(record)
        self.store.record_request(record, period_of(record.started_at, self.limits.time_zone))

    def record_request_deferred(self, record: RequestRecord) -> None:
        """Write the row as `record_request` does, with what else this turn of the event loop books."""
        self.observers.request_recorded(record)
        self.store.record_request_deferred(record, period_of(record.started_at, self.limits.time_zone))

    async def written(self, request_id: str) -> None:
        """Return when what a request has booked in this turn of the event loop is in the ledger.

        Raises:
            LedgerBusyError: others hold the ledger; it follows in a moment, or `late_alert` tells.
            LedgerError: it is not written yet; what for, and what to do. `late_alert` has told it.
        """
        await self.store.written(request_id)

    def gather_request(self, record: RequestRecord) -> None:
        """Take the row of a request that cost nothing, to be written with others."""
        self.observers.request_recorded(record)
        self.store.gather_request(record, period_of(record.started_at, self.limits.time_zone))

    def write_gathered(self) -> None:
        """Write the rows that were gathered; nobody is held up longer than a moment.

        Raises:
            LedgerBusyError: others hold the ledger; they stay gathered.
            LedgerError: they cannot be written, and stay gathered.
        """
        self.store.write_gathered()

    def correct(self, operation_id: str, number: int, *, cost_nusd: NanoUsd, reason: str) -> int:
        """Book what a person says that an attempt did cost; return the difference in nano-dollars.

        The attempt's row stays, and the difference counts in the windows of its hold. It may be done again;
        `reason` is kept with it.

        Raises:
            LedgerError: there is no such attempt, no reason, or no writing the ledger; nothing was booked.
        """
        note = " ".join(reason.split())
        if not note.isprintable() or not 0 < len(note) <= _REASON_MAX:
            raise LedgerError(f"a correction needs its reason in 1 to {_REASON_MAX} printable characters")
        delta_nusd = self.store.correct(
            CostCorrection(operation_id, number, cost_nusd, CostSource.OPERATOR, self._clock.now(), note)
        )
        if delta_nusd is None:
            raise LedgerError(
                f"the ledger {self.location} has no attempt {number} of request '{operation_id}': 'orchestrator ledger "
                "verify' and 'ledger export' name requests; one that is under way or was compacted has none"
            )
        return delta_nusd

    @property
    def is_open(self) -> bool:
        """Return whether this process has the ledger open."""
        return self.store.is_open

    async def aopen(self) -> None:
        """Open the ledger if it is not open yet; while others hold it, the event loop does other work.

        Raises:
            LedgerError: it cannot be opened; says why and what to do.
        """
        await self.store.aopen()

    def spent(self, scope: str, window: Window) -> NanoUsd:
        """Return what was booked in a scope's current window; what is held is not in it."""
        return self._counter(scope, window).spent

    def left(self, scope: str, window: Window) -> NanoUsd | None:
        """Return what may still be spent in a scope's current window, None without a limit."""
        limit = self.limits.all_of(scope).get(window)
        # A dry run looks, and looking makes no ledger.
        if limit is None or not self.store.exists:
            return self.limits.of(scope, window)
        period = period_of(self._clock.now(), self.limits.time_zone)
        counters, began_at = [self.store.counter(scope, period.key(window))], None
        if limit.rollover_nusd:
            # What is over counts only for what may be rolled over, and each request asks what is left.
            counters.append(self.store.counter(scope, period.key_before(window)))
            began_at = self.store.began_at()
        return Standing(counters, self.limits, period, began_at=began_at).left(scope, window)

    def budget_status(self) -> tuple[BudgetStatus, ...]:
        """Return how every scope with a limit or with spend stands today and this month.

        Of hours and weeks those that have a limit.
        """
        period = period_of(self._clock.now(), self.limits.time_zone)
        counters = self.store.counters(*period.keys, *period.keys_before)
        return Standing(counters, self.limits, period, began_at=self.store.began_at()).all()

    def run(self, tenant: str, name: str) -> RunStatus | None:
        """Return how a run of a tenant stands, None where nothing was counted for it, or not for long.

        Raises:
            LedgerError: it cannot be read.
        """
        return self.store.run(tenant, name) if self.store.exists else None

    def token_samples(self) -> tuple[TokenSample, ...]:
        """Return what providers counted in the last prompts, oldest first; nothing without a ledger."""
        return self.store.token_samples(_SAMPLED_ATTEMPTS) if self.store.exists else ()

    def check_writable(self) -> None:
        """Open the ledger and write to it; a new one counts days of the configured time zone from now on.

        Raises:
            LedgerError: it cannot be opened or written, or counts days of another zone; says what to do.
        """
        self.store.check_writable()
        self.store.take_time_zone(self.limits.time_zone)

    def look(self) -> LedgerError | None:
        """Write to the ledger now, with all that is deferred; return why it cannot be used.

        None where it can, and where there is none yet: none is made. That it cannot, and that it can
        again, is told once (`AlertKind.LEDGER_UNAVAILABLE`).
        """
        if not self.exists:
            return None
        try:
            with self._usability.noted(at_first=True):
                self.check_writable()
        except LedgerError as error:
            return error
        return None

    def close(self) -> None:
        """Write what is deferred and close the ledger."""
        self.store.close()

    def _new_hold(self, request: HoldRequest) -> NewHold:
        self._check_request_limit(request)
        self._check_shadow(request)
        held_at = self._clock.now()
        return NewHold(request, period_of(held_at, self.limits.time_zone), held_at, self._limits_of(request))

    def _check_request_limit(self, request: HoldRequest) -> None:
        bound = request.bound_nusd
        scope, limit = self.limits.tightest_for_request(request.scopes) or ("all", bound)
        if bound > limit:
            raise BudgetExceededError(
                scope=scope, window="request", limit=limit, left=limit, needed=bound, resets_at=None
            )

    def _check_shadow(self, request: HoldRequest) -> None:
        """Refuse the money of shadows that have no limit: their experiment was taken out while they ran."""
        for scope in request.scopes:
            if scope.startswith(_SHADOW_SCOPE) and not self.limits.has_own(scope):
                raise BudgetExceededError(
                    scope=scope, window=Window.DAY.value, limit=ZERO_NUSD, left=ZERO_NUSD,
                    needed=request.bound_nusd, resets_at=None,
                )  # fmt: skip

    def _limits_of(self, request: HoldRequest) -> tuple[CounterLimit, ...]:
        """Return the limits of hours, days, weeks and months that a send counts against."""
        if request.bound_nusd == 0:
            # What costs nothing passes no limit, not even one that was lowered below what is spent.
            return ()
        return tuple(
            CounterLimit(scope, window, limit.limit_nusd, limit.rollover_nusd)
            for scope in request.scopes
            for window, limit in self.limits.all_of(scope).items()
            if window is not Window.REQUEST
        )

    def _counter(self, scope: str, window: Window) -> Counter:
        return self.store.counter(scope, period_of(self._clock.now(), self.limits.time_zone).key(window))

    def _granted(self, new: NewHold, outcome: Hold | Shortage) -> Hold:
        if isinstance(outcome, Hold):
            self.queue.held(outcome.request)
            return outcome
        raise refused_by(new, outcome)

    def _alert_excess(self, request: HoldRequest, attempt: Attempt) -> None:
        if attempt.cost_nusd > request.bound_nusd:
            verb = "may have charged" if attempt.cost_source is CostSource.BOUND else "charged"
            message = (
                f"{request.deployment} {verb} more than was held: {format_usd(attempt.cost_nusd)} instead of at most "
                f"{format_usd(request.bound_nusd)}; it is booked in full. See 'orchestrator prices diff'; if the "
                f"provider erred, 'orchestrator ledger correct {request.operation_id}' books what is right"
            )
            self._alert(AlertKind.EXCESS, message, request.operation_id)

    def _alert(self, kind: AlertKind, message: str, request_id: str) -> None:
        self._alerts.tell(Alert(kind, message, request_id, self._clock.now()))


def late_alert(alerts: Alerts, clock: Clock) -> Callable[[int, LedgerError], None]:
    """Return what a store calls when deferred bookings could not be written aside either."""

    def alert(waiting: int, error: LedgerError) -> None:
        message = f"{waiting} bookings are not written: {error}"
        alerts.tell(Alert(AlertKind.BOOKED_LATE, message, None, clock.now()))

    return alert


def refused_by(new: NewHold, shortage: Shortage) -> BudgetExceededError:
    """Return the error of a hold that a limit refused."""
    limit = shortage.limit
    most = NanoUsd(limit.limit_nusd + shortage.rolled_over_nusd)
    return BudgetExceededError(
        scope=limit.scope,
        window=limit.window.value,
        limit=most,
        left=NanoUsd(max(0, most - shortage.used_nusd)),
        needed=new.request.bound_nusd,
        resets_at=None if limit.window is Window.RUN else new.period.ends_at(limit.window),
        held=shortage.held_nusd,
    )
