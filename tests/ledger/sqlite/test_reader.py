"""Reading a ledger never changes it, and never gets in the way."""

import sqlite3

import pytest

from orchestrator.core.errors import LedgerError
from orchestrator.core.reply import Outcome
from orchestrator.ledger.reader import LedgerReader
from orchestrator.ledger.sqlite import queries


def test_a_reader_cannot_write(book):
    """The connection is read-only, whatever is tried."""
    book.request(("m", Outcome.SUCCEEDED, 5))
    with LedgerReader(book.path) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._connection.execute("DELETE FROM attempts")


def test_no_file_is_no_ledger_and_is_not_created(tmp_path):
    """Looking for a ledger leaves no file behind."""
    reader = LedgerReader(tmp_path / "none.sqlite3")
    assert not reader.exists
    with pytest.raises(LedgerError, match="cannot read the ledger"):
        reader.__enter__()
    assert list(tmp_path.iterdir()) == []


def test_one_look_is_of_one_moment(book):
    """What is booked while a report is made does not appear in half of it."""
    book.request(("m", Outcome.SUCCEEDED, 5))
    with LedgerReader(book.path) as reader:
        assert len(reader.operations(month="2026-11").rows) == 1
        book.request(("m", Outcome.SUCCEEDED, 7))
        assert len(reader.attempts(month="2026-11").rows) == 1
    with LedgerReader(book.path) as reader:
        assert len(reader.attempts(month="2026-11").rows) == 2


def test_tenant_and_use_case_of_a_send_need_no_operation(book):
    """A send whose request was never closed (a crash) still knows whose it was."""
    book.request(
        ("m", Outcome.SUCCEEDED, 5), tenant="acme:vn", use_case="cost_sensitive", with_operation=False
    )
    with LedgerReader(book.path) as reader:
        found = reader.attempts(month="2026-11", tenant="acme:vn")
    row = dict(zip(found.columns, found.rows[0], strict=True))
    assert (row["tenant"], row["use_case"], row["cost_nusd"]) == ("acme:vn", "cost_sensitive", 5)


def test_months_are_those_of_the_budgets_time_zone(book, at):
    """Half past five in the evening UTC on the last of a month is the next month in Vietnam."""
    book.clock.moment = at("2026-10-31 17:30")
    book.request(("m", Outcome.SUCCEEDED, 5))
    with LedgerReader(book.path) as reader:
        assert reader.months() == ("2026-11",)


def test_months_are_found_by_the_index_of_days(book, at):
    """However many rows a month has, as one of them alone is looked at."""
    for moment in ("2025-12-31 12:00", "2026-02-01 12:00", "2026-02-27 12:00", "2026-11-05 12:00"):
        book.clock.moment = at(moment)
        book.request(("m", Outcome.SUCCEEDED, 5), with_operation=moment != "2026-11-05 12:00")
    with LedgerReader(book.path) as reader:
        assert reader.months() == ("2026-11", "2026-02", "2025-12")
        plan = [step for *_, step in reader._connection.execute(f"EXPLAIN QUERY PLAN {queries.MONTHS}")]
    assert not [step for step in plan if step.startswith(("SCAN operations", "SCAN attempts"))]
    assert sum("_by_day" in step for step in plan) >= 4


@pytest.mark.timeout(30)
def test_rows_of_days_that_are_none_do_not_keep_the_months_waiting(book):
    book.request(("m", Outcome.SUCCEEDED, 5))
    with sqlite3.connect(book.path) as connection:
        connection.execute("UPDATE attempts SET day = x'ff00'")
        connection.execute("UPDATE operations SET day = '2026-11~~~'")
    connection.close()
    with LedgerReader(book.path) as reader:
        assert "2026-11" in reader.months()


def test_a_file_without_its_log_in_a_locked_folder_is_still_read(book):
    """A ledger that was copied to where nothing may be written can be reported on."""
    book.request(("m", Outcome.SUCCEEDED, 5))
    book.ledger.close()
    book.path.parent.chmod(0o500)
    try:
        with LedgerReader(book.path) as reader:
            assert len(reader.attempts(month="2026-11").rows) == 1
    finally:
        book.path.parent.chmod(0o700)


def test_a_newer_schema_is_refused_with_what_to_do(book):
    """A ledger of a newer program is not guessed at."""
    book.request(("m", Outcome.SUCCEEDED, 5))
    book.ledger.close()
    with sqlite3.connect(book.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LedgerError, match=r"schema 99.*upgrade"):
        LedgerReader(book.path).__enter__()
