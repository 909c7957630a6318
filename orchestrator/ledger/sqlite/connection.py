"""The ledger's file: transactions that wait for other processes, and bookings that are deferred.

Nothing is lost because the file cannot be written now, or is another by now: what could not be booked
is kept in memory and written before the next transaction. An event loop never waits for another process:
a try that finds the file busy leaves the loop to others, and what is deferred is written by a task of its
own.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from orchestrator.core.clock import Clock
from orchestrator.core.errors import LedgerError
from orchestrator.core.fork_hooks import forget_in_child, hold_still
from orchestrator.core.private_folder import make_private_folder
from orchestrator.ledger.process_identity import own_process
from orchestrator.ledger.sqlite.busy_retry import BusyRetry
from orchestrator.ledger.sqlite.commit_group import CommitGroup
from orchestrator.ledger.sqlite.errors import explained, in_use, kept
from orchestrator.ledger.sqlite.file_contents import FileContents
from orchestrator.ledger.sqlite.file_identity import (
    FileIdentity,
    FileStatus,
    LedgerLostError,
    check_owner,
    check_plain,
    make_file,
    take_rights_of_others,
)
from orchestrator.ledger.sqlite.request_rows import GatheredRow, record_requests
from orchestrator.ledger.sqlite.schema import migrate
from orchestrator.ledger.store import LedgerBusyError

T = TypeVar("T")

OnLate = Callable[[int, LedgerError], None]
"""Is called with the number of bookings that wait, and with why, when they could not be written aside."""

Migrate = Callable[..., None]
"""Brings a file that was opened up to date: takes the connection, and `path` for messages."""

_AT_ONCE_S = 0.005
"""What a booking may hold up an event loop: longer than other processes' transactions usually take."""


