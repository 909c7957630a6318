"""Queries return what a reader would pick by hand, page by page, and damage is said to be damage."""

import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from orchestrator.core.errors import LedgerError
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import CacheState, CostSource, Outcome, Usage
from orchestrator.ledger.budgets import period_of
from orchestrator.ledger.closed_days import sum_closed_days
from orchestrator.ledger.records import CostCorrection, RequestRecord, new_operation_id
from orchestrator.ledger.requests import RequestOrder, RequestQuery
from orchestrator.ledger.sqlite.request_rows import record_request

START = datetime(2026, 11, 20, 9, tzinfo=UTC)
COUNT = 300


def record(chance: random.Random, number: int) -> RequestRecord:
    started_at = START + timedelta(seconds=number * 700, microseconds=chance.choice((0, 250_000)))
    outcome = chance.choice([*Outcome, *[Outcome.SUCCEEDED] * 4])
    model = chance.choice(("sol", "luna")) if outcome is Outcome.SUCCEEDED else None
    return RequestRecord(
        id=new_operation_id(started_at),
        started_at=started_at,
        tenant=chance.choice(("acme", "công ty")),
        use_case=chance.choice(("bulk", "support")),
        user=chance.choice((None, "lan", "o'brien")),
        tags=chance.choice(((), ("trial",), ("trial", "100%"))),
        outcome=outcome,
        error=None if model else "UnavailableError",
        cached=CacheState.MISS,
        degraded="fallback" if chance.random() < 0.2 else None,
        deployment=model and f"p/{model}",
        provider=model and "p",
        model=model,
        attempts=1,
        usage=Usage(10, 5),
        cost_nusd=NanoUsd(chance.randrange(1000)),
        latency_s=chance.randrange(9) / 10,
    )


@pytest.fixture
def rows(books) -> list[RequestRecord]:
    """Hundreds of requests in the ledger, the newest first."""
    chance = random.Random(7)  # noqa: S311 -- the same rows in every run
    records = [record(chance, number) for number in range(COUNT)]
    write(books, records)
    return records[::-1]


def write(books, records: list[RequestRecord]) -> None:
    def write_all(connection: sqlite3.Connection) -> None:
        for each in records:
            record_request(connection, each, period_of(each.started_at, "UTC"))

    books.ledger.store.file.write(write_all)


def ids(books, **query) -> list[str]:
    with books.reader:
        return [row.id for row in books.reader.requests(RequestQuery(**query))]


@pytest.mark.parametrize(
    ("query", "belongs"),
    [
        ({}, lambda _: True),
        ({"failed": True}, lambda row: row.outcome is not Outcome.SUCCEEDED),
        ({"degraded": True}, lambda row: row.degraded),
        ({"tenant": "công ty"}, lambda row: row.tenant == "công ty"),
        ({"user": "o'brien"}, lambda row: row.user == "o'brien"),
        ({"tag": "100%"}, lambda row: "100%" in row.tags),
        ({"tag": "tri"}, lambda _: False),
        ({"use_case": "bulk", "failed": True}, lambda row: row.use_case == "bulk" and not row.model),
        ({"model": "sol"}, lambda row: row.model == "sol"),
        ({"model": "p/luna", "tenant": "acme"}, lambda row: row.model == "luna" and row.tenant == "acme"),
        ({"since": START + timedelta(hours=20)}, lambda row: row.started_at >= START + timedelta(hours=20)),
        ({"until": START + timedelta(hours=20)}, lambda row: row.started_at < START + timedelta(hours=20)),
        ({"since": START + timedelta(seconds=700), "until": START + timedelta(seconds=1400)},
         lambda row: START + timedelta(seconds=700) <= row.started_at < START + timedelta(seconds=1400)),
        ({"since": datetime.min.replace(tzinfo=UTC), "until": datetime.max.replace(tzinfo=UTC)}, lambda _: True),
        ({"until": START - timedelta(days=9)}, lambda _: False),
    ],
)  # fmt: skip
def test_a_query_returns_what_belongs_newest_first(books, rows, query, belongs):
    assert ids(books, limit=1000, **query) == [row.id for row in rows if belongs(row)]
    # The sums of days that are over tell where to look, and nothing else: that of the last day is not kept.
    assert sum_closed_days(books.ledger.store, now=rows[0].started_at, time_zone="UTC") == 2
    assert ids(books, limit=1000, **query) == [row.id for row in rows if belongs(row)]


