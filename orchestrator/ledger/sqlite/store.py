"""The ledger's verbs over one SQLite file, shared by threads and processes."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from orchestrator.core.clock import Clock
from orchestrator.core.money import NanoUsd
from orchestrator.core.prompt_size import Script
from orchestrator.core.reply import Attempt
from orchestrator.ledger.facts import Counter, RolledDay, UnequalCounter
from orchestrator.ledger.feedback import Feedback
from orchestrator.ledger.idempotency_keys import ExpiredKey, KeyClaim, KeyHolder
from orchestrator.ledger.periods import Period
from orchestrator.ledger.records import (
    CostCorrection,
    Hold,
    NewHold,
    OrphanBooking,
    RequestRecord,
    RunStatus,
    Shortage,
    TokenSample,
)
from orchestrator.ledger.sqlite import day_sums, queries, runs, statements
from orchestrator.ledger.sqlite import keys as key_rows
from orchestrator.ledger.sqlite.connection import LedgerFile, OnLate
from orchestrator.ledger.sqlite.file_contents import FileContents, lost_contents
from orchestrator.ledger.sqlite.orphans import settle_orphan
from orchestrator.ledger.sqlite.reader import LedgerReader
from orchestrator.ledger.sqlite.request_rows import record_request
from orchestrator.ledger.sqlite.roll_up import drop_unused_shapes, roll_up_day
from orchestrator.ledger.sqlite.time_zone import change_zone, take_zone
from orchestrator.ledger.store import RequestOf

_TICK = ("INSERT INTO about VALUES ('tick', '')", "DELETE FROM about WHERE key = 'tick'")
"""Writes a page and leaves no row."""


class SqliteStore:
    """A `LedgerStore` in one file; what each verb promises stands there."""

    def __init__(self, path: Path, *, lock_timeout_s: float, clock: Clock, on_late: OnLate) -> None:
        """Remember where the file is; it is opened with the first verb."""
        self.path = path
        self.file = LedgerFile(
            path, lock_timeout_s=lock_timeout_s, clock=clock, on_late=on_late, contents=FileContents(path)
        )
        self._last: Hold | None = None
        """The last hold of this process: a ledger that no longer has it, in any form, is an older one."""
        self._misses_last = False
        """Whether that was so when this process looked last."""

    @property
    def location(self) -> str:
        """Return the path of the file."""
        return str(self.path)

    @property
    def exists(self) -> bool:
        """Return whether there is a file: looking makes none."""
        return self.file.is_there

    @property
    def is_open(self) -> bool:
        """Return whether this process has the file open."""
        return self.file.is_open

    def check_writable(self) -> None:
        """Open the file, bring it up to date, and write to it."""
        self.file.write(self._write_something)

    def take_time_zone(self, time_zone: str) -> None:
        """Let the file count days of a zone, or refuse another than it counts."""
        self.file.write(lambda connection: take_zone(connection, time_zone, path=self.path))

    def change_time_zone(self, time_zone: str) -> str | None:
        """Let the file count days of another zone; return the one before."""
        return self.file.write(lambda connection: change_zone(connection, time_zone, path=self.path))

    async def aopen(self) -> None:
        """Open the file if it is not open yet; the event loop is not held up."""
        await self.file.aopen()

    def close(self) -> None:
        """Write what is deferred and close the file."""
        self.file.close()

    def hold(self, new: NewHold) -> Hold | Shortage:
        """Hold in every counter of a claim, or nothing at all."""
        try:
            last = self._last = self.file.write(lambda connection: self._hold(connection, new))
        except statements.ShortageError as exc:
            return exc.shortage
        return last

    async def ahold(self, new: NewHold) -> Hold | Shortage:
        """Hold as `hold` does; the event loop is not held up."""
        try:
            last = self._last = await self.file.group().write(
                lambda connection: self._hold(connection, new), undo=statements.release
            )
        except statements.ShortageError as exc:
            return exc.shortage
        return last

    def settle(self, hold: Hold, attempt: Attempt) -> None:
        """Replace a hold by its attempt, now or before the next transaction."""
        self.file.write_or_defer(lambda connection: statements.settle(connection, hold, attempt))

    def settle_deferred(self, hold: Hold, attempt: Attempt) -> None:
        """Settle with what else this turn of the event loop writes."""
        self._book(hold.request.operation_id, lambda connection: statements.settle(connection, hold, attempt))

    def record_request(self, record: RequestRecord, period: Period) -> None:
        """Write the row of a finished request, now or before the next transaction."""
        self.file.write_or_defer(lambda connection: record_request(connection, record, period))

    def record_request_deferred(self, record: RequestRecord, period: Period) -> None:
        """Write the row with what else this turn of the event loop writes."""
        self._book(record.id, lambda connection: record_request(connection, record, period))

    async def written(self, operation_id: str) -> None:
        """Return when what a request has deferred in this turn of the event loop is written."""
        await self.file.group().written(operation_id)

    def gather_request(self, record: RequestRecord, period: Period) -> None:
        """Take the row of a request that cost nothing, for the next transaction."""
        self.file.gathered.append((record, period))

    def write_gathered(self) -> None:
        """Write the rows that were gathered, if that can be done at once."""
        if self.file.gathered:
            self.file.write_at_once(lambda _: None)

    def correct(self, correction: CostCorrection) -> int | None:
        """Book what an attempt did cost by a record or a person's word; return the difference."""
        return self.file.write(lambda connection: statements.correct(connection, correction))

    def give_feedback(self, feedback: Feedback, *, tenant: str | None = None) -> bool:
        """Keep what a source thinks of an answer; False without such a request."""
        return self.file.write(
            lambda connection: statements.keep_feedback(connection, feedback, tenant=tenant)
        )

    def settle_orphans(self, orphans: Sequence[OrphanBooking], request_of: RequestOf) -> tuple[bool, ...]:
        """Settle holds that were left and record their requests, in one transaction."""
        return self.file.write(
            lambda connection: tuple(settle_orphan(connection, orphan, request_of) for orphan in orphans)
        )

    def roll_up_day(self, day: str) -> RolledDay | UnequalCounter:
        """Turn a day's rows into a part of its month's sums."""
        return self.file.write(lambda connection: roll_up_day(connection, day))

    def sum_day(self, day: str) -> bool:
        """Keep the sums of a day, or say that something was booked into it meanwhile."""
        token = self.file.write(lambda connection: day_sums.announce(connection, day))
        if token is None:
            return True
        with self.view() as view:
            sums = view.day_rows(day)
        return self.file.write(lambda connection: day_sums.keep_sums(connection, day, token, sums))

    def drop_unused(self) -> int:
        """Drop what no row refers to any more."""
        return self.file.write(
            lambda connection: drop_unused_shapes(connection) + day_sums.drop_stale(connection)
        )

    def counter(self, scope: str, period: str) -> Counter:
        """Return what a scope has spent and holds in a window."""
        row = self.file.read(
            lambda connection: connection.execute(queries.COUNTER, (period, scope)).fetchone()
        )
        spent, held = row or (0, 0)
        return Counter(scope, period, NanoUsd(spent), NanoUsd(held))

    def counters(self, *periods: str) -> tuple[Counter, ...]:
        """Return every counter of some windows."""
        query = queries.counters_sql(len(periods))
        rows = self.file.read(lambda connection: connection.execute(query, periods).fetchall())
        return tuple(
            Counter(scope, period, NanoUsd(spent), NanoUsd(held)) for scope, period, spent, held in rows
        )

    def began_at(self) -> datetime | None:
        """Return when money was counted first."""
        row = self.file.read(lambda connection: connection.execute(queries.BEGAN_AT).fetchone())
        return None if row is None else datetime.fromisoformat(row[0])

    def run(self, tenant: str, name: str) -> RunStatus | None:
        """Return how a run of a tenant stands."""
        return self.file.read(lambda connection: runs.standing(connection, tenant, name))

    def token_samples(self, attempts: int) -> tuple[TokenSample, ...]:
        """Return what providers counted in the last prompts, oldest first."""
        rows = self.file.read(
            lambda connection: connection.execute(queries.COUNTED_INPUTS, (attempts,)).fetchall()
        )
        return tuple(TokenSample(model, Script(script), *tokens) for model, script, *tokens in reversed(rows))

    def view(self) -> LedgerReader:
        """Return a read-only look at the file."""
        return LedgerReader(self.path)

    async def claim_key(self, claim: KeyClaim) -> KeyHolder | None:
        """Take a free key, or return which request has it."""
        return await self.file.awrite(
            lambda connection: key_rows.claim(connection, claim, process=self.file.process)
        )

    async def take_over_key(self, claim: KeyClaim, *, over: KeyHolder) -> bool:
        """Put a request in the place of `over`, if that still has the key."""
        return await self.file.awrite(
            lambda connection: key_rows.take_over(connection, claim, over=over, process=self.file.process)
        )

    def finish_key(self, claim: KeyClaim, *, operation_id: str, until: datetime) -> None:
        """Note that a reply is stored; the event loop is not held up."""
        self.file.write_or_defer(
            lambda connection: key_rows.finish(connection, claim, operation_id=operation_id, until=until),
            on_loop=True,
        )

    def free_key(self, claim: KeyClaim) -> None:
        """Let the next caller try; the event loop is not held up."""
        self.file.write_or_defer(lambda connection: key_rows.free(connection, claim), on_loop=True)

    async def expired_keys(
        self, *, done_until: datetime, running_until: datetime, limit: int
    ) -> tuple[ExpiredKey, ...]:
        """Return the keys whose time is over."""
        return await self.file.awrite(
            lambda connection: key_rows.expired(
                connection, done_until=done_until, running_until=running_until, limit=limit
            )
        )

    async def forget_keys(self, keys: Sequence[ExpiredKey]) -> None:
        """Free keys whose time is over."""
        await self.file.awrite(lambda connection: key_rows.forget(connection, keys))

    def _book(self, operation_id: str, write: Callable[[sqlite3.Connection], object]) -> None:
        try:
            group = self.file.group()
        except RuntimeError:
            # An abandoned stream settles when Python collects it, on whichever thread that is.
            self.file.write_or_defer(write)
        else:
            group.book(operation_id, write)

    def _hold(self, connection: sqlite3.Connection, new: NewHold) -> Hold:
        take_zone(connection, new.period.time_zone, path=self.path)
        last = self._last
        # Rows of a day that is over may have been rolled up meanwhile.
        is_expected = last is not None and last.period.day == new.period.day
        if is_expected:
            self._check_last(connection)
        else:
            self._misses_last = False
        # Which process this is, is known once the file is open.
        return statements.hold(connection, new, process=self.file.process)

    def _write_something(self, connection: sqlite3.Connection) -> None:
        """Bring a page to the log, which a full disk has no room for."""
        if self._misses_last:
            self._check_last(connection)
        for statement in _TICK:
            connection.execute(statement)

    def _check_last(self, connection: sqlite3.Connection) -> None:
        self._misses_last = self._last is not None and not statements.is_kept(connection, self._last)
        if self._misses_last:
            raise lost_contents(
                self.path, "what this process booked last is gone: an older copy was put back"
            )
