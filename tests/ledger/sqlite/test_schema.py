"""An old file opens, migrates and keeps its numbers; a newer one is refused."""

import sqlite3
from contextlib import closing
from datetime import date, timedelta

import pytest

from orchestrator.core.errors import LedgerError
from orchestrator.core.reply import Outcome
from orchestrator.ledger.budgets import Limits
from orchestrator.ledger.closed_days import sum_closed_days
from orchestrator.ledger.feedback import Feedback
from orchestrator.ledger.kept_plan import PackedPlan
from orchestrator.ledger.opening import LedgerSettings, open_ledger
from orchestrator.ledger.periods import week_of
from orchestrator.ledger.reader import LedgerReader
from orchestrator.ledger.reconcile import OrphanPolicy, find_orphans, settle_orphans
from orchestrator.ledger.requests import RequestQuery
from orchestrator.ledger.sqlite import schema as ledger_schema
from orchestrator.ledger.sqlite.schema import VERSION, migrate
from orchestrator.ledger.usage import Selection
from orchestrator.reports.prompt_sums import read_prompt_sums
from orchestrator.reports.span import Span
from orchestrator.reports.usage_report import EVERYBODY, usage_report
from tests.support.filled_book import BUDGETS


def make_version_1(path):
    """Write a file as the first release did: one settled request, one hold."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in ledger_schema._MIGRATIONS[1]:
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 1")
        for period in ("2026-11-22", "2026-11"):
            connection.execute("INSERT INTO counters VALUES ('all', ?, 300, 1000)", (period,))
        connection.execute(
            "INSERT INTO holds VALUES (1, 'open', 1, 'p/m', 'p', 'm', '[\"all\"]', '2026-11-22', '2026-11', 1000,"
            " '2026-11-22T09:00:00+00:00', 'gone-host:7')"
        )
        connection.execute(
            "INSERT INTO attempts VALUES ('one', 1, '2026-11-22', '2026-11', '[\"all\"]', 'p/m', 'p', 'm', 'succeeded',"
            " NULL, NULL, '2026-11-22T08:00:00+00:00', 10, NULL, 10, 5, 0, 0, 0, 0, 1000, 300, 'price_book', 'b', NULL)"
        )
        connection.execute(
            "INSERT INTO operations VALUES ('one', '2026-11-22T08:00:00+00:00', '2026-11-22', '2026-11', 'acme', 'bulk',"
            " NULL, '[]', 'succeeded', NULL, 'miss', NULL, 'p/m', 'p', 'm', 1, 10, 5, 300, 10)"
        )


def test_a_file_of_version_1_opens_migrates_and_keeps_its_numbers(books):
    make_version_1(books.path)
    with pytest.raises(LedgerError, match=r"has schema 1, .* 'orchestrator doctor' brings it up to date"):
        books.reader.__enter__()
    books.ledger.check_writable()
    assert books.rows("PRAGMA user_version") == [(VERSION,)]
    assert books.counter(period="2026-11") == (300, 1000)
    assert books.rows("SELECT operation_id, price_version FROM holds") == [("open", "")]
    assert books.verified().counters_are_right
    books.request("new", 7)
    assert books.counter(period="2026-11") == (307, 1000)
    with books.reader:
        orphans = find_orphans(
            books.reader,
            now=books.clock.now(),
            older_than=books.clock.now() - books.clock.now(),
            time_zone="UTC",
        )
    assert len(settle_orphans(books.ledger, orphans, policy=OrphanPolicy.BOUND, now=books.clock.now())) == 1
    assert books.counter(period="2026-11-22") == (1300, 0)
    assert books.verified().counters_are_right


def test_a_migration_that_breaks_off_leaves_the_old_file(books, monkeypatch):
    make_version_1(books.path)
    broken = {**ledger_schema._MIGRATIONS, 2: (*ledger_schema._MIGRATIONS[2], "CREATE NONSENSE")}
    with monkeypatch.context() as patched:
        patched.setattr(ledger_schema, "_MIGRATIONS", broken)
        with pytest.raises(LedgerError, match="syntax error"):
            books.ledger.check_writable()
    assert books.rows("PRAGMA user_version") == [(1,)]
    assert books.rows("SELECT name FROM sqlite_master WHERE name IN ('corrections', 'monthly')") == []
    books.ledger.check_writable()
    assert books.rows("PRAGMA user_version") == [(VERSION,)]


def test_a_newer_file_is_refused_by_writer_and_reader(books):
    books.write(f"PRAGMA user_version = {VERSION + 1}")
    with closing(sqlite3.connect(books.path)) as connection, pytest.raises(LedgerError, match="upgrade"):
        migrate(connection, path="x")
    books.write("CREATE TABLE something (x)")
    with pytest.raises(LedgerError, match="upgrade"):
        LedgerReader(books.path).__enter__()


def make_version_4(path):
    """Write a file as the release before plans did: one request with its attempt and a correction."""
    make_version_1(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        for version in (2, 3, 4):
            for statement in ledger_schema._MIGRATIONS[version]:
                connection.execute(statement)
        connection.execute("PRAGMA user_version = 4")
        connection.execute(
            "INSERT INTO corrections VALUES ('one', 1, '2026-11-22', '2026-11', '[]', -100, 'operator',"
            " '2026-11-22T09:00:00+00:00', 1, 'the invoice')"
        )


def test_requests_of_a_file_without_plans_are_found_and_say_that_there_is_no_plan(books):
    make_version_4(books.path)
    books.ledger.check_writable()
    books.request("two", 7)
    with books.reader:
        rows = books.reader.requests(RequestQuery())
        detail = books.reader.request("one")
        assert books.reader.feedback_sums(Selection("2026-01-01", "2026-12-31")) == ()
    assert [(row.id, row.cost_nusd) for row in rows] == [("two", 7), ("one", 200)]
    assert detail.plan is None
    assert [change.note for change in detail.corrections] == ["the invoice"]
    assert books.ledger.store.give_feedback(Feedback("one", "user", books.clock.now(), score=5))


def test_the_weeks_and_the_beginning_of_an_old_ledger_are_reckoned_from_its_rows(books):
    make_version_1(books.path)
    books.write("INSERT INTO counters VALUES ('all', '2027-01-03', 7, 0)")
    books.write(
        "INSERT INTO attempts SELECT 'two', 1, '2027-01-03', '2027-01', scopes, deployment, provider, model, outcome,"
        " failure, status, '2027-01-03T08:00:00+00:00', latency_ms, first_token_ms, input_tokens, output_tokens,"
        " cached_input_tokens, cache_write_tokens, reasoning_tokens, tokens_estimated, held_nusd, 7, cost_source,"
        " price_version, upstream_id FROM attempts"
    )
    books.write("INSERT INTO counters VALUES ('all', '2027-01', 7, 0)")
    books.ledger.check_writable()
    assert [books.counter(period=week) for week in ("2026-W47", "2026-W53")] == [(300, 1000), (7, 0)]
    assert books.ledger.store.began_at().isoformat() == "2026-11-22T08:00:00+00:00"
    assert books.verified().counters_are_right
    assert books.rows("SELECT DISTINCT hour, runs FROM attempts") == [("", "[]")]


def test_days_that_were_summed_while_probes_had_names_of_customers_are_summed_anew(books):
    make_version_4(books.path)
    with closing(sqlite3.connect(books.path)) as connection, connection:
        for version in (5, 6, 7, 8):
            for statement in ledger_schema._MIGRATIONS[version]:
                connection.execute(statement)
        connection.execute("PRAGMA user_version = 8")
        for day, tenant in (("2026-11-20", "doctor"), ("2026-11-21", "acme")):
            connection.execute("INSERT INTO summed_days VALUES (?, NULL)", (day,))
            connection.execute(
                "INSERT INTO request_sums VALUES (?, ?, 'bulk', 'succeeded', 'miss', 0, NULL, 1, 10)",
                (day, tenant),
            )
            connection.execute(
                "INSERT INTO name_sums VALUES (?, 'acme', 'bulk', 'tag', 'doctor', 1, 0, 0, 0, 0)", (day,)
            )
    books.ledger.check_writable()
    for table in ("summed_days", "request_sums", "name_sums"):
        assert books.rows(f"SELECT DISTINCT day FROM {table}") == [("2026-11-21",)]  # noqa: S608


@pytest.mark.parametrize("year", [2020, 2021, 2026, 2032])
def test_the_week_of_a_day_is_the_same_to_sqlite_and_to_us(year):
    days = [(date(year, 1, 1) + timedelta(days=number)).isoformat() for number in range(366)]
    with closing(sqlite3.connect(":memory:")) as connection:
        query = f"SELECT {ledger_schema._ISO_WEEK} FROM (SELECT ? AS period)"  # noqa: S608 -- fixed words
        assert [connection.execute(query, (day,)).fetchone()[0] for day in days] == [
            week_of(day) for day in days
        ]


def test_a_rolled_up_day_takes_the_plans_of_its_requests_along(books):
    books.send("two")
    books.close("two", plan=PackedPlan(7, "[[],[],[],{}]", "[[]]"))
    assert books.rows("SELECT operation_id, shape_key FROM plans") == [("two", 7)]
    books.ledger.store.roll_up_day("2026-11-23")
    assert books.rows("SELECT COUNT(*) FROM operations UNION ALL SELECT COUNT(*) FROM plans") == [(0,), (0,)]


def make_older(path, version):
    """Take from a file what later versions have brought: tables with their indices and triggers."""
    with closing(sqlite3.connect(path)) as connection, connection:
        later = [
            statement
            for number in range(version + 1, VERSION + 1)
            for statement in ledger_schema._MIGRATIONS[number]
        ]
        for kind in ("TRIGGER", "TABLE"):
            for statement in later:
                if statement.startswith(f"CREATE {kind} "):
                    connection.execute(f"DROP {kind} {statement.split()[2]}")
        connection.execute("DELETE FROM about WHERE key = 'prompt_secret' AND ? < 7", (version,))
        connection.execute(f"PRAGMA user_version = {version}")


@pytest.mark.parametrize("version", [ledger_schema.READABLE_SINCE, VERSION - 1])
def test_a_look_at_an_older_file_says_the_same_and_leaves_it_as_it_is(book, version):
    """A program of that version may be at work on it, and would not open a newer one again."""
    book.request(("m", Outcome.SUCCEEDED, 5), tenant="acme")
    book.request(("m", Outcome.FAILED, 0), outcome=Outcome.FAILED)
    book.ledger.close()
    tomorrow = book.clock.now() + timedelta(days=1)

    def said():
        reader = LedgerReader(book.path)
        report = usage_report(reader, Span.of_month("2026-11"), of=EVERYBODY, today=tomorrow.date())
        with reader:
            prompts = read_prompt_sums(reader, EVERYBODY.over(Span.of_month("2026-11")))
            return report, prompts, reader.requests(RequestQuery()), tuple(reader.booked_sums())

    before = said()
    make_older(book.path, version)
    file = book.path.read_bytes()
    assert said() == before
    with closing(
        open_ledger(LedgerSettings(path=str(book.path)), limits=Limits(BUDGETS), clock=book.clock)
    ) as new:
        assert sum_closed_days(new.store, now=tomorrow, time_zone="UTC") == 0
        assert book.path.read_bytes() == file
        new.check_writable()
        assert sum_closed_days(new.store, now=tomorrow, time_zone="UTC") == 1
        assert said() == before
