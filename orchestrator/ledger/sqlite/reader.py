"""Reads the ledger for reports: read-only, one consistent view, never in the way of a send.

    with LedgerReader(path) as reader:
        attempts = reader.attempts(month="2026-11")

The file is opened read-only, so a report can neither create nor change a ledger.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import orjson

from orchestrator.core.errors import LedgerError
from orchestrator.core.money import NanoUsd
from orchestrator.ledger.facts import (
    TABLES,
    ArmRow,
    AssumedCost,
    BookedSum,
    CostSample,
    Counter,
    Excess,
    OpenHold,
    Rows,
    RunSum,
    SourceSum,
    UnclaimedAttempt,
    UnequalOperation,
)
from orchestrator.ledger.feedback import FeedbackSum
from orchestrator.ledger.kept_plan import OwnTerms, terms_in, unpacked_plan
from orchestrator.ledger.periods import booked_in
from orchestrator.ledger.records import HoldRequest
from orchestrator.ledger.requests import RequestDetail, RequestQuery, RequestRow
from orchestrator.ledger.sqlite import arm_queries, queries, request_queries
from orchestrator.ledger.sqlite.file_identity import check_plain
from orchestrator.ledger.sqlite.runs import sums_of
from orchestrator.ledger.sqlite.schema import READABLE_SINCE, VERSION, stand_in
from orchestrator.ledger.sqlite.usage_reader import UsageReader, is_day
from orchestrator.ledger.usage import Selection, StoredTable

T = TypeVar("T")


class LedgerReader(UsageReader):
    """One look at a ledger file; everything read through it is of the same moment."""

    def __init__(self, path: Path) -> None:
        """Remember where the file is; it is opened on entering."""
        self.path = path
        self._connection: sqlite3.Connection | None = None

    @property
    def exists(self) -> bool:
        """Return whether there is a file; a ledger that was never used is none.

        Raises:
            LedgerError: the file can never be there, because a part of its path is no folder.
        """
        blocking = next(
            (parent for parent in self.path.parents if parent.exists() and not parent.is_dir()), None
        )
        if blocking is not None:
            msg = f"cannot use the ledger {self.path}: {blocking} is not a folder; set ORCHESTRATOR_HOME or ledger.path"
            raise LedgerError(msg)
        return self.path.is_file() and self.path.stat().st_size > 0

    @property
    def location(self) -> str:
        """Return the path of the file."""
        return str(self.path)

    @property
    def time_zone(self) -> str | None:
        """Return the zone whose days the ledger counts, None before the first hold."""
        return next((str(zone) for (zone,) in self._each(queries.TIME_ZONE)), None)

    @property
    def began_at(self) -> datetime | None:
        """Return when money was counted first, None before the first hold."""
        return next((datetime.fromisoformat(began) for (began,) in self._each(queries.BEGAN_AT)), None)

    def operations(self, *, month: str, tenant: str | None = None) -> Rows:
        """Return the requests that began in a month, one row each, oldest first."""
        return self._rows(queries.OPERATIONS, {"month": month, "tenant": tenant})

    def attempts(self, *, month: str, tenant: str | None = None) -> Rows:
        """Return the sends that were booked into a month, one row each, oldest first."""
        return self._rows(queries.ATTEMPTS, {"month": month, "tenant": tenant})

    def rolled(self, *, month: str, tenant: str | None = None) -> Rows:
        """Return the sums of a compacted month, by tenant, use case and model; nothing of any other month."""
        rolled = self._rows(queries.ROLLED, {"month": month, "tenant": tenant})
        for row in rolled.rows:
            if not all(map(isinstance, row, (str, str, str, int, int, int))):
                raise self._explained(ValueError(f"{month} has damaged sums: {row}"))
        return rolled

    def counters(self, *periods: str) -> tuple[Counter, ...]:
        """Return what every scope has spent and holds in the named days and months, in all without a name."""
        rows = self._each(queries.counters_sql(len(periods)), periods)
        return tuple(
            Counter(scope, period, NanoUsd(spent), NanoUsd(held)) for scope, period, spent, held in rows
        )

    def months(self) -> tuple[str, ...]:
        """Return the months in which something was booked, the last one first."""
        return tuple(month for (month,) in self._each(queries.MONTHS))

    def table(self, name: str, *, month: str | None = None) -> StoredTable:
        """Return one of `TABLES`, or what of it belongs to a month."""
        if name not in TABLES:
            raise LedgerError(f"the ledger has no table '{name}' to read; it has {', '.join(TABLES)}")
        by_days = month is not None and name in {"operations", "attempts"}
        query = queries.TABLE_OF_MONTH_BY_DAYS if by_days else queries.TABLE
        cursor = self._execute(query.format(name=name), {"month": month})
        return _columns(cursor), self._fetched(cursor)

    def own_terms(self, *, month: str) -> Iterator[tuple[str, OwnTerms]]:
        """Return the id of each request of a month that asked for something itself, and what."""
        for identity, numbers in self._each(request_queries.NUMBERS_WITH_TERMS, {"month": month}):
            yield identity, terms_in(numbers)

    def requests(self, query: RequestQuery) -> tuple[RequestRow, ...]:
        """Return the requests that a query asks for, in its order."""
        first, last = self._days_of(query)
        if first is None:
            return ()
        days = (
            (date.fromisoformat(first), date.fromisoformat(last)) if is_day(first) and is_day(last) else None
        )
        statement, values = request_queries.requests_sql(query, days=days)
        return self._read_as(request_queries.request_row, statement, values)

    def _days_of(self, query: RequestQuery) -> tuple[str | None, str]:
        """Return the first and the last day that may have what a query asks for, None where none has it."""
        asked_of_days = request_queries.days_sql(query)
        if asked_of_days is None:
            return "", ""
        first, last = next(self._each(*asked_of_days))
        return first, last

    def request_ids(self, prefix: str, *, tenant: str | None, limit: int) -> tuple[str, ...]:
        """Return the first ids, `limit` at most, that begin so; those of one tenant, or of all."""
        values = {"prefix": prefix, "tenant": tenant, "limit": limit}
        return tuple(identity for (identity,) in self._each(request_queries.IDS, values))

    def request(self, request_id: str) -> RequestDetail | None:
        """Return all that is kept of a request that has ended."""
        key = {"id": request_id}
        rows = self._read_as(request_queries.request_row, request_queries.REQUEST, key)
        if not rows:
            return None
        shape, numbers = next(self._each(request_queries.PLAN_OF, key), (None, None))
        return RequestDetail(
            request=rows[0],
            attempts=self._read_as(request_queries.stored_attempt, request_queries.ATTEMPTS_OF, key),
            corrections=self._read_as(request_queries.correction_row, request_queries.CORRECTIONS_OF, key),
            plan=unpacked_plan(shape, numbers),
            feedback=self._read_as(request_queries.feedback_row, request_queries.FEEDBACK_OF, key),
        )

    def arm_rows(self, label: str, *, since: datetime) -> Iterator[ArmRow]:
        """Yield the requests since a moment that are on a side of an experiment, oldest first."""
        for row in self._each(arm_queries.ARM_ROWS, arm_queries.arm_values(label, since)):
            yield arm_queries.arm_row(*row)

    def feedback_sums(self, selection: Selection) -> tuple[FeedbackSum, ...]:
        """Return the feedback on selected requests, by tenant, use case and model."""
        return self._read_as(FeedbackSum, request_queries.FEEDBACK_SUMS, asdict(selection))

    def holds(self) -> tuple[OpenHold, ...]:
        """Return every hold that is not settled, oldest first."""
        return tuple(_open_hold(*row) for row in self._each(queries.HOLDS))

    def assumed_costs(self, *, since: str) -> tuple[AssumedCost, ...]:
        """Return attempts from a day on with an assumed cost and the provider's id, not corrected yet."""
        return tuple(AssumedCost(*row) for row in self._each(queries.ASSUMED_COSTS, {"since": since}))

    def cost_sample(self, deployment: str, *, attempts: int) -> CostSample:
        """Return what the last `attempts` attempts with a known cost did cost, and what was held for them."""
        values = {"deployment": deployment, "attempts": attempts}
        ((cost, held),) = self._each(queries.COST_SAMPLE, values)
        return CostSample(NanoUsd(cost), NanoUsd(held))

    def booked_days(self, *, before: str) -> tuple[str, ...]:
        """Return the days before one that have requests or attempts, in their order."""
        return tuple(day for (day,) in self._each(queries.BOOKED_DAYS, {"before": before}))

    def holds_by_month(self) -> Mapping[str, int]:
        """Return how many holds are open in each month that has any."""
        return {month: count for month, count in self._each(queries.HOLDS_BY_MONTH)}  # noqa: C416 -- rows have no static length

    def row_counts(self) -> Mapping[str, int]:
        """Return how many rows each table has."""
        counted = self._rows(queries.ROW_COUNTS, ())
        return dict(zip(counted.columns, counted.rows[0], strict=True))

    def booked_sums(self) -> Iterator[BookedSum]:
        """Yield the sums of attempts, corrections and holds, by their scopes and windows."""
        for scopes, hour, day, month, spent, held in self._each(queries.BOOKED_SUMS):
            periods = booked_in(hour, day, month)
            yield BookedSum(tuple(orjson.loads(scopes)), periods, NanoUsd(spent), NanoUsd(held))

    def run_sums(self) -> Iterator[RunSum]:
        """Yield what each run that is not forgotten has counted, and what its rows come to."""
        booked = sums_of(self._each(queries.RUN_ROWS))
        for number, tenant, name, spent, held, rolled in self._each(queries.RUNS):
            rows = booked.get(number, (0, 0))
            amounts = (spent, held, rows[0] + rolled, rows[1])
            yield RunSum(tenant, name, *(NanoUsd(amount) for amount in amounts))

    def unequal_operations(self, *, limit: int) -> tuple[UnequalOperation, ...]:
        """Return requests whose cost is not the sum of their attempts, with or without corrections."""
        return tuple(
            UnequalOperation(*row) for row in self._each(queries.UNEQUAL_OPERATIONS, {"limit": limit})
        )

    def unclaimed_attempts(self, *, before: datetime, limit: int) -> tuple[UnclaimedAttempt, ...]:
        """Return attempts before a moment whose request has no row, though it ended and is not rolled up."""
        values = {"before": before.astimezone(UTC).isoformat(), "limit": limit}
        return tuple(UnclaimedAttempt(*row) for row in self._each(queries.UNCLAIMED_ATTEMPTS, values))

    def excesses(self, *, limit: int) -> tuple[Excess, ...]:
        """Return attempts that cost more than was held for them."""
        return tuple(Excess(*row) for row in self._each(queries.EXCESSES, {"limit": limit}))

    def source_sums(self) -> Mapping[str, SourceSum]:
        """Return how many attempts there are of each cost source, and their cost as booked."""
        return {
            source: SourceSum(count, NanoUsd(cost)) for source, count, cost in self._each(queries.SOURCE_SUMS)
        }

    def __enter__(self) -> Self:
        """Open the file for one consistent view.

        Raises:
            LedgerError: it cannot be read, or is no ledger that this program reads.
        """
        try:
            check_plain(self.path)
            self._connection = self._open()
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            self._connection.execute("BEGIN")
            if READABLE_SINCE <= version < VERSION:
                # A program of that version may be at work on it, which a migration would lock out.
                stand_in(self._connection, version)
        except (sqlite3.Error, OSError) as exc:
            self._close()
            raise self._explained(exc) from exc
        if not READABLE_SINCE <= version <= VERSION:
            self._close()
            raise LedgerError(f"the ledger {self.path} {_version_problem(version)}")
        self._keeps_sums = version == VERSION
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file."""
        self._close()

    def _open(self) -> sqlite3.Connection:
        address = f"file:{quote(str(self.path.absolute()))}"
        try:
            connection = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=5.0, isolation_level=None)
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        except sqlite3.OperationalError:
            if self.path.with_name(self.path.name + "-wal").exists():
                raise
            # A folder that may not be written holds no shared memory; without a log the file stands still.
            connection = sqlite3.connect(f"{address}?mode=ro&immutable=1", uri=True, isolation_level=None)
        return connection

    def _rows(self, query: str, values: Any) -> Rows:
        cursor = self._execute(query, values)
        return Rows(_columns(cursor), tuple(self._fetched(cursor)))

    def _read_as(self, make: Callable[..., T], query: str, values: Any) -> tuple[T, ...]:
        """Return what is made of each row; a row that no program writes is damage."""
        try:
            return tuple(make(*row) for row in self._each(query, values))
        except (ValueError, TypeError) as exc:
            raise self._explained(exc) from exc

    def _each(self, query: str, values: Any = ()) -> Iterator[tuple[Any, ...]]:
        return self._fetched(self._execute(query, values))

    def _execute(self, query: str, values: Any) -> sqlite3.Cursor:
        if self._connection is None:
            msg = "the ledger is read inside 'with LedgerReader(path) as reader:'"
            raise LedgerError(msg)
        try:
            return self._connection.execute(query, values)
        except sqlite3.Error as exc:
            raise self._explained(exc) from exc

    def _fetched(self, cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
        while True:
            try:
                row = cursor.fetchone()
            except sqlite3.Error as exc:
                raise self._explained(exc) from exc
            if row is None:
                return
            yield row

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = self._gathered = self._picked = None

    def _explained(self, error: Exception) -> LedgerError:
        return LedgerError(
            f"cannot read the ledger {self.path}: {error}; make it readable, set ledger.path in config.yaml, "
            "or restore the last good copy with 'orchestrator ledger restore' if it is damaged"
        )


def _columns(cursor: sqlite3.Cursor) -> tuple[str, ...]:
    return tuple(column[0] for column in cursor.description)


def _open_hold(*row: Any) -> OpenHold:
    (
        number,
        operation_id,
        attempt,
        deployment,
        provider,
        model,
        scopes,
        held,
        price,
        hour,
        day,
        month,
        at,
        process,
        runs,
    ) = row
    claim = HoldRequest(
        operation_id, attempt, deployment, provider, model, tuple(orjson.loads(scopes)), NanoUsd(held), price
    )
    held_at = datetime.fromisoformat(at)
    return OpenHold(number, claim, hour, day, month, held_at, process, tuple(orjson.loads(runs)))


def _version_problem(version: int) -> str:
    if version > VERSION:
        return f"has schema {version}, this program reads {VERSION}: upgrade nextflow-orchestrator"
    if version == 0:
        return "is no ledger: set ledger.path in config.yaml to another file"
    return f"has schema {version}, this program reads {VERSION}: the next request or 'orchestrator doctor' brings it up to date"
