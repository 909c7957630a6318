"""The ledger as files: CSV or Parquet, every row as it is stored, money in whole nano-dollars.

CSV is one file a table, written row by row; a text that a spreadsheet would run gets an apostrophe
before it (`csv_text`). Parquet is one file a table and month, written in groups of rows, so that never more
than a group is in memory; it needs pyarrow, the extra `parquet`. A file appears under its name only when it
is whole.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from orchestrator.core.errors import OrchestratorError
from orchestrator.core.private_folder import make_private_folder
from orchestrator.core.whole_file import whole_file
from orchestrator.ledger.facts import TABLES
from orchestrator.ledger.store import LedgerView
from orchestrator.reports.csv_text import csv_row

_NO_MONTHS = frozenset({"monthly"})
"""Tables that are small enough for one file."""
_GROUP_ROWS = 20_000
"""How many rows a Parquet file is written at once: some 30 MB of Python's objects."""
_NUMBERS = frozenset({"number", "step", "status", "tokens_estimated", "attempts", "requests"})
_NUMBER_ENDS = ("_nusd", "_tokens", "_ms")


class ExportError(OrchestratorError):
    """The files cannot be written; the message says what to do."""

    exit_code = 2


class ExportFormat(StrEnum):
    """How the files are written."""

    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Exported:
    """One file that was written."""

    path: Path
    table: str
    rows: int


def export(
    view: LedgerView, folder: Path, *, as_format: ExportFormat, month: str | None = None
) -> tuple[Exported, ...]:
    """Write operations, attempts, corrections and the sums of compacted months into `folder`.

    With `month` (`2026-11`) only what belongs to it. All files are of the same moment.

    Raises:
        ExportError: pyarrow is missing, or the folder cannot be written.
        LedgerError: the ledger cannot be read.
    """
    if as_format is ExportFormat.PARQUET:
        require_parquet()
    try:
        make_private_folder(folder)
        with view:
            return tuple(_files(view, folder, as_format, month))
    except OSError as exc:
        is_file = isinstance(exc, FileExistsError)
        why = "it is a file, and a folder is meant" if is_file else exc.strerror or exc
        raise ExportError(f"{folder}: cannot be written: {why}") from exc


def require_parquet() -> None:
    """Refuse to write Parquet without its library.

    Raises:
        ExportError: pyarrow is missing.
    """
    if find_spec("pyarrow") is None:
        raise ExportError("Parquet needs pyarrow: pip install 'nextflow-orchestrator[parquet]', or take csv")


@contextmanager
def exported_file(path: Path) -> Iterator[Path]:
    """Let a file be written under another name; when it is whole it gets its own, for its owner alone.

    Raises:
        ExportError: it cannot be written.
    """
    try:
        with whole_file(path) as unfinished:
            yield unfinished
    except OSError as exc:
        raise ExportError(f"{path}: cannot be written: {exc.strerror or exc}") from exc


def _files(view: LedgerView, folder: Path, as_format: ExportFormat, month: str | None) -> Iterator[Exported]:
    for table in TABLES:
        for part in _parts(view, table, as_format, month):
            columns, rows = view.table(table, month=part)
            path = folder / f"{table}{f'-{part}' if part else ''}.{as_format.value}"
            write = _write_csv if as_format is ExportFormat.CSV else _write_parquet
            # It holds the names of tenants and users, and money.
            with whole_file(path) as unfinished:
                count = write(unfinished, columns, rows)
            yield Exported(path, table, count)


def _parts(
    view: LedgerView, table: str, as_format: ExportFormat, month: str | None
) -> tuple[str | None, ...]:
    if month is not None or as_format is ExportFormat.CSV or table in _NO_MONTHS:
        return (month,)
    return tuple(sorted(view.months()))


def _write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(csv_row(columns))
        for row in rows:
            file.write(csv_row(row))
            count += 1
    return count


def _write_parquet(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> int:
    from pyarrow import RecordBatch, int64, schema, string  # noqa: PLC0415 -- for Parquet alone
    from pyarrow.parquet import ParquetWriter  # noqa: PLC0415

    # Said before the first row is read: a column whose first rows are empty has a type all the same.
    shape = schema([(name, int64() if holds_numbers(name) else string()) for name in columns])
    count, remaining = 0, iter(rows)
    with ParquetWriter(path, shape) as writer:
        while group := list(islice(remaining, _GROUP_ROWS)):
            writer.write_batch(RecordBatch.from_arrays(_arrays(group, shape), schema=shape))
            count += len(group)
    return count


def _arrays(group: list[tuple[Any, ...]], shape: Any) -> list[Any]:
    from pyarrow import array  # noqa: PLC0415 -- for Parquet alone

    return [
        array(cells, type=field.type) for cells, field in zip(zip(*group, strict=True), shape, strict=True)
    ]


def holds_numbers(column: str) -> bool:
    """Return whether a column of the ledger holds whole numbers; all others hold text."""
    return column in _NUMBERS or column.endswith(_NUMBER_ENDS)
