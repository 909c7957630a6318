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

Counters exist for every scope from its first send on, limited or not, so that a limit added
later counts what was spent before. A settlement books into the windows of its hold.
"""

import os
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Annotated, TypeVar

import orjson
from pydantic import Field

from orchestrator.alerts import Alert, AlertKind, Alerts
from orchestrator.calls import Attempt
from orchestrator.clock import Clock
from orchestrator.errors import BudgetExceededError, LedgerError
from orchestrator.money import NanoUsd, format_usd
from orchestrator.policy.budgets import Limits, Period, Window, period_of
from orchestrator.policy.estimate import Script
from orchestrator.settings import Seconds, Settings
from orchestrator.state.forking import hold_still
from orchestrator.state.ledger_book import insert_operation, settle
from orchestrator.state.ledger_records import Claim, Hold, Operation, OrphanCost, Standing, TokenSample
from orchestrator.state.ledger_schema import migrate
from orchestrator.state.processes import own_process

__all__ = ["Claim", "Hold", "Ledger", "LedgerSettings", "Operation", "Standing"]

T = TypeVar("T")

KEEP_DAYS_MIN = 62
"""Two whole months: what budgets count now is never rolled up."""
_BACKOFF_MIN_S = 0.0001
_BACKOFF_MAX_S = 0.002
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
        self._lock_timeout_s = settings.lock_timeout_s
        self._clock = clock
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._connected_in = 0
        self._process = ""
        self._owed: list[Callable[[sqlite3.Connection], object]] = []
        hold_still(self)

    def hold(self, claim: Claim) -> Hold:
        """Hold the bound of one send in every scope and window it counts against, or nothing at all.

        Raises:
            BudgetExceededError: a limit would be passed; nothing was held.
            LedgerError: the file cannot be written, so nothing may be sent.
        """
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

        return Hold(self._write(write), claim, period, held_at)

    def settle(self, hold: Hold, attempt: Attempt) -> None:
        """Book what one send did cost and free the rest of its hold; doing it twice changes nothing.

        A file that cannot be written now does not lose the booking: it is written before the next
        transaction, and the hold stays counted until then. A cost above what was held is booked in full
        and raised as an alert.
        """
        claim = hold.claim
        if attempt.cost_nusd > claim.bound_nusd:
            message = (
                f"{claim.deployment} charged more than was held: {format_usd(attempt.cost_nusd)} instead of at most "
                f"{format_usd(claim.bound_nusd)}; it is booked in full. See 'orchestrator prices diff'"
            )
            self._alert(AlertKind.EXCESS, claim.operation_id, message)
        try:
            self._write_or_owe(lambda connection: settle(connection, hold, attempt))
        except LedgerError as exc:
            self._alert(AlertKind.BOOKED_LATE, claim.operation_id, str(exc))
            raise

    def close_operation(self, operation: Operation) -> None:
        """Write the row of a finished request; doing it twice changes nothing."""
        period = period_of(operation.started_at, self.limits.time_zone)
        self._write_or_owe(lambda connection: insert_operation(connection, operation, period))

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

    def token_samples(self) -> tuple[TokenSample, ...]:
        """Return what providers counted in the last prompts, oldest first; nothing where there is no file yet."""
        if self._connection is None and not self.path.exists():
            return ()
        rows = self._read(lambda connection: connection.execute(_COUNTED_INPUTS).fetchall())
        return tuple(TokenSample(model, Script(script), *tokens) for model, script, *tokens in reversed(rows))

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

    def transact_or_owe(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Do `work` in one transaction; what cannot be written now is written before the next one.

        Raises:
            LedgerError: it could not be written yet.
        """
        self._write_or_owe(work)

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

    def _alert(self, kind: AlertKind, request_id: str, message: str) -> None:
        self._alerts.tell(Alert(kind, message, request_id, self._clock.now()))

    def _write_or_owe(self, write: Callable[[sqlite3.Connection], object]) -> None:
        with self._lock:
            if self._connection is not None and self._connection.in_transaction:
                # An abandoned stream settles when Python collects it, which may be inside a transaction of ours.
                self._owed.append(write)
                return
            try:
                self._write(write)
            except LedgerError as exc:
                # What no later moment makes right must not stand in the way of every other booking.
                if not isinstance(exc.__cause__, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                    self._owed.append(write)
                raise

    def _write(self, write: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock, self._transaction() as connection:
            paid = tuple(self._owed)
            for owed in paid:
                owed(connection)
            result = write(connection)
            connection.execute("COMMIT")
            del self._owed[: len(paid)]
            return result

    def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock:
            try:
                connection = self._connect()
                return self._patiently(lambda: read(connection))
            except sqlite3.Error as exc:
                raise self._explained(exc) from exc

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._connect()
            self._patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except (sqlite3.Error, OSError) as exc:
            # A connection that began read-only stays so, also when the file was made writable. After no other
            # error: closing writes the log back, and on a disk that fails that may lose what was booked.
            if getattr(exc, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY:
                self._disconnect()
            raise self._explained(exc) from exc

    def _patiently(self, work: Callable[[], T]) -> T:
        """Do `work` again and again while other processes hold the file, up to the lock timeout."""
        # SQLite's own busy handler sleeps up to 100 ms; short random pauses have a p99 of 2.5 ms.
        give_up_s = self._clock.monotonic_s() + self._lock_timeout_s
        while True:
            try:
                return work()
            except sqlite3.OperationalError as exc:
                busy = exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or self._clock.monotonic_s() > give_up_s:
                    raise
                self._clock.pause(random.uniform(_BACKOFF_MIN_S, _BACKOFF_MAX_S))  # noqa: S311 -- no secret

    def _connect(self) -> sqlite3.Connection:
        if self._connection is not None and self._connected_in == os.getpid():
            return self._connection
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                # Patiently: SQLite waits for nobody while a new file becomes a WAL file.
                self._patiently(lambda: _prepare(connection, path=str(self.path)))
            except BaseException:
                connection.close()
                raise
        except (sqlite3.Error, OSError) as exc:
            raise self._explained(exc) from exc
        self._connection = connection
        self._connected_in = os.getpid()
        self._process = own_process()
        return connection

    def _explained(self, error: Exception) -> LedgerError:
        # Without the path, whose words say nothing about what went wrong.
        text = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if "disk is full" in text or "No space" in text:
            todo = "free some space on that disk"
        elif "disk I/O error" in text:
            todo = "look at the disk: a quota, a limit of file size, or the disk itself fails"
        elif "locked" in text:
            todo = (
                f"another process holds it for longer than {self._lock_timeout_s:g} s; see who with 'fuser'"
            )
        elif "not a database" in text or "malformed" in text:
            todo = "the file is damaged or no ledger: move it away and restore the last good copy"
        else:
            todo = "make the file and its folder writable, or set ledger.path in config.yaml"
        return LedgerError(
            f"cannot use the ledger {self.path}: {text}; {todo}. Nothing is sent that cannot be booked."
        )


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