@pytest.mark.parametrize("name", ["tenant", "use_case", "user", "tag"])
def test_what_is_nowhere_is_looked_for_in_days_without_sums_alone(books, rows, name):
    sum_closed_days(books.ledger.store, now=rows[0].started_at, time_zone="UTC")
    assert ids(books, **{name: "nobody"}) == []
    with books.reader:
        last = rows[0].started_at.date().isoformat()
        assert books.reader._days_of(RequestQuery(**{name: "nobody"})) == (last, last)
    sum_closed_days(books.ledger.store, now=rows[0].started_at + timedelta(days=2), time_zone="UTC")
    with books.reader:
        assert books.reader._days_of(RequestQuery(**{name: "nobody"})) == (None, None)
    assert ids(books, **{name: "nobody"}) == []


def test_what_is_rare_is_looked_for_around_its_day(books, rows):
    rare = replace(record(random.Random(1), 1), id=new_operation_id(START), tenant="rare")  # noqa: S311 -- one row
    write(books, [rare])
    sum_closed_days(books.ledger.store, now=START + timedelta(days=9), time_zone="UTC")
    assert ids(books, tenant="rare") == [rare.id]
    with books.reader:
        assert books.reader._days_of(RequestQuery(tenant="rare")) == ("2026-11-20", "2026-11-20")


@pytest.mark.parametrize(
    ("order", "key"),
    [
        (RequestOrder.DEAREST, lambda row: (row.cost_nusd, row.id)),
        (RequestOrder.SLOWEST, lambda row: (row.latency_s, row.id)),
    ],
)
def test_the_dearest_and_the_slowest_come_first(books, rows, order, key):
    expected = sorted(rows, key=key, reverse=True)[:7]
    assert ids(books, order=order, limit=7) == [row.id for row in expected]


def test_pages_meet_without_a_gap_and_without_a_repetition(books, rows):
    collected, before = [], None
    while page := ids(books, before=before, limit=37, tenant="acme"):
        collected += page
        before = page[-1]
    assert collected == [row.id for row in rows if row.tenant == "acme"]
    assert all(newer > older for newer, older in pairwise(collected))


def test_a_request_without_an_answer_is_found_by_whom_it_asked(books):
    books.send("0a")
    books.write("UPDATE attempts SET outcome = 'failed'")
    books.close("0a")
    books.write("UPDATE operations SET outcome = 'failed', model = NULL, deployment = NULL")
    assert [ids(books, model=name) for name in ("m", "p/m", "another")] == [["0a"], ["0a"], []]


def test_a_correction_decides_what_is_dear(books):
    books.request("0a", 900)
    books.request("0b", 500)
    books.ledger.store.correct(CostCorrection("0a", 1, NanoUsd(1), CostSource.OPERATOR, START, "nonsense"))
    assert ids(books, order="dearest") == ["0b", "0a"]


@pytest.mark.parametrize(
    "damage", ["outcome = 'thinking'", "started_at = 'yesterday'", "tags = 'no JSON'", "latency_ms = 'long'"]
)
def test_a_row_that_no_program_writes_is_told_as_damage(books, damage):
    books.request("0a")
    books.write(f"UPDATE operations SET {damage}")  # noqa: S608 -- words of this test
    with books.reader, pytest.raises(LedgerError, match="restore the last good copy"):
        books.reader.requests(RequestQuery())


@pytest.mark.parametrize(
    ("query", "plan"),
    [
        (RequestQuery(), "SCAN o"),
        (RequestQuery(before="0b"), "SEARCH o USING PRIMARY KEY (id<?)"),
        (RequestQuery(since=START), "SEARCH o USING PRIMARY KEY (id>?)"),
    ],
)
def test_the_newest_are_read_by_key_and_never_sorted(books, query, plan):
    from orchestrator.ledger.sqlite.request_queries import requests_sql

    books.request("0a")
    statement, values = requests_sql(query)
    with closing(sqlite3.connect(books.path)) as connection:
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert plan in steps
    assert not [step for step in steps if "TEMP B-TREE" in step]
