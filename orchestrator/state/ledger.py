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
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import TypeVar

import orjson

from orchestrator.calls import Attempt
from orchestrator.clock import Clock
from orchestrator.errors import BudgetExceededError, LedgerError
from orchestrator.money import NanoUsd
from orchestrator.policy.budgets import Limits, Period, Window, period_of
from orchestrator.settings import Seconds, Settings
from orchestrator.state.forking import hold_still
from orchestrator.state.ledger_records import Claim, Hold, Operation, Standing
from orchestrator.state.ledger_schema import migrate

__all__ = ["Claim", "Hold", "Ledger", "LedgerSettings", "Operation", "Standing"]

T = TypeVar("T")

_BACKOFF_MIN_S = 0.0001
_BACKOFF_MAX_S = 0.002


class LedgerSettings(Settings):
    """Where the ledger is kept."""

    path: str = "~/.nextflow-orchestrator/ledger.sqlite3"
    """A file on a local disk (not a network share); every process that shares it shares the budgets."""
    lock_timeout_s: Seconds = 5.0
    """How long a transaction waits for other processes before it gives up."""


class Ledger:
    """The embedded ledger: one SQLite file, shared by threads and processes."""

    def __init__(self, settings: LedgerSettings, *, limits: Limits, clock: Clock) -> None:
        """Remember where the file is; it is opened with the first use."""
        self.path = Path(settings.path).expanduser()
        self.limits = limits
        self._lock_timeout_s = settings.lock_timeout_s
        self._clock = clock
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._connected_in = 0
        self._process = ""
        self._owed: list[Callable[[sqlite3.Connection], None]] = []
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
                " held_nusd, held_at, process) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
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
                ),
            )
            return row.lastrowid or 0

        return Hold(self._write(write), claim, period, held_at)

    def settle(self, hold: Hold, attempt: Attempt) -> None:
        """Book what one send did cost and free the rest of its hold; doing it twice changes nothing.

        A file that cannot be written now does not lose the booking: it is written before the next
        transaction, and the hold stays counted until then.
        """
        self._write_or_owe(lambda connection: _settle(connection, hold, attempt))

    def close_operation(self, operation: Operation) -> None:
        """Write the row of a finished request; doing it twice changes nothing."""
        period = period_of(operation.started_at, self.limits.time_zone)
        self._write_or_owe(lambda connection: _insert_operation(connection, operation, period))

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
                # What costs nothing is never over a limit: the local model answers when the money is gone.
                if limit is not None and claim.bound_nusd > 0:
                    _refuse_over(connection, claim, scope=scope, window=window, limit=limit, period=period)

    def _write_or_owe(self, write: Callable[[sqlite3.Connection], None]) -> None:
        with self._lock:
            try:
                self._write(write)
            except LedgerError as exc:
                # What no later moment makes right must not stand in the way of every other booking.
                if not isinstance(exc.__cause__, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                    self._owed.append(write)
                raise

    def _write(self, write: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock, self._transaction() as connection:
            for owed in self._owed:
                owed(connection)
            result = write(connection)
            connection.execute("COMMIT")
            self._owed.clear()
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
        self._process = f"{socket.gethostname()}:{os.getpid()}"
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


def _settle(connection: sqlite3.Connection, hold: Hold, attempt: Attempt) -> None:
    claim = hold.claim
    freed = connection.execute(
        "DELETE FROM holds WHERE id = ? AND operation_id = ? AND attempt = ?",
        (hold.id, claim.operation_id, claim.number),
    )
    if freed.rowcount == 0:
        return
    marks = ",".join("?" * len(claim.scopes))
    connection.execute(
        f"UPDATE counters SET held_nusd = held_nusd - ?, spent_nusd = spent_nusd + ? WHERE period IN (?,?) AND scope IN ({marks})",  # noqa: S608 -- only question marks
        (claim.bound_nusd, attempt.cost_nusd, hold.period.day, hold.period.month, *claim.scopes),
    )
    usage = attempt.usage
    connection.execute(
        f"INSERT INTO attempts VALUES ({','.join('?' * 25)})",  # noqa: S608 -- only question marks
        (
            claim.operation_id,
            claim.number,
            hold.period.day,
            hold.period.month,
            orjson.dumps(claim.scopes).decode(),
            claim.deployment,
            claim.provider,
            claim.model,
            attempt.outcome.value,
            attempt.failure,
            attempt.status,
            hold.held_at.astimezone(UTC).isoformat(),
            round(attempt.latency_s * 1000),
            None if attempt.first_token_s is None else round(attempt.first_token_s * 1000),
            usage.input_tokens,
            usage.output_tokens,
            usage.cached_input_tokens,
            usage.cache_write_tokens,
            usage.reasoning_tokens,
            int(usage.estimated),
            claim.bound_nusd,
            attempt.cost_nusd,
            attempt.cost_source.value,
            claim.price_version,
            attempt.upstream_id,
        ),
    )


def _insert_operation(connection: sqlite3.Connection, operation: Operation, period: Period) -> None:
    connection.execute(
        f"INSERT OR IGNORE INTO operations VALUES ({','.join('?' * 20)})",  # noqa: S608 -- only question marks
        (
            operation.id,
            operation.started_at.astimezone(UTC).isoformat(),
            period.day,
            period.month,
            operation.tenant,
            operation.use_case,
            operation.user,
            orjson.dumps(operation.tags).decode(),
            operation.outcome.value,
            operation.error,
            operation.cached.value,
            operation.degraded,
            operation.deployment,
            operation.provider,
            operation.model,
            operation.attempts,
            operation.usage.input_tokens,
            operation.usage.output_tokens,
            operation.cost_nusd,
            round(operation.latency_s * 1000),
        ),
    )
