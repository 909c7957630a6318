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

import asyncio
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Annotated, TypeVar

import orjson
from pydantic import Field

from orchestrator.calls import Attempt
from orchestrator.clock import Clock
from orchestrator.errors import BudgetExceededError, LedgerError
from orchestrator.money import NanoUsd
from orchestrator.policy.budgets import Limits, Period, Window, period_of
from orchestrator.settings import Seconds, Settings
from orchestrator.state.forking import hold_still
from orchestrator.state.ledger_book import insert_operation, settle
from orchestrator.state.ledger_errors import LedgerBusyError, explained
from orchestrator.state.ledger_records import Claim, Hold, Operation, OrphanCost, Standing
from orchestrator.state.ledger_schema import migrate
from orchestrator.state.patience import Patience
from orchestrator.state.processes import own_process

__all__ = ["Claim", "Hold", "Ledger", "LedgerSettings", "Operation", "Standing"]

logger = logging.getLogger("orchestrator.ledger")

T = TypeVar("T")

KEEP_DAYS_MIN = 62
"""Two whole months: what budgets count now is never rolled up."""
_AT_ONCE_S = 0.005
"""What a booking may hold up an event loop: longer than other processes' transactions usually take."""


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

    def __init__(self, settings: LedgerSettings, *, limits: Limits, clock: Clock) -> None:
        """Remember where the file is; it is opened with the first use."""
        self.path = Path(settings.path).expanduser()
        self.limits = limits
        self._patience = Patience(limit_s=settings.lock_timeout_s, clock=clock)
        self._clock = clock
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._connected_in = 0
        self._process = ""
        self._owed: list[Callable[[sqlite3.Connection], object]] = []
        self._writing: asyncio.Task[None] | None = None
        """Writes what is owed, on the event loop of whoever owes it."""
        hold_still(self)

    def hold(self, claim: Claim) -> Hold:
        """Hold the bound of one send in every scope and window it counts against, or nothing at all.

        Raises:
            BudgetExceededError: a limit would be passed; nothing was held.
            LedgerError: the file cannot be written, so nothing may be sent.
        """
        return self._patience.wait(self._holding(claim))

    async def ahold(self, claim: Claim) -> Hold:
        """Hold as `hold` does; while another process holds the file, the event loop does other work.

        Raises:
            BudgetExceededError, LedgerError: as `hold`.
        """
        return await self._patience.wait_aside(self._holding(claim))

    def _holding(self, claim: Claim) -> Callable[[], Hold]:
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
                    self._process,
                    claim.price_version,
                ),
            )
            return row.lastrowid or 0

        return lambda: Hold(self._write_once(write), claim, period, held_at)

    def settle(self, hold: Hold, attempt: Attempt) -> None:
        """Book what one send did cost and free the rest of its hold; doing it twice changes nothing.

        A file that cannot be written now does not lose the booking: it is written before the next
        transaction, and the hold stays counted until then.
        """
        self._write_or_owe(lambda connection: settle(connection, hold, attempt))

    def close_operation(self, operation: Operation) -> None:
        """Write the row of a finished request; doing it twice changes nothing."""
        period = period_of(operation.started_at, self.limits.time_zone)
        self._write_or_owe(lambda connection: insert_operation(connection, operation, period))

    def settle_soon(self, hold: Hold, attempt: Attempt) -> None:
        """Book as `settle` does, on an event loop: what cannot be written at once is written when it can.

        Raises:
            LedgerError: it is not written yet; what for, and what to do.
        """
        self._write_or_owe(lambda connection: settle(connection, hold, attempt), soon=True)

    def close_operation_soon(self, operation: Operation) -> None:
        """Write the row as `close_operation` does, on an event loop: if not at once, then when it can.

        Raises:
            LedgerError: it is not written yet; what for, and what to do.
        """
        period = period_of(operation.started_at, self.limits.time_zone)
        self._write_or_owe(lambda connection: insert_operation(connection, operation, period), soon=True)

    async def aopen(self) -> None:
        """Open the file if it is not open yet; while another process holds it, the event loop does other work.

        Raises:
            LedgerError: it cannot be opened; says why and what to do.
        """
        if self._connection is None or self._connected_in != os.getpid():
            await self._patience.wait_aside(lambda: self._read_once(lambda _: None))

    def spent(self, scope: str, window: Window) -> NanoUsd:
        """Return what was booked in a scope's current window; what is held is not in it."""
        key = period_of(self._clock.now(), self.limits.time_zone).key(window)
        query = "SELECT spent_nusd FROM counters WHERE scope = ? AND period = ?"
        found = self._read(lambda connection: connection.execute(query, (scope, key)).fetchone())
        return NanoUsd(found[0] if found else 0)

    def left(self, scope: str, window: Window) -> NanoUsd | None:
        """Return what may still be spent in a scope's current window, None without a limit."""
        limit = self.limits.of(scope, window)
        if limit is None:
            return None
        if self._connection is None and not self.path.exists():
            # A dry run looks, and looking makes no file.
            return limit
        key = period_of(self._clock.now(), self.limits.time_zone).key(window)
        query = "SELECT spent_nusd + held_nusd FROM counters WHERE scope = ? AND period = ?"
        found = self._read(lambda connection: connection.execute(query, (scope, key)).fetchone())
        return NanoUsd(max(0, limit - (found[0] if found else 0)))

    def standings(self) -> tuple[Standing, ...]:
        """Return how every scope with a limit or with spend stands today and this month."""
        period = period_of(self._clock.now(), self.limits.time_zone)

        def read(connection: sqlite3.Connection) -> list[tuple[str, str, int, int]]:
            return connection.execute(
                "SELECT scope, period, spent_nusd, held_nusd FROM counters WHERE period IN (?,?) ORDER BY scope, period",
                (period.day, period.month),
            ).fetchall()

        found = []
        rows = self._read(read)
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
                Standing(scope, window, key, limit, NanoUsd(spent), NanoUsd(held), period.ends_at(window))
            )
        return tuple(found)

    def check_writable(self) -> None:
        """Open the file and write to it.

        Raises:
            LedgerError: it cannot be opened or written; says why and what to do.
        """
        self._write(lambda connection: connection.execute("SELECT 1").fetchone())

    def transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` in one transaction, for the other modules that keep the ledger; an error undoes all of it.

        Raises:
            LedgerError: the file cannot be written; says why and what to do.
        """
        return self._write(work)

    def close(self) -> None:
        """Write what is owed and close the file."""
        with self._lock:
            if self._connection is None or self._connected_in != os.getpid():
                return
            try:
                if self._owed:
                    self._write(lambda _: None)
            finally:
                self._disconnect()

    def before_fork(self) -> None:
        """Wait for the transaction under way, and close the file."""
        self._lock.acquire()
        self._disconnect()

    def after_fork(self) -> None:
        """Let transactions begin again; the first one opens the file."""
        self._lock.release()

    def _disconnect(self) -> None:
        if self._connection is not None and self._connected_in == os.getpid():
            self._connection.close()
        self._connection = None

    def _check_request_limit(self, claim: Claim) -> None:
        bound = claim.bound_nusd
        scope, limit = self.limits.tightest_for_request(claim.scopes) or ("all", bound)
        if bound > limit:
            raise BudgetExceededError(
                scope=scope, window="request", limit=limit, left=limit, needed=bound, resets_at=None
            )

    def _raise_held(self, connection: sqlite3.Connection, claim: Claim, period: Period) -> None:
        """Raise `held` in every counter of a claim, or raise an error for the first that refuses."""
        windows = (Window.DAY, Window.MONTH)
        keys = [(scope, period.key(window)) for scope in claim.scopes for window in windows]
        # One statement for all: a counter that does not exist yet begins at nothing.
        connection.execute(
            f"INSERT INTO counters (scope, period, held_nusd) VALUES {','.join(['(?,?,?)'] * len(keys))}"  # noqa: S608 -- only question marks
            " ON CONFLICT DO UPDATE SET held_nusd = held_nusd + excluded.held_nusd",
            [value for key in keys for value in (*key, claim.bound_nusd)],
        )
        for scope in claim.scopes:
            for window in windows:
                limit = self.limits.of(scope, window)
                # What costs nothing passes no limit, not even one that was lowered below what is spent.
                if limit is not None and claim.bound_nusd > 0:
                    _refuse_over(connection, claim, scope=scope, window=window, limit=limit, period=period)

    def _write_or_owe(self, write: Callable[[sqlite3.Connection], object], *, soon: bool = False) -> None:
        # Behind others that are owed a wait is in vain: they are being written as soon as anybody can.
        limit_s = (0.0 if self._owed else _AT_ONCE_S) if soon else None
        try:
            self._patience.wait(lambda: self._write_once(write), limit_s=limit_s)
        except LedgerError as exc:
            # What no later moment makes right must not stand in the way of every other booking.
            if not isinstance(exc.__cause__, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                self._owed.append(write)
            if soon and isinstance(exc, LedgerBusyError):
                self._write_owed_aside()
            raise

    def _write_owed_aside(self) -> None:
        loop = asyncio.get_running_loop()
        writing = self._writing
        # After a fork it is the parent's.
        if writing is None or writing.done() or writing.get_loop() is not loop:
            self._writing = loop.create_task(self._write_owed())

    async def _write_owed(self) -> None:
        try:
            await self._patience.wait_aside(lambda: self._write_once(lambda _: None))
        except LedgerError as exc:
            logger.warning("%d bookings wait for the next transaction: %s", len(self._owed), exc)

    def _write(self, write: Callable[[sqlite3.Connection], T]) -> T:
        return self._patience.wait(lambda: self._write_once(write))

    def _write_once(self, write: Callable[[sqlite3.Connection], T]) -> T:
        # The lock is held for one try and not for the wait, in which another thread may need it.
        with self._lock, self._transaction() as connection:
            owed = tuple(self._owed)
            for one in owed:
                one(connection)
            result = write(connection)
            connection.execute("COMMIT")
            del self._owed[: len(owed)]
            return result

    def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        return self._patience.wait(lambda: self._read_once(read))

    def _read_once(self, read: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock:
            try:
                return read(self._connect())
            except sqlite3.Error as exc:
                raise explained(exc, path=self.path, waited_s=self._patience.limit_s) from exc

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._connect()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except (sqlite3.Error, OSError) as exc:
            raise explained(exc, path=self.path, waited_s=self._patience.limit_s) from exc

    def _connect(self) -> sqlite3.Connection:
        if self._connection is not None and self._connected_in == os.getpid():
            return self._connection
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                _prepare(connection, path=str(self.path))
            except BaseException:
                connection.close()
                raise
        except (sqlite3.Error, OSError) as exc:
            raise explained(exc, path=self.path, waited_s=self._patience.limit_s) from exc
        self._connection = connection
        self._connected_in = os.getpid()
        self._process = own_process()
        return connection


def _prepare(connection: sqlite3.Connection, *, path: str) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # NORMAL survives a killed process whole; a power cut may lose the last moments.
    connection.execute("PRAGMA synchronous = NORMAL")
    migrate(connection, path=path)


def _refuse_over(
    connection: sqlite3.Connection,
    claim: Claim,
    *,
    scope: str,
    window: Window,
    limit: NanoUsd,
    period: Period,
) -> None:
    """Raise when a counter, the claim already in it, is over its limit; the transaction undoes it all."""
    spent, held = connection.execute(
        "SELECT spent_nusd, held_nusd FROM counters WHERE scope = ? AND period = ?",
        (scope, period.key(window)),
    ).fetchone()
    if spent + held <= limit:
        return
    left = NanoUsd(max(0, limit - spent - held + claim.bound_nusd))
    resets_at = period.ends_at(window)
    raise BudgetExceededError(
        scope=scope, window=window.value, limit=limit, left=left, needed=claim.bound_nusd, resets_at=resets_at
    )
