"""Sums of days beside the file that holds them: which are stale, and what behind the ledger's back is seen."""

import pytest

from orchestrator.ledger.sqlite.day_sums import ROWS
from orchestrator.ledger.sqlite.schema import SUM_TABLES

DAY = "2026-11-23"


@pytest.fixture
def summed(books):
    books.request("op", 300)
    assert books.ledger.store.sum_day(DAY)
    return books


def test_every_table_of_sums_is_filled_from_rows():
    assert tuple(ROWS) == SUM_TABLES


@pytest.mark.parametrize("statement", [
    "UPDATE operations SET latency_ms = 7",
    "DELETE FROM prompts",
    "DELETE FROM attempts",
    "UPDATE attempts SET cost_nusd = 7",
    "DELETE FROM operations",
])  # fmt: skip
def test_also_a_row_that_another_program_changes_takes_the_sums_away(summed, statement):
    summed.write("INSERT INTO prompts VALUES ('op', x'00', x'', 0, 0)")
    summed.write(statement)
    assert summed.rows("SELECT * FROM summed_days") == []


def test_a_correction_of_an_attempt_after_midnight_spoils_the_day_of_its_request_too(summed):
    summed.write("UPDATE attempts SET day = '2026-11-24'")
    assert all(summed.ledger.store.sum_day(day) for day in (DAY, "2026-11-24"))
    summed.ledger.correct("op", 1, cost_nusd=7, reason="the invoice")
    assert summed.rows("SELECT * FROM summed_days") == []


def test_sums_that_somebody_falsified_are_named_by_verify(summed):
    assert summed.verified().is_right
    summed.write("UPDATE send_sums SET cost_nusd = cost_nusd + 1")
    assert (summed.verified().unequal_days, summed.verified().is_right) == ((DAY,), False)


def test_of_two_who_sum_a_day_at_once_the_first_keeps_nothing(books, monkeypatch):
    books.request("op", 300)
    store, look = books.ledger.store, books.ledger.store.view

    def second():
        monkeypatch.undo()
        assert store.sum_day(DAY)
        return look()

    monkeypatch.setattr(store, "view", second)
    assert not store.sum_day(DAY)
    assert books.verified().is_right


def test_the_sums_of_a_day_that_is_rolled_up_are_dropped(summed):
    summed.ledger.store.roll_up_day(DAY)
    assert summed.rows("SELECT * FROM summed_days") == []
    assert summed.ledger.store.drop_unused() > 5
    assert {summed.rows(f"SELECT COUNT(*) FROM {table}")[0] for table in SUM_TABLES} == {(0,)}  # noqa: S608 -- our own names