class LedgerFile:
    """One SQLite file, shared by threads and processes."""

    def __init__(
        self,
        path: Path,
        *,
        lock_timeout_s: float,
        clock: Clock,
        on_late: OnLate,
        migrate: Migrate = migrate,
        contents: FileContents | None = None,
    ) -> None:
        """Remember where the file is; the first use opens it, and `migrate` brings it up to date.

        `contents` finds out when others are copied over it; None where no money is kept in it.
        """
        self._migrate = migrate
        self.path = path
        self.process = ""
        """This process, as holds name it; known once the file is open."""
        self.deferred: list[Callable[[sqlite3.Connection], object]] = []
        self.gathered: list[GatheredRow] = []
        """Rows without money that wait for the next transaction, of whoever it is."""
        self.writing: asyncio.Task[None] | None = None
        """Writes what is deferred, on the event loop that deferred it."""
        self._group: CommitGroup | None = None
        self._on_late = on_late
        self._busy_retry = BusyRetry(limit_s=lock_timeout_s, clock=clock)
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._connected_in = 0
        self._closed_by_fork = False
        """The next transaction opens it again, and so does a close that has something to write."""
        self._identity = FileIdentity(path)
        self._contents = contents
        hold_still(self)
        forget_in_child(self)

    @property
    def is_there(self) -> bool:
        """Return whether there is a file, or one will be: looking makes none."""
        return self._connection is not None or self.path.exists()

    @property
    def is_open(self) -> bool:
        """Return whether this process has the file open."""
        return self._connection is not None and self._connected_in == os.getpid()

    def write(self, write: Callable[[sqlite3.Connection], T]) -> T:
        """Do `write`, and all that is deferred before it, in one transaction; an error undoes all of it.

        Raises:
            LedgerError: the file cannot be written; says why and what to do.
        """
        return self._busy_retry.wait(lambda: self._write_once(write))

    async def awrite(self, write: Callable[[sqlite3.Connection], T]) -> T:
        """Do `write` as `write` does; while others hold the file, the event loop does other work."""
        return await self._busy_retry.wait_aside(lambda: self._write_once(write))

    async def awrite_unless(
        self, is_needless: Callable[[], bool], write: Callable[[sqlite3.Connection], T]
    ) -> T | None:
        """Do `write` as `awrite` does; None once `is_needless`, which is asked before each try."""
        return await self._busy_retry.wait_aside(lambda: None if is_needless() else self._write_once(write))

    def write_at_once(self, write: Callable[[sqlite3.Connection], T], *, waits: bool = True) -> T:
        """Do `write` as `write` does, and wait for others no longer than an event loop may stand still.

        Without `waits` it is tried once.

        Raises:
            LedgerBusyError: others hold the file.
            LedgerError: the file cannot be written.
        """
        if not waits:
            return self._write_once(write)
        return self._busy_retry.wait(lambda: self._write_once(write), limit_s=_AT_ONCE_S)

    def write_or_defer(self, write: Callable[[sqlite3.Connection], object], *, on_loop: bool = False) -> None:
        """Do `write` in one transaction, or defer it to the next; `on_loop`, the event loop is not held up.

        Raises:
            LedgerError: it could not be written yet.
        """
        with self._lock:
            if self._connection is not None and self._connection.in_transaction:
                # An abandoned stream settles when Python collects it: maybe inside a transaction of ours.
                self.deferred.append(write)
                return
        # Behind others that are deferred a wait is in vain: they are written as soon as can be.
        limit_s = (0.0 if self.deferred else _AT_ONCE_S) if on_loop else None
        try:
            self._busy_retry.wait(lambda: self._write_once(write), limit_s=limit_s)
        except LedgerError as exc:
            # What no later moment makes right must not stand in the way of every other booking.
            if not isinstance(exc.__cause__, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                self.deferred.append(write)
                if on_loop and isinstance(exc, LedgerBusyError):
                    self._write_deferred_aside()
                    raise in_use(self.path) from exc.__cause__
                raise kept(exc) from exc.__cause__
            raise

    def defer(self, writes: Sequence[Callable[[sqlite3.Connection], object]]) -> LedgerBusyError:
        """Keep bookings that the busy file could not take, and write them by a task; return why they wait."""
        self.deferred.extend(writes)
        self._write_deferred_aside()
        return in_use(self.path)

    def late(self, error: LedgerError) -> None:
        """Raise the alarm of bookings that are kept, and not written."""
        self._on_late(len(self.deferred), error)

    def group(self) -> CommitGroup:
        """Return what the running event loop writes together.

        Raises:
            RuntimeError: no event loop runs on this thread.
        """
        loop = asyncio.get_running_loop()
        if self._group is None or self._group.loop is not loop:
            self._take_over_group()
            self._group = CommitGroup(self, loop)
        return self._group

    def read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `read` returns.

        Raises:
            LedgerError: the file cannot be read.
        """
        return self._busy_retry.wait(lambda: self._read_once(read))

    async def aopen(self) -> None:
        """Open the file if it is not open yet; while others hold it, the event loop does other work.

        Raises:
            LedgerError: it cannot be opened; says why and what to do.
        """
        if not self.is_open:
            await self._busy_retry.wait_aside(lambda: self._read_once(lambda _: None))

    def close(self) -> None:
        """Write what is deferred and close the file; of a lost one, say how much is not booked.

        Raises:
            LedgerError: the file is there, and what is deferred cannot be written; it is closed.
        """
        with self._lock:
            if not self.is_open and not self._closed_by_fork:
                return
            try:
                self._take_over_group()
                if self.deferred or self.gathered:
                    self.write(lambda _: None)
            except LedgerLostError as exc:
                # Nobody who closes can bring it back.
                self._on_late(len(self.deferred), exc)
            finally:
                self._disconnect()
                self._closed_by_fork = False

    def before_fork(self) -> None:
        """Wait for the transaction under way, and close the file."""
        self._lock.acquire()
        self._closed_by_fork = self._closed_by_fork or self._connection is not None
        self._disconnect()

    def after_fork(self) -> None:
        """Let transactions begin again; the first one opens the file."""
        self._lock.release()

    def begin_anew(self) -> None:
        """Leave to the parent of this process what it has not written yet."""
        self.deferred, self.gathered = [], []
        self._group, self.writing = None, None

    def _take_over_group(self) -> None:
        """Write with the next transaction what a loop has left that turns no more."""
        if self._group is not None:
            self.deferred.extend(write for _, write in self._group.bookings)
            self._group.bookings.clear()

    def _disconnect(self) -> None:
        if self._connection is not None and self.is_open:
            self._connection.close()
        self._connection = None
        self._identity.forget_log()

    def _write_deferred_aside(self) -> None:
        loop = asyncio.get_running_loop()
        writing = self.writing
        # After a fork it is the parent's.
        if writing is None or writing.done() or writing.get_loop() is not loop:
            self.writing = loop.create_task(self._write_deferred())

    async def _write_deferred(self) -> None:
        while self.deferred:
            first = self.deferred[0]
            try:
                await self._busy_retry.wait_aside(partial(self._write_deferred_once, first))
            except LedgerError as exc:
                # Late is what waited all the time, and not what came a moment ago and behind others.
                if first in self.deferred:
                    self._on_late(len(self.deferred), kept(exc))
                    return

    def _write_deferred_once(self, first: Callable[[sqlite3.Connection], object]) -> None:
        # Any other transaction has written it along.
        if first in self.deferred:
            self._write_once(lambda _: None)

    def _write_once(self, write: Callable[[sqlite3.Connection], T]) -> T:
        # The lock is held for one try and not for the wait, in which another thread may need it.
        with self._lock:
            try:
                connection = self._connect()
                connection.execute("BEGIN IMMEDIATE")
                return self._committed(connection, write)
            except (sqlite3.Error, OSError) as exc:
                # A connection that began read-only stays so, also when the file was made writable. After no
                # other error: closing writes the log back, and a disk that fails may lose what was booked.
                if getattr(exc, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY:
                    self._disconnect()
                raise explained(exc, path=self.path, waited_s=self._busy_retry.limit_s) from exc

    def _committed(self, connection: sqlite3.Connection, write: Callable[[sqlite3.Connection], T]) -> T:
        try:
            deferred, gathered = tuple(self.deferred), tuple(self.gathered)
            for booking in deferred:
                booking(connection)
            record_requests(connection, gathered)
            result = write(connection)
            if self._contents is not None:
                self._contents.raise_generation(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if self._contents is not None:
            self._contents.note_raised()
        del self.deferred[: len(deferred)]
        del self.gathered[: len(gathered)]
        return result

    def _read_once(self, read: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock:
            try:
                return read(self._connect())
            except sqlite3.Error as exc:
                raise explained(exc, path=self.path, waited_s=self._busy_retry.limit_s) from exc

    def _connect(self) -> sqlite3.Connection:
        try:
            # Before every transaction, and before a file that is gone would be made anew.
            status = self._identity.check()
            if self._connection is None or self._connected_in != os.getpid():
                self._connection, status = self._open()
                self._connected_in = os.getpid()
                self.process = own_process()
            if self._contents is not None:
                self._contents.check(self._connection, status)
        except (sqlite3.Error, OSError) as exc:
            raise explained(exc, path=self.path, waited_s=self._busy_retry.limit_s) from exc
        return self._connection

    def _open(self) -> tuple[sqlite3.Connection, FileStatus]:
        make_private_folder(self.path.parent)
        make_file(self.path)
        check_plain(self.path)
        check_owner(self.path)
        self._identity.expect()
        connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            take_rights_of_others(self.path)
            _prepare(connection)
            self._migrate(connection, path=str(self.path))
            status = self._identity.remember()
        except BaseException:
            connection.close()
            raise
        return connection, status


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # NORMAL survives a killed process whole; a power cut may lose the last moments.
    connection.execute("PRAGMA synchronous = NORMAL")
