"""Rows that are written by few statements are those that one statement each would write."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from orchestrator.core.reply import CacheState
from orchestrator.ledger.prompt_prints import PromptPrint
from orchestrator.ledger.records import ORPHANED
from orchestrator.ledger.sqlite.request_rows import record_request, record_requests
from tests.ledger.store_contract import PERIOD, record

STATEMENTS_MAX = 70
"""For 980 rows: of each part its rows, the secret and the prints."""


class Counting(sqlite3.Connection):
    """Counts what it executes."""

    statements = 0

    def execute(self, *arguments):
        self.statements += 1
        return super().execute(*arguments)


def rows(number):
    """Return rows of cached answers, some with a print, one with a plan, and two of one request."""
    records = []
    for at in range(number):
        prompt = PromptPrint(b"q%d" % at, (b"4k",) * (at % 3), at, waited=at % 2 == 0) if at % 5 else None
        records.append(replace(record(f"op-{at}", cost=0), cached=CacheState.HIT, plan=None, prompt=prompt))
    records[-1] = replace(records[-1], plan=record().plan)
    records.append(replace(records[0], user="another", prompt=PromptPrint(b"late", (), 1, waited=False)))
    return [(each, PERIOD) for each in records]


@pytest.fixture
def ledgers(books):
    """Return connections to two ledgers that know the same: a row of its own, and one of an orphan."""
    books.ledger.store.check_writable()
    books.ledger.close()
    with (
        closing(sqlite3.connect(books.path, factory=Counting)) as first,
        closing(sqlite3.connect(":memory:")) as second,
    ):
        record_request(first, replace(record("op-3"), error="TimeoutError"), PERIOD)
        record_request(first, replace(record("op-7", cost=5), error=ORPHANED), PERIOD)
        first.commit()
        first.backup(second)
        yield first, second


@pytest.mark.parametrize("number", [1, 2, 27, 64, 65, 200])
def test_rows_written_together_are_those_written_one_by_one(ledgers, number):
    together, one_by_one = ledgers
    record_requests(together, rows(number))
    for record_and_period in rows(number):
        record_request(one_by_one, *record_and_period)
    for table in ("operations", "prompts", "plans", "plan_shapes"):
        query = f"SELECT * FROM {table} ORDER BY 1"  # noqa: S608 -- a table of ours
        assert together.execute(query).fetchall() == one_by_one.execute(query).fetchall(), table


def test_many_rows_take_few_statements(ledgers):
    together, _ = ledgers
    many = [(replace(row, plan=None), period) for row, period in rows(1000)[20:-1]]
    together.statements = 0
    record_requests(together, many)
    assert together.statements <= STATEMENTS_MAX
    (hits,) = together.execute("SELECT COUNT(*) FROM operations WHERE cached = 'hit'").fetchone()
    assert hits == len(many)
