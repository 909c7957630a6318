"""Reads the ledger for reports: read-only, one consistent view, never in the way of a send.

    with LedgerReader(path) as reader:
        attempts = reader.attempts(month="2026-11")

The file is opened read-only, so a report can neither create nor change a ledger.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from orchestrator.core.errors import LedgerError
from orchestrator.core.money import NanoUsd
from orchestrator.ledger.sqlite.schema import VERSION

_OPERATIONS = (
    "SELECT id, started_at, day, tenant, use_case, outcome, error, cached, degraded, deployment, provider,"
    " model, attempts, input_tokens, output_tokens, cost_nusd + (SELECT COALESCE(SUM(c.cost_nusd), 0)"
    " FROM corrections c WHERE c.operation_id = operations.id) AS cost_nusd, latency_ms FROM operations"
    " WHERE month = :month AND (:tenant IS NULL OR tenant = :tenant) ORDER BY started_at, id"
)
_ATTEMPTS = (
    "SELECT operation_id, number, day, deployment, provider, model, outcome, failure, status, started_at,"
    " latency_ms, first_token_ms, input_tokens, output_tokens, cached_input_tokens, tokens_estimated,"
    " cost_nusd + COALESCE((SELECT c.cost_nusd {of_it}), 0) AS cost_nusd,"
    " COALESCE((SELECT c.source {of_it}), cost_source) AS cost_source,"
    " upstream_id, {tenant} AS tenant, {use_case} AS use_case FROM attempts"
    " WHERE month = :month AND (:tenant IS NULL OR {tenant} = :tenant) ORDER BY started_at, operation_id, number"
)

_OF_IT = "FROM corrections c WHERE c.operation_id = attempts.operation_id AND c.number = attempts.number"
_BY_DAYS = "day BETWEEN :month AND :month || '~'"
"""A month as a range of days, which the tables have an index for."""
TABLES = ("operations", "attempts", "corrections", "monthly")
"""What an export holds."""


def scoped(kind: str) -> str:
    """Return the SQL for the name in an attempt's scope of one kind; it needs no operation row."""
    return (
        f"(SELECT substr(value, {len(kind) + 2}) FROM json_each(scopes) WHERE value LIKE '{kind}:%' LIMIT 1)"  # noqa: S608 -- two fixed words
    )


@dataclass(frozen=True, slots=True)
class Rows:
    """What a query found."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Counter:
    """What a scope has spent and holds in a window, as budgets count it."""

    scope: str
    period: str
    """`2026-11-23` or `2026-11`."""
    spent: NanoUsd
    held: NanoUsd


class LedgerReader:
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
        wrong = next((one for one in self.path.parents if one.exists() and not one.is_dir()), None)
        if wrong is not None:
            msg = f"cannot use the ledger {self.path}: {wrong} is not a folder; set ORCHESTRATOR_HOME or ledger.path"
            raise LedgerError(msg)
        return self.path.is_file() and self.path.stat().st_size > 0

    def operations(self, *, month: str, tenant: str | None = None) -> Rows:
        """Return the requests that began in a month, one row each, oldest first."""
        return self._read(_OPERATIONS, {"month": month, "tenant": tenant})

    def attempts(self, *, month: str, tenant: str | None = None) -> Rows:
        """Return the sends that were booked into a month, one row each, oldest first."""
        query = _ATTEMPTS.format(of_it=_OF_IT, tenant=scoped("tenant"), use_case=scoped("use_case"))
        return self._read(query, {"month": month, "tenant": tenant})

    def rolled(self, *, month: str, tenant: str | None = None) -> Rows:
        """Return the sums of a compacted month, by tenant, use case and model; nothing of any other month."""
        return self._read(
            "SELECT tenant, use_case, model, requests, attempts, cost_nusd FROM monthly"
            " WHERE month = :month AND (:tenant IS NULL OR tenant = :tenant)",
            {"month": month, "tenant": tenant},
        )

    def counters(self, *periods: str) -> tuple[Counter, ...]:
        """Return what every scope has spent and holds in the named days and months."""
        marks = ",".join("?" * len(periods))
        found = self._read(
            f"SELECT scope, period, spent_nusd, held_nusd FROM counters WHERE period IN ({marks})"  # noqa: S608 -- only question marks
            " ORDER BY scope, period",
            periods,
        )
        return tuple(
            Counter(scope, period, NanoUsd(spent), NanoUsd(held)) for scope, period, spent, held in found.rows
        )

    def months(self) -> tuple[str, ...]:
        """Return the months in which something was booked, the last one first."""
        found = self._read(
            "SELECT month FROM operations UNION SELECT month FROM attempts UNION SELECT month FROM monthly"
            " ORDER BY 1 DESC",
            (),
        )
        return tuple(str(month) for (month,) in found.rows)

    def table(
        self, name: str, *, month: str | None = None
    ) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
        """Return the columns of one of `TABLES`, and its rows as they are stored, one after the other."""
        if name not in TABLES:
            raise LedgerError(f"the ledger has no table '{name}' to read; it has {', '.join(TABLES)}")
        where = "(:month IS NULL OR month = :month)"
        if month is not None and name in {"operations", "attempts"}:
            where = _BY_DAYS
        cursor = self._execute(f"SELECT * FROM {name} WHERE {where}", {"month": month})  # noqa: S608 -- fixed words
        return tuple(one[0] for one in cursor.description), self._each(cursor)

    def query(self, sql: str, given: Any = ()) -> Rows:
        """Return what a SELECT of another module of the ledger finds."""
        return self._read(sql, given)

    def __enter__(self) -> Self:
        """Open the file for one consistent view.

        Raises:
            LedgerError: it cannot be read, or is no ledger of this program's version.
        """
        try:
            self._connection = self._open()
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            self._connection.execute("BEGIN")
        except (sqlite3.Error, OSError) as exc:
            self._close()
            raise self._explained(exc) from exc
        if version != VERSION:
            self._close()
            raise LedgerError(f"the ledger {self.path} {_told_version(version)}")
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

    def _read(self, query: str, given: Any) -> Rows:
        cursor = self._execute(query, given)
        return Rows(tuple(one[0] for one in cursor.description), tuple(self._each(cursor)))

    def _execute(self, query: str, given: Any) -> sqlite3.Cursor:
        if self._connection is None:
            msg = "the ledger is read inside 'with LedgerReader(path) as reader:'"
            raise LedgerError(msg)
        try:
            return self._connection.execute(query, given)
        except sqlite3.Error as exc:
            raise self._explained(exc) from exc

    def _each(self, cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
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
            self._connection = None

    def _explained(self, error: Exception) -> LedgerError:
        return LedgerError(
            f"cannot read the ledger {self.path}: {error}; make it readable, set ledger.path in config.yaml, "
            "or restore the last good copy if it is damaged"
        )


def _told_version(version: int) -> str:
    if version > VERSION:
        return f"has schema {version}, this program reads {VERSION}: upgrade nextflow-orchestrator"
    if version == 0:
        return "is no ledger: set ledger.path in config.yaml to another file"
    return f"has schema {version}, this program reads {VERSION}: the next request or 'orchestrator doctor' brings it up to date"
