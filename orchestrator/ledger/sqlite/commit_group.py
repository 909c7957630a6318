"""What the tasks of one event loop write in one turn of it, committed together.

A transaction costs several times what is written in it. So whoever books on a loop leaves it here, and what
came in one turn is one transaction: of one request the settlement and the row, of a hundred requests what
all of them had to write. Nobody goes on before that: a hold is returned when it is committed, and a reply
when `written` says that its bookings are.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from orchestrator.core.errors import LedgerError
from orchestrator.ledger.sqlite.statements import ShortageError
from orchestrator.ledger.store import LedgerBusyError

T = TypeVar("T")

Write = Callable[[sqlite3.Connection], T]


class File(Protocol):
    """What a group needs of a ledger's file."""

    deferred: list[Write[object]]

    def write_at_once(self, write: Write[T], *, waits: bool = True) -> T:
        """Write, and hold the event loop up for a moment at most, or not at all."""

    async def awrite_unless(self, is_needless: Callable[[], bool], write: Write[T]) -> T | None:
        """Write, unless it is needless by then; the event loop does other work."""

    def write_or_defer(self, write: Write[object], *, on_loop: bool = False) -> None:
        """Write, or keep it for later and raise."""

    def defer(self, writes: Sequence[Write[object]]) -> LedgerBusyError:
        """Keep bookings that the busy file could not take; return what their callers are told."""

    def late(self, error: LedgerError) -> None:
        """Raise the alarm of bookings that are kept, and not written."""


class _Claim:
    """A write whose outcome somebody waits for."""

    def __init__(self, write: Write[Any]) -> None:
        self.write = write
        self.is_done = False
        self.outcome: Any = None
        """What it returned, or the error that undid it alone."""


class CommitGroup:
    """The writes of one event loop; used on its thread alone."""

    def __init__(self, file: File, loop: asyncio.AbstractEventLoop) -> None:
        """Begin with nothing to write."""
        self.loop = loop
        self.bookings: list[tuple[str, Write[object]]] = []
        """Of which request, and what; they are written at the end of this turn."""
        self._file = file
        self._claims: list[_Claim] = []
        self._errors: dict[str, Exception] = {}
        self._is_scheduled = False

    async def write(self, write: Write[T], *, undo: Callable[[sqlite3.Connection, T], object]) -> T:
        """Return what `write` returned when it is committed; its error undoes it alone.

        A caller that is cancelled when it was committed already takes nothing: `undo` is written then.

        Raises:
            LedgerError: the file cannot be written; nothing of it was.
            ShortageError: what `write` raised.
        """
        claim = _Claim(write)
        self._claims.append(claim)
        self._schedule()
        try:
            await asyncio.sleep(0)
            if not claim.is_done:
                await self._write_aside(claim)
        except BaseException:
            self._leave(claim, undo)
            raise
        if isinstance(claim.outcome, Exception):
            raise claim.outcome
        result: T = claim.outcome
        return result

    def book(self, operation_id: str, write: Write[object]) -> None:
        """Write a booking of a request at the end of this turn."""
        self.bookings.append((operation_id, write))
        self._schedule()

    async def written(self, operation_id: str) -> None:
        """Return when what a request has booked in this turn is committed.

        Raises:
            LedgerError: it is not yet, and why; it is kept.
        """
        if self._is_scheduled:
            await asyncio.sleep(0)
        error = self._errors.pop(operation_id, None)
        if error is not None:
            raise error

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            # Before whoever waits for a turn of the loop goes on.
            self.loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._is_scheduled = False
        self._errors.clear()
        bookings, self.bookings = self.bookings, []
        claims = list(self._claims)
        if not (bookings or claims or self._file.deferred):
            return
        try:
            outcomes = self._file.write_at_once(partial(_write_all, [write for _, write in bookings], claims))
        except LedgerBusyError:
            if bookings:
                busy = self._file.defer([write for _, write in bookings])
                self._errors.update((operation_id, busy) for operation_id, _ in bookings)
        except Exception:  # noqa: BLE001 -- whoever waits meets its own, and no booking meets another's
            self._book_each(bookings)
        except BaseException:
            # Ctrl-C: they are written before the next transaction, and twice changes nothing.
            self._file.deferred.extend(write for _, write in bookings)
            raise
        else:
            self._finish(claims, outcomes)

    def _book_each(self, bookings: Sequence[tuple[str, Write[object]]]) -> None:
        """Write each by itself: what no later moment makes right stands in the way of no other."""
        for operation_id, write in bookings:
            try:
                self._file.write_or_defer(write, on_loop=True)
            except Exception as exc:  # noqa: BLE001 -- it is raised to its own request
                self._errors[operation_id] = exc
                if isinstance(exc, LedgerError) and not isinstance(exc, LedgerBusyError):
                    # Its request may be gone by now.
                    self._file.late(exc)

    async def _write_aside(self, claim: _Claim) -> None:
        """Write all claims there are, or where that fails this alone; others may be faster."""
        claims: list[_Claim] = []

        def write(connection: sqlite3.Connection) -> list[object]:
            claims[:] = self._claims
            return _write_all((), claims, connection)

        try:
            outcomes = await self._file.awrite_unless(lambda: claim.is_done, write)
        except LedgerBusyError:
            raise
        except Exception:
            if claims == [claim]:
                raise
            claims = [claim]
            outcomes = await self._file.awrite_unless(lambda: claim.is_done, partial(_write_all, (), claims))
        if outcomes is not None:
            self._finish(claims, outcomes)

    def _finish(self, claims: Sequence[_Claim], outcomes: Sequence[object]) -> None:
        for claim, outcome in zip(claims, outcomes, strict=True):
            claim.is_done, claim.outcome = True, outcome
        self._claims = [claim for claim in self._claims if not claim.is_done]

    def _leave(self, claim: _Claim, undo: Callable[[sqlite3.Connection, Any], object]) -> None:
        if not claim.is_done:
            self._claims.remove(claim)
        elif not isinstance(claim.outcome, Exception):
            outcome = claim.outcome
            self._file.deferred.append(lambda connection: undo(connection, outcome))
            # A loop that is closed turns no more: the next transaction writes it.
            with contextlib.suppress(RuntimeError):
                self._schedule()


def _write_all(
    bookings: Sequence[Write[object]], claims: Sequence[_Claim], connection: sqlite3.Connection
) -> list[object]:
    """Write bookings, then claims, for which there is more money by then; return the claims' outcomes."""
    for booking in bookings:
        booking(connection)
    return [_apart(connection, claim.write) for claim in claims]


def _apart(connection: sqlite3.Connection, write: Write[object]) -> object:
    """Return what `write` returns, or the error that undid it and nothing else."""
    connection.execute("SAVEPOINT claim")
    try:
        outcome = write(connection)
    except (ShortageError, LedgerError) as exc:
        connection.execute("ROLLBACK TO claim")
        outcome = exc
    connection.execute("RELEASE claim")
    return outcome
