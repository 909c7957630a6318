"""The ledger: what may be spent is held before a send, what was spent is booked after it.

How no budget is overspent, at any concurrency, over processes and after a crash:

    1. Before every send its upper bound is *held* in one immediate transaction: it raises `held`
       in the counter of every scope and window, and is undone as a whole where one of them then
       has spent + held > limit. Nobody else sees or changes a counter in between.
    2. After the send one transaction *settles*: held goes down by the bound, spent goes up by
       the true cost, the hold's row is replaced by the attempt's row.
    3. A process that dies between the two leaves its hold, which stays counted in full.
    4. A settlement that cannot be written (disk full) is kept and written before the next
       transaction; until then the hold stays counted, so the error is on the safe side.

    5. On an event loop nobody is held up by another process: `ahold` waits aside, `settle_soon` and
       `close_operation_soon` keep what they cannot write at once, as in 4, and write it when they can.

Counters exist for every scope from its first send on, limited or not, so that a limit added
later counts what was spent before. A settlement books into the windows of its hold.
"""

import sqlite3
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Annotated, TypeVar

import orjson
from pydantic import Field

from orchestrator.core.alerts import Alert, AlertKind, Alerts
from orchestrator.core.clock import Clock
from orchestrator.core.errors import BudgetExceededError, LedgerError
from orchestrator.core.money import NanoUsd, format_usd
from orchestrator.core.prompt_size import Script
from orchestrator.core.reply import Attempt
from orchestrator.core.settings import Seconds, Settings
from orchestrator.ledger.budgets import Limits, Period, Window, period_of
from orchestrator.ledger.records import (
    BudgetStatus,
    Hold,
    HoldRequest,
    OrphanCost,
    RequestRecord,
    TokenSample,
)
from orchestrator.ledger.sqlite.connection import LedgerFile
from orchestrator.ledger.sqlite.errors import LedgerBusyError
from orchestrator.ledger.sqlite.statements import insert_operation, raise_held, read_used, settle

__all__ = ["BudgetStatus", "Hold", "HoldRequest", "Ledger", "LedgerSettings", "RequestRecord"]

T = TypeVar("T")

KEEP_DAYS_MIN = 62
"""Two whole months: what budgets count now is never rolled up."""
# By the key, whose ids sort by time: the newest rows are found at the end of the file, however long it is.
_COUNTED_INPUTS = (
    "SELECT model, script, input_expected_tokens, input_tokens FROM"
    " (SELECT * FROM attempts ORDER BY operation_id DESC LIMIT 5000)"
    " WHERE tokens_estimated = 0 AND input_expected_tokens > 0 AND input_tokens > 0"
)


class LedgerSettings(Settings):
    """Where the ledger is kept."""

    path: str = "~/.nextflow-orchestrator/ledger.sqlite3"
    """A file on a local disk (not a network share); every process that shares it shares the budgets."""
    lock_timeout_s: Seconds = 5.0
    """How long a transaction waits for other processes before it gives up."""
    orphans: OrphanCost = OrphanCost.BOUND
    """What 'orchestrator ledger reconcile' books for a send whose process died: all that was held, or nothing."""
    keep_days: Annotated[int, Field(ge=KEEP_DAYS_MIN)] = 400
    """'orchestrator ledger compact' rolls up months of which every row is older than this."""


