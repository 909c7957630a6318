"""What is exported is every row as it is stored; a file is whole or not there."""

import csv
import os
import sqlite3
from pathlib import Path

import pytest

from orchestrator.core.reply import Outcome
from orchestrator.ledger.reader import TABLES, LedgerReader
from orchestrator.reports import export as exporting
from orchestrator.reports.export import ExportError, ExportFormat, export, exported_file, holds_numbers

LARGE = 499_999_999
"""Just below what a tenant may spend in a day here."""


@pytest.fixture
def two_months(book, at):
    book.clock.moment = at("2026-10-05 10:00")
    book.request(("old", Outcome.SUCCEEDED, 7))
    book.clock.moment = at("2026-11-05 10:00")
    book.request(("new", Outcome.FAILED, 0), ("new", Outcome.SUCCEEDED, LARGE))
    return book


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_csv_is_one_file_a_table_with_every_row_and_exact_money(two_months, tmp_path):
    files = export(LedgerReader(two_months.path), tmp_path / "out", as_format=ExportFormat.CSV)
    assert [(one.path.name, one.rows) for one in files] == [
        ("operations.csv", 2), ("attempts.csv", 3), ("corrections.csv", 0), ("monthly.csv", 0),
    ]  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        f"{name}.csv" for name in TABLES
    )
    attempts = read(tmp_path / "out" / "attempts.csv")
    assert sorted(int(row["cost_nusd"]) for row in attempts) == [0, 7, LARGE]
    assert {row["tokens_estimated"] for row in attempts} == {"0"}


def test_a_name_that_a_spreadsheet_would_run_gets_an_apostrophe(two_months, tmp_path):
    """Names and references come from outside: of tenants, models, and what providers call their answers."""
    formula = '=HYPERLINK("http://a";"b")'
    connection = sqlite3.connect(two_months.path)
    with connection:
        connection.execute("UPDATE operations SET tenant = ?, user = ?", (formula, "-5"))
        connection.execute("UPDATE attempts SET upstream_id = ?", ("@SUM(A1)",))
    connection.close()
    export(LedgerReader(two_months.path), tmp_path, as_format=ExportFormat.CSV)
    operations, attempts = read(tmp_path / "operations.csv"), read(tmp_path / "attempts.csv")
    assert {(row["tenant"], row["user"]) for row in operations} == {(f"'{formula}", "-5")}
    assert {row["upstream_id"] for row in attempts} == {"'@SUM(A1)"}
    assert sum(int(row["cost_nusd"]) for row in attempts) == LARGE + 7


def test_only_its_owner_may_read_what_is_exported(two_months, tmp_path):
    before = os.umask(0)
    try:
        exported = export(LedgerReader(two_months.path), tmp_path / "out", as_format=ExportFormat.CSV)
    finally:
        os.umask(before)
    assert {file.path.stat().st_mode & 0o777 for file in exported} == {0o600}
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700


def test_a_month_alone(two_months, tmp_path):
    files = export(LedgerReader(two_months.path), tmp_path, as_format=ExportFormat.CSV, month="2026-10")
    assert [(one.path.name, one.rows) for one in files][:2] == [
        ("operations-2026-10.csv", 1),
        ("attempts-2026-10.csv", 1),
    ]


def test_rows_are_written_one_after_the_other(two_months, tmp_path, monkeypatch):
    """CSV never holds more than a row: each is on its way before the next is read."""
    seen = []

    def rows():
        for number in range(3):
            seen.append(f"read {number}")
            yield (number,)

    def noted(row):
        seen.append(f"wrote {row[0]}")
        return ""

    monkeypatch.setattr(exporting, "csv_row", noted)
    assert exporting._write_csv(tmp_path / "x.csv", ("n",), rows()) == 3
    assert seen == ["wrote n", "read 0", "wrote 0", "read 1", "wrote 1", "read 2", "wrote 2"]
    with LedgerReader(two_months.path) as reader:
        _, found = reader.table("attempts")
        assert next(found) is not next(found), "and the ledger gives them one after the other"


def test_a_file_that_could_not_be_finished_is_not_there(two_months, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "_write_csv", fail)
    with pytest.raises(ExportError, match="cannot be written: No space left"):
        export(LedgerReader(two_months.path), tmp_path / "out", as_format=ExportFormat.CSV)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_is_a_file_is_refused(two_months, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        export(LedgerReader(two_months.path), tmp_path / "file", as_format=ExportFormat.CSV)


def test_parquet_without_pyarrow_says_what_to_install(two_months, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "find_spec", lambda _: None)
    with pytest.raises(ExportError, match=r"pip install 'nextflow-orchestrator\[parquet\]'"):
        export(LedgerReader(two_months.path), tmp_path, as_format=ExportFormat.PARQUET)


def test_parquet_is_one_file_a_table_and_month_with_whole_numbers(two_months, tmp_path):
    import pandas as pd

    files = export(LedgerReader(two_months.path), tmp_path, as_format=ExportFormat.PARQUET)
    assert {one.path.name: one.rows for one in files}["attempts-2026-11.parquet"] == 2
    frame = pd.read_parquet(tmp_path / "attempts-2026-11.parquet")
    assert sorted(frame["cost_nusd"]) == [0, LARGE]
    assert all(
        str(frame[name].dtype).lower() == "int64" for name in ("cost_nusd", "held_nusd", "input_tokens")
    )


def test_parquet_is_written_in_groups_each_before_the_next_is_read(tmp_path, monkeypatch):
    from pyarrow.parquet import ParquetFile, ParquetWriter

    monkeypatch.setattr(exporting, "_GROUP_ROWS", 2)
    read, written = [], []
    write_batch = ParquetWriter.write_batch

    def noted(writer, batch):
        written.append(len(read))
        write_batch(writer, batch)

    monkeypatch.setattr(ParquetWriter, "write_batch", noted)
    path = tmp_path / "x.parquet"
    rows = (read.append(number) or (None if number < 2 else f"kind {number}", number) for number in range(5))
    assert exporting._write_parquet(path, ("failure", "cost_nusd"), rows) == 5
    assert written == [2, 4, 5]
    file = ParquetFile(path)
    assert file.num_row_groups == 3
    assert file.read().to_pydict() == {
        "failure": [None, None, "kind 2", "kind 3", "kind 4"], "cost_nusd": [0, 1, 2, 3, 4],
    }  # fmt: skip


def test_a_column_is_a_number_in_parquet_where_it_is_one_in_the_ledger(two_months):
    with sqlite3.connect(two_months.path) as connection:
        for table in TABLES:
            declared = {row[1]: row[2] for row in connection.execute(f"PRAGMA table_info({table})")}
            assert {name for name in declared if holds_numbers(name)} == {
                name for name, kind in declared.items() if kind == "INTEGER"
            }
    connection.close()


@pytest.mark.parametrize("folder", [".", "..", "/"])
def test_a_folder_is_no_name_of_a_file(folder):
    with (
        pytest.raises(ExportError, match=rf"^{folder}: cannot be written: Is a directory$"),
        exported_file(Path(folder)),
    ):
        pytest.fail("nothing is written")


def test_a_file_in_the_place_of_the_folder_is_named_as_what_it_is(two_months, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("a file")
    with pytest.raises(ExportError, match="it is a file, and a folder is meant"):
        export(LedgerReader(two_months.path), taken, as_format=ExportFormat.CSV)