class Ledger:
    """The embedded ledger: one SQLite file, shared by threads and processes."""

    def __init__(
        self, settings: LedgerSettings, *, limits: Limits, clock: Clock, alerts: Alerts | None = None
    ) -> None:
        """Remember where the file is; it is opened with the first use."""
        self._alerts = alerts or Alerts()
        self.path = Path(settings.path).expanduser()
        self.limits = limits
        self._clock = clock
        self._file = LedgerFile(
            self.path, lock_timeout_s=settings.lock_timeout_s, clock=clock, tell_late=self._alert_late
        )

    def hold(self, claim: HoldRequest) -> Hold:
        """Hold the bound of one send in every scope and window it counts against, or nothing at all.

        Raises:
            BudgetExceededError: a limit would be passed; nothing was held.
            LedgerError: the file cannot be written, so nothing may be sent.
        """
        write, held = self._holding(claim)
        return held(self._file.write(write))

    async def ahold(self, claim: HoldRequest) -> Hold:
        """Hold as `hold` does; while another process holds the file, the event loop does other work.

        Raises:
            BudgetExceededError, LedgerError: as `hold`.
        """
        write, held = self._holding(claim)
        return held(await self._file.awrite(write))

    def _holding(
        self, claim: HoldRequest
    ) -> tuple[Callable[[sqlite3.Connection], int], Callable[[int], Hold]]:
        """Return the transaction that holds a claim, and what makes a hold of the row's number."""
        self._check_request_limit(claim)
        held_at = self._clock.now()
        period = period_of(held_at, self.limits.time_zone)

        def write(connection: sqlite3.Connection) -> int:
            self._raise_held(connection, claim, period)
            row = connection.execute(
                "INSERT INTO holds (operation_id, attempt, deployment, provider, model, scopes, day, month,"
                " held_nusd, held_at, process, price_version) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    claim.operation_id,
                    claim.number,
                    claim.deployment,
                    claim.provider,
                    claim.model,
                    orjson.dumps(claim.scopes).decode(),
                    period.day,
                    period.month,
                    claim.bound_nusd,
                    held_at.astimezone(UTC).isoformat(),
                    self._file.process,
                    claim.price_version,
                ),
            )
            return row.lastrowid or 0

        return write, lambda number: Hold(number, claim, period, held_at)

    def settle(self, hold: Hold, attempt: Attempt) -> None:
        """Book what one send did cost and free the rest of its hold; doing it twice changes nothing.

        A file that cannot be written now does not lose the booking: it is written before the next
        transaction, and the hold stays counted until then. A cost above what was held is booked in full
        and raised as an alert.
        """
        self._settle(hold, attempt, soon=False)

    def close_operation(self, operation: RequestRecord) -> None:
        """Write the row of a finished request; doing it twice changes nothing."""
        period = period_of(operation.started_at, self.limits.time_zone)
        self._file.write_or_owe(lambda connection: insert_operation(connection, operation, period))

    def settle_soon(self, hold: Hold, attempt: Attempt) -> None:
        """Book as `settle` does, on an event loop: what cannot be written at once is written when it can.

        Raises:
            LedgerError: it is not written yet; what for, and what to do.
        """
        self._settle(hold, attempt, soon=True)

    def close_operation_soon(self, operation: RequestRecord) -> None:
        """Write the row as `close_operation` does, on an event loop: if not at once, then when it can.

        Raises:
            LedgerError: it is not written yet; what for, and what to do.
        """
        period = period_of(operation.started_at, self.limits.time_zone)
        self._file.write_or_owe(lambda connection: insert_operation(connection, operation, period), soon=True)

    async def aopen(self) -> None:
        """Open the file if it is not open yet; while another process holds it, the event loop does other work.

        Raises:
            LedgerError: it cannot be opened; says why and what to do.
        """
        await self._file.aopen()

    def spent(self, scope: str, window: Window) -> NanoUsd:
        """Return what was booked in a scope's current window; what is held is not in it."""
        key = period_of(self._clock.now(), self.limits.time_zone).key(window)
        query = "SELECT spent_nusd FROM counters WHERE scope = ? AND period = ?"
        found = self._file.read(lambda connection: connection.execute(query, (scope, key)).fetchone())
        return NanoUsd(found[0] if found else 0)

    def left(self, scope: str, window: Window) -> NanoUsd | None:
        """Return what may still be spent in a scope's current window, None without a limit."""
        limit = self.limits.of(scope, window)
        if limit is None:
            return None
        if not self._file.is_there:
            # A dry run looks, and looking makes no file.
            return limit
        key = period_of(self._clock.now(), self.limits.time_zone).key(window)
        query = "SELECT spent_nusd + held_nusd FROM counters WHERE scope = ? AND period = ?"
        found = self._file.read(lambda connection: connection.execute(query, (scope, key)).fetchone())
        return NanoUsd(max(0, limit - (found[0] if found else 0)))

    def standings(self) -> tuple[BudgetStatus, ...]:
        """Return how every scope with a limit or with spend stands today and this month."""
        period = period_of(self._clock.now(), self.limits.time_zone)

        def read(connection: sqlite3.Connection) -> list[tuple[str, str, int, int]]:
            return connection.execute(
                "SELECT scope, period, spent_nusd, held_nusd FROM counters WHERE period IN (?,?) ORDER BY scope, period",
                (period.day, period.month),
            ).fetchall()

        found = []
        rows = self._file.read(read)
        known = {(scope, key) for scope, key, _, _ in rows}
        rows += [
            (scope, period.key(window), 0, 0)
            for scope, window in self.limits.named()
            if (scope, period.key(window)) not in known
        ]
        for scope, key, spent, held in sorted(rows):
            window = Window.DAY if key == period.day else Window.MONTH
            limit = self.limits.of(scope, window)
            found.append(
                BudgetStatus(scope, window, key, limit, NanoUsd(spent), NanoUsd(held), period.ends_at(window))
            )
        return tuple(found)

    def token_samples(self) -> tuple[TokenSample, ...]:
        """Return what providers counted in the last prompts, oldest first; nothing where there is no file yet."""
        if not self._file.is_there:
            return ()
        rows = self._file.read(lambda connection: connection.execute(_COUNTED_INPUTS).fetchall())
        return tuple(TokenSample(model, Script(script), *tokens) for model, script, *tokens in reversed(rows))

    def check_writable(self) -> None:
        """Open the file and write to it.

        Raises:
            LedgerError: it cannot be opened or written; says why and what to do.
        """
        self._file.write(lambda connection: connection.execute("SELECT 1").fetchone())

    def transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` in one transaction, for the other modules that keep the ledger; an error undoes all of it.

        Raises:
            LedgerError: the file cannot be written; says why and what to do.
        """
        return self._file.write(work)

    async def atransact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` as `transact` does; while another process holds the file, the event loop does other work.

        Raises:
            LedgerError: as `transact`.
        """
        return await self._file.awrite(work)

    def transact_soon(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Do `work` in one transaction, on an event loop: if not at once, then when it can be.

        Raises:
            LedgerError: it is not written yet.
        """
        self._file.write_or_owe(work, soon=True)

    def close(self) -> None:
        """Write what is owed and close the file."""
        self._file.close()

    def _settle(self, hold: Hold, attempt: Attempt, *, soon: bool) -> None:
        claim = hold.claim
        if attempt.cost_nusd > claim.bound_nusd:
            message = (
                f"{claim.deployment} charged more than was held: {format_usd(attempt.cost_nusd)} instead of at most "
                f"{format_usd(claim.bound_nusd)}; it is booked in full. See 'orchestrator prices diff'"
            )
            self._alert(AlertKind.EXCESS, message, claim.operation_id)
        try:
            self._file.write_or_owe(lambda connection: settle(connection, hold, attempt), soon=soon)
        except LedgerError as exc:
            # A file that is only busy is written in a moment, or `_alert_late` is told.
            if not soon or not isinstance(exc, LedgerBusyError):
                self._alert(AlertKind.BOOKED_LATE, str(exc), claim.operation_id)
            raise

    def _check_request_limit(self, claim: HoldRequest) -> None:
        bound = claim.bound_nusd
        scope, limit = self.limits.tightest_for_request(claim.scopes) or ("all", bound)
        if bound > limit:
            raise BudgetExceededError(
                scope=scope, window="request", limit=limit, left=limit, needed=bound, resets_at=None
            )

    def _raise_held(self, connection: sqlite3.Connection, claim: HoldRequest, period: Period) -> None:
        """Raise `held` in every counter of a claim, or raise an error for the first that refuses."""
        raise_held(connection, claim, period)
        # What costs nothing passes no limit, not even one that was lowered below what is spent.
        limited = self._limited(claim) if claim.bound_nusd > 0 else []
        keys = [(period.key(window), scope) for scope, window, _ in limited]
        for (scope, window, limit), used_nusd in zip(limited, read_used(connection, keys), strict=True):
            if used_nusd > limit:
                raise BudgetExceededError(
                    scope=scope,
                    window=window.value,
                    limit=limit,
                    left=NanoUsd(max(0, limit - used_nusd + claim.bound_nusd)),
                    needed=claim.bound_nusd,
                    resets_at=period.ends_at(window),
                )

    def _limited(self, claim: HoldRequest) -> list[tuple[str, Window, NanoUsd]]:
        """Return the limits of the day and the month that a claim counts against."""
        return [
            (scope, window, limit)
            for scope in claim.scopes
            for window, limit in self.limits.all_of(scope).items()
            if window is not Window.REQUEST
        ]

    def _alert(self, kind: AlertKind, message: str, request_id: str | None = None) -> None:
        self._alerts.tell(Alert(kind, message, request_id, self._clock.now()))

    def _alert_late(self, error: LedgerError) -> None:
        count = len(self._file.owed)
        self._alert(AlertKind.BOOKED_LATE, f"{count} bookings wait for the next transaction: {error}")
