"""No budget is overspent: not by threads, processes, forks, a crash, a full disk or a clock that jumps."""

import asyncio
import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from orchestrator.core.alerts import AlertKind, Alerts
from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import BudgetExceededError, InvalidRequestError, LedgerError
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Attempt, CacheState, CostSource, Outcome, Usage
from orchestrator.ledger.budgets import CALENDAR, BudgetSettings, Limits, Window
from orchestrator.ledger.ledger import HoldRequest, RequestRecord
from orchestrator.ledger.opening import LedgerSettings, open_ledger
from orchestrator.ledger.records import new_operation_id
from orchestrator.ledger.sqlite import schema as ledger_schema
from tests.support.unprivileged import unprivileged
from tests.support.windows import window_of

ROOT = Path(__file__).parents[2]
BOUND = NanoUsd(1000)


def limits(*entries, time_zone="UTC"):
    """Make limits from entries in whole nano-dollars."""
    in_dollars = [
        {key: value if key == "scope" else f"{value / 1e9:.9f}" for key, value in entry.items()}
        for entry in entries
    ]
    return Limits(BudgetSettings(time_zone=time_zone, limits=in_dollars))


def claim(number=1, *, bound=BOUND, scopes=("all", "tenant:acme"), operation="op"):
    return HoldRequest(f"{operation}-{number}", 1, "p/m", "p", "m", scopes, NanoUsd(bound), "book@2026-11-09")


def attempt(cost, **more):
    return Attempt(
        1, "p/m", "p", "m", Outcome.SUCCEEDED,
        usage=Usage(10, 5), cost_nusd=NanoUsd(cost), cost_source=CostSource.PRICE_BOOK, **more,
    )  # fmt: skip


def operation(number, *, cost=0, moment=datetime(2026, 11, 23, 9, tzinfo=UTC)):
    return RequestRecord(
        f"op-{number}", moment, "acme", "bulk", None, (), Outcome.SUCCEEDED, None, CacheState.MISS, None,
        "p/m", "p", "m", 1, Usage(10, 5), NanoUsd(cost), 0.1,
    )  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "ledger.sqlite3"


@pytest.fixture
def make(path, clock) -> Iterator:
    made = []

    def make_ledger(*entries, where=path, time_zone="UTC", lock_timeout_s=60.0, a_clock=clock):
        ledger = open_ledger(
            LedgerSettings(path=str(where), lock_timeout_s=lock_timeout_s),
            limits=limits(*entries, time_zone=time_zone),
            clock=a_clock,
        )
        made.append(ledger)
        return ledger

    yield make_ledger
    for ledger in made:
        ledger.close()


def rows(path, sql, *values):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql, values).fetchall()


def counted(ledger, scope="all", window=Window.DAY):
    one = next(one for one in ledger.budget_status() if one.scope == scope and one.window == window)
    return one.spent, one.held


def wrong_counters(path):
    """Name each counter that is not the sum of what was settled and is held: the ledger, reckoned again."""
    with closing(sqlite3.connect(path)) as connection:
        expected: dict[tuple[str, str], list[int]] = {}
        sources = (
            (0, "SELECT scopes, hour, day, month, cost_nusd FROM attempts"),
            (0, "SELECT scopes, hour, day, month, cost_nusd FROM corrections"),
            (1, "SELECT scopes, hour, day, month, held_nusd FROM holds"),
        )
        for place, sql in sources:
            for scopes, hour, day, month, amount in connection.execute(sql):
                week = "{}-W{:02}".format(*date.fromisoformat(day).isocalendar())
                for scope in orjson.loads(scopes):
                    for period in (hour, day, week, month):
                        expected.setdefault((scope, period), [0, 0])[place] += amount
        found = {
            (scope, period): [spent, held]
            for scope, period, spent, held in connection.execute("SELECT * FROM counters")
        }
    keys = expected.keys() | found.keys()
    return {key for key in keys if expected.get(key, [0, 0]) != found.get(key, [0, 0])}


# ---- arithmetic


def test_a_hold_counts_until_it_is_settled_and_then_the_true_cost_counts(make, path):
    ledger = make()
    hold = ledger.hold(claim())
    assert counted(ledger) == counted(ledger, "tenant:acme", Window.MONTH) == (0, 1000)
    ledger.settle(hold, attempt(300))
    assert counted(ledger) == counted(ledger, "tenant:acme", Window.MONTH) == (300, 0)
    assert wrong_counters(path) == set()


def test_the_sum_of_spent_and_held_may_reach_a_limit_and_not_pass_it(make):
    ledger = make({"scope": "all", "day": 2500})
    ledger.settle(ledger.hold(claim(1)), attempt(500))
    ledger.hold(claim(2))
    ledger.hold(claim(3))
    with pytest.raises(BudgetExceededError):
        ledger.hold(claim(4, bound=1))
    assert counted(ledger) == (500, 2000)


def test_a_refusal_names_the_limit_what_is_left_and_when_it_resets(make):
    ledger = make({"scope": "tenant:acme", "day": 2500}, time_zone="Asia/Ho_Chi_Minh")
    ledger.settle(ledger.hold(claim(1)), attempt(700))
    ledger.hold(claim(2))
    with pytest.raises(BudgetExceededError) as caught:
        ledger.hold(claim(3))
    error = caught.value
    assert (error.scope, error.window, error.limit, error.left, error.needed) == (
        "tenant:acme", "day", 2500, 800, 1000,
    )  # fmt: skip
    assert error.resets_at is not None
    assert error.resets_at.isoformat() == "2026-11-24T00:00:00+07:00"


@pytest.mark.parametrize("window", CALENDAR)
@pytest.mark.parametrize(
    "scope", ["all", "tenant:acme", "use_case:bulk", "user:42", "provider:p", "tag:trial"]
)
def test_a_refusal_in_one_scope_and_window_holds_nothing_in_any(make, path, scope, window):
    ledger = make({"scope": scope, window: 999})
    scopes = ("all", "tenant:acme", "use_case:bulk", "user:42", "provider:p", "tag:trial")
    with pytest.raises(BudgetExceededError, match=f"the {window} budget of {scope}"):
        ledger.hold(claim(scopes=scopes))
    assert rows(path, "SELECT * FROM holds") == []
    assert rows(path, "SELECT * FROM counters WHERE held_nusd <> 0 OR spent_nusd <> 0") == []


def test_a_send_over_the_limit_of_a_request_never_reaches_the_file(make, path):
    ledger = make({"scope": "all", "request": 999})
    with pytest.raises(BudgetExceededError, match="the request budget of all"):
        ledger.hold(claim())
    assert not path.exists()


def test_day_and_month_hold_together(make, clock):
    """D4: thirty-one full days would pass the month's limit."""
    ledger = make({"scope": "all", "day": 1000, "month": 2500})
    for number in range(2):
        ledger.settle(ledger.hold(claim(number)), attempt(1000))
        clock.advance(24 * 3600)
    with pytest.raises(BudgetExceededError, match="the month budget"):
        ledger.hold(claim(2))
    assert ledger.hold(claim(3, bound=500)).period.day == "2026-11-25"


def test_a_booking_that_can_never_be_written_does_not_block_the_others(make):
    ledger = make()
    first, second = ledger.hold(claim("same")), ledger.hold(claim("same"))
    ledger.settle(first, attempt(300))
    with pytest.raises(LedgerError, match="UNIQUE"):
        ledger.settle(second, attempt(300))
    ledger.settle(ledger.hold(claim("other")), attempt(1))
    assert counted(ledger) == (301, 1000), "on the safe side: its hold stays counted"


def test_tenants_under_one_wildcard_have_a_limit_each(make):
    ledger = make({"scope": "tenant:*", "day": 1000})
    ledger.hold(claim(1, scopes=("all", "tenant:a")))
    ledger.hold(claim(2, scopes=("all", "tenant:b")))
    with pytest.raises(BudgetExceededError, match="tenant:a"):
        ledger.hold(claim(3, scopes=("all", "tenant:a")))


def test_settling_twice_changes_nothing(make, path):
    ledger = make()
    first, second = ledger.hold(claim(1)), ledger.hold(claim(2))
    for _ in range(3):
        ledger.settle(first, attempt(300))
    ledger.settle(first, attempt(999))
    assert counted(ledger) == (300, 1000)
    ledger.settle(second, attempt(0))
    ledger.hold(claim(3))  # may have the row number of the first
    ledger.settle(first, attempt(300))
    assert counted(ledger) == (300, 1000)
    assert wrong_counters(path) == set()


def test_what_is_settled_inside_a_transaction_is_written_with_the_next(make, path):
    """Python may collect an abandoned stream at any moment, and the stream settles itself then."""
    ledger = make()
    first, second = ledger.hold(claim(1)), ledger.hold(claim(2))
    ledger.store.file.write(lambda _: ledger.settle(first, attempt(300)))
    assert counted(ledger) == (0, 2000)
    ledger.settle(second, attempt(100))
    assert counted(ledger) == (400, 0)
    assert wrong_counters(path) == set()


def test_an_operation_is_written_once(make, path):
    ledger = make()
    ledger.record_request(operation(1, cost=5))
    ledger.record_request(operation(1, cost=9))
    assert rows(path, "SELECT id, cost_nusd, day FROM operations") == [("op-1", 5, "2026-11-23")]


def test_an_attempt_is_kept_with_all_that_a_report_needs(make, path):
    ledger = make()
    ledger.settle(ledger.hold(claim()), attempt(300, latency_s=1.5, first_token_s=0.25, upstream_id="gen-1"))
    (row,) = rows(
        path,
        "SELECT operation_id, number, outcome, latency_ms, first_token_ms, input_tokens, output_tokens, held_nusd,"
        " cost_nusd, cost_source, price_version, upstream_id FROM attempts",
    )
    assert row == (
        "op-1", 1, "succeeded", 1500, 250, 10, 5, 1000, 300, "price_book", "book@2026-11-09", "gen-1",
    )  # fmt: skip


def test_a_charge_above_the_hold_is_booked_in_full_and_stops_the_next(make):
    """What a provider charged is true, whatever was held for it."""
    ledger = make({"scope": "all", "day": 1500})
    ledger.settle(ledger.hold(claim(1)), attempt(1600))
    assert counted(ledger) == (1600, 0)
    with pytest.raises(BudgetExceededError):
        ledger.hold(claim(2, bound=1))


def test_what_costs_nothing_passes_no_limit(make):
    """A local model that is asked for by name, or in an outage, answers when the money is gone."""
    ledger = make({"scope": "all", "day": 500})
    ledger.settle(ledger.hold(claim(1, bound=500)), attempt(600))
    ledger.settle(ledger.hold(claim(2, bound=0)), attempt(0))
    assert counted(ledger) == (600, 0)


def test_ids_of_requests_sort_by_time_and_never_repeat(clock):
    """So a booking touches the same few pages, however large the file is."""
    ids = []
    for _ in range(50):
        ids.append([new_operation_id(clock.now()) for _ in range(20)])
        clock.advance(0.002)
    assert len({one for batch in ids for one in batch}) == 1000
    assert all(max(earlier) < min(later) for earlier, later in pairwise(ids))
    assert {uuid.UUID(one).version for one in ids[0]} == {7}
    assert {uuid.UUID(one).variant for one in ids[0]} == {uuid.RFC_4122}


# ---- limits that change


def test_a_limit_added_later_counts_what_was_spent_before(make):
    ledger = make()
    ledger.settle(ledger.hold(claim(1)), attempt(900))
    ledger.limits = limits({"scope": "tenant:acme", "day": 1000})
    with pytest.raises(BudgetExceededError):
        ledger.hold(claim(2, bound=101))
    ledger.hold(claim(3, bound=100))


def test_a_limit_lowered_in_flight_stops_the_next_send_and_settles_those_under_way(make, path):
    ledger = make({"scope": "all", "day": 5000})
    holds = [ledger.hold(claim(number)) for number in range(4)]
    ledger.limits = limits({"scope": "all", "day": 1000})
    with pytest.raises(BudgetExceededError) as caught:
        ledger.hold(claim(9, bound=1))
    assert caught.value.left == 0
    for hold in holds:
        ledger.settle(hold, attempt(100))
    assert ledger.hold(claim(10, bound=600)).request.bound_nusd == 600
    assert wrong_counters(path) == set()


def test_the_standings_show_every_limit_even_before_the_first_send(make):
    ledger = make({"scope": "all", "day": 100, "month": 2500}, {"scope": "tenant:*", "day": 10})
    assert [(one.scope, one.window, one.limit, one.spent, one.left) for one in ledger.budget_status()] == [
        ("all", "day", 100, 0, 100),
        ("all", "month", 2500, 0, 2500),
    ]
    ledger.hold(claim(bound=7))
    shown = {(one.scope, one.window): (one.limit, one.held, one.left) for one in ledger.budget_status()}
    assert shown == {
        ("all", "day"): (100, 7, 93),
        ("all", "month"): (2500, 7, 2493),
        ("tenant:acme", "day"): (10, 7, 3),
        ("tenant:acme", "month"): (None, 7, None),
    }


# ---- time


def test_a_settlement_after_midnight_books_into_the_day_of_its_hold(make, clock, path):
    ledger = make({"scope": "all", "day": 1000})
    clock.set(datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC))
    hold = ledger.hold(claim(1))
    clock.set(datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC))
    ledger.settle(hold, attempt(900))
    counters = {(period, spent, held) for _, period, spent, held in rows(path, "SELECT * FROM counters")}
    keys = ("2026-11-30T23+00:00", "2026-11-30", "2026-W49", "2026-11")
    assert counters == {(key, 900, 0) for key in keys}
    assert ledger.hold(claim(2)).period.month == "2026-12"
    assert wrong_counters(path) == set()


def test_a_day_begins_at_midnight_of_its_zone(make, clock):
    ledger = make({"scope": "all", "day": 1000}, time_zone="Asia/Ho_Chi_Minh")
    clock.set(datetime(2026, 11, 23, 16, 59, tzinfo=UTC))
    ledger.hold(claim(1))
    clock.set(datetime(2026, 11, 23, 17, 0, tzinfo=UTC))
    assert ledger.hold(claim(2)).period.day == "2026-11-24"


def test_a_clock_that_jumps_back_finds_what_was_spent_on_that_day(make, clock, path):
    ledger = make({"scope": "all", "day": 1000})
    ledger.settle(ledger.hold(claim(1)), attempt(600))
    clock.set(datetime(2026, 11, 24, 9, tzinfo=UTC))
    hold = ledger.hold(claim(2))
    clock.set(datetime(2026, 11, 23, 9, tzinfo=UTC))
    with pytest.raises(BudgetExceededError):
        ledger.hold(claim(3, bound=500))
    ledger.settle(hold, attempt(100))
    ledger.hold(claim(4, bound=400))
    assert wrong_counters(path) == set()


# ---- many at once


def test_eight_threads_get_exactly_what_the_limit_allows(make, path):
    ledger = make({"scope": "all", "day": 100 * BOUND})

    def hold_many(worker: int) -> int:
        granted = 0
        for number in range(50):
            try:
                ledger.hold(claim(f"{worker}-{number}"))
                granted += 1
            except BudgetExceededError:
                pass
        return granted

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(hold_many, range(8))) == 100
    assert wrong_counters(path) == set()


_PROGRAM = """
    import sys
    from pathlib import Path
    sys.path.insert(0, {root!r})
    from datetime import UTC, datetime
    from orchestrator.core.reply import Attempt, CostSource, Outcome, Usage
    from orchestrator.core.clock import SystemClock
    from orchestrator.core.errors import BudgetExceededError, LedgerError
    from orchestrator.ledger.budgets import BudgetSettings, Limits
    from orchestrator.ledger.ledger import HoldRequest
    from orchestrator.ledger.opening import LedgerSettings, open_ledger

    def limits(dollars):
        return Limits(BudgetSettings(limits=[{{"scope": "all", "day": dollars}}]))

    def claim(name):
        return HoldRequest(name, 1, "p/m", "p", "m", ("all", "tenant:acme"), 1000, "book")

    def attempt(cost):
        return Attempt(1, "p/m", "p", "m", Outcome.SUCCEEDED, cost_nusd=cost, cost_source=CostSource.PRICE_BOOK)

    ledger = open_ledger(LedgerSettings(path={path!r}, lock_timeout_s=60), limits=limits({limit!r}), clock=SystemClock())
"""


def program(path, text, *, limit="1"):
    """Return a program with a ledger of its own that runs `text`."""
    head = textwrap.dedent(_PROGRAM.format(root=str(ROOT), path=str(path), limit=limit))
    return [sys.executable, "-c", head + textwrap.dedent(text)]


def test_four_processes_on_one_new_file_get_exactly_what_the_limit_allows(path, warm):
    """They also create the file at the same moment."""
    text = """
        import sys
        print("ready", flush=True)
        sys.stdin.readline()
        granted = 0
        for number in range(50):
            try:
                ledger.hold(claim(f"{os.getpid()}-{number}"))
                granted += 1
            except BudgetExceededError:
                pass
        print(granted, flush=True)
    """
    *_, holding = program(path, "import os\n" + textwrap.dedent(text), limit="0.0001")
    processes = [warm(holding, environment={}) for _ in range(4)]
    for process in processes:
        assert process.told() == "ready"
    for process in processes:
        process.go()
    assert sum(int(process.told()) for process in processes) == 100
    assert rows(path, "SELECT count(*), sum(held_nusd) FROM holds") == [(100, 100_000)]
    assert wrong_counters(path) == set()


def test_a_forked_child_and_its_parent_share_the_file_whoever_closes_first(make, path):
    ledger = make({"scope": "all", "day": 60 * BOUND})
    ledger.hold(claim("before"))
    go_reader, go_writer = os.pipe()
    ready_reader, ready_writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            ledger.hold(claim("child-first"))
            os.write(ready_writer, b"x")
            os.read(go_reader, 1)
            for number in range(50):
                ledger.hold(claim(f"child-{number}"))
            ledger.close()
        finally:
            os._exit(0)
    os.read(ready_reader, 1)
    ledger.hold(claim("parent"))
    ledger.close()
    os.write(go_writer, b"x")
    os.waitpid(child, 0)
    assert counted(ledger) == (0, 53 * BOUND)
    assert rows(path, "SELECT count(*) FROM holds") == [(53,)]
    assert wrong_counters(path) == set()


def test_threads_may_fork_while_others_book(make, path):
    """No child inherits a lock that nobody will ever open again."""
    ledger = make()
    context = multiprocessing.get_context("fork")

    def book(worker: int) -> None:
        for number in range(20):
            ledger.settle(ledger.hold(claim(f"{worker}-{number}")), attempt(1))

    with ThreadPoolExecutor(2) as pool:
        working = [pool.submit(book, worker) for worker in range(2)]
        children = [context.Process(target=book, args=(f"child-{number}",)) for number in range(3)]
        for child in children:
            child.start()
        for child in children:
            child.join(300)
        for one in working:
            one.result(300)
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert counted(ledger) == (100, 0)
    assert wrong_counters(path) == set()


def test_a_process_killed_between_hold_and_settle_leaves_its_hold_counted(make, path):
    text = """
        ledger.settle(ledger.hold(claim("settled")), attempt(300))
        ledger.hold(claim("orphan"))
        print("held", flush=True)
        sys.stdin.readline()
    """
    with subprocess.Popen(
        program(path, text), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == "held\n"
        one.send_signal(signal.SIGKILL)
    ledger = make({"scope": "all", "day": 1500}, a_clock=SystemClock())
    assert counted(ledger) == (300, 1000)
    with pytest.raises(BudgetExceededError):
        ledger.hold(claim(1, bound=201))
    ledger.hold(claim(2, bound=200))
    (orphan,) = rows(path, "SELECT process FROM holds WHERE operation_id = 'orphan'")
    assert f":{one.pid}:" in orphan[0]
    assert wrong_counters(path) == set()


def test_many_kills_at_any_moment_never_lose_or_invent_money(path, warm):
    """A writer is killed again and again; after each death the file is whole and its sums are right."""
    text = """
        import itertools, os
        ledger.check_writable()
        print("ready", flush=True)
        for number in itertools.count():
            ledger.settle(ledger.hold(claim(f"{os.getpid()}-{number}")), attempt(7))
    """
    *_, booking = program(path, text)
    for delay_s in (0.0, 0.003, 0.01, 0.02):
        process = warm(booking, environment={})
        assert process.told() == "ready"
        SystemClock().pause(delay_s)
        process.kill()
        process.wait()
        assert rows(path, "PRAGMA integrity_check") == [("ok",)]
        assert wrong_counters(path) == set()
    assert rows(path, "SELECT count(*) > 0 FROM attempts") == [(1,)]


# ---- files that cannot be used


def test_a_file_of_a_newer_version_is_refused_and_left_alone(make, path):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match=r"has schema 99, this program knows up to \d+: upgrade") as caught:
        make().hold(claim())
    assert str(path) in str(caught.value)
    assert rows(path, "SELECT name FROM sqlite_master") == []


@pytest.mark.parametrize("version", range(1, ledger_schema.VERSION))
def test_a_file_of_an_older_version_becomes_a_current_one_and_keeps_its_money(make, path, version):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        for step in range(1, version + 1):
            for statement in ledger_schema._MIGRATIONS[step]:
                connection.execute(statement)
        connection.execute("INSERT INTO counters VALUES ('all', '2026-11-23', 700, 0)")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
    ledger = make({"scope": "all", "day": 1000})
    with pytest.raises(BudgetExceededError):
        ledger.hold(claim(1, bound=301))
    ledger.settle(ledger.hold(claim(2, bound=300)), attempt(300))
    assert counted(ledger) == (1000, 0)
    assert rows(path, "PRAGMA user_version") == [(ledger_schema.VERSION,)]


def test_a_damaged_file_is_refused_with_what_to_do(make, path):
    path.parent.mkdir()
    path.write_bytes(b"Dear diary, this is no database. " * 100)
    with pytest.raises(
        LedgerError, match="not a database; .* the file is damaged .* restore the last good copy"
    ):
        make().hold(claim())
    assert path.read_bytes().startswith(b"Dear diary"), "nothing is written over it"


def test_a_page_of_rubbish_in_the_middle_is_an_error_and_no_wrong_number(make, path):
    ledger = make()
    for number in range(50):
        ledger.settle(ledger.hold(claim(number)), attempt(10))
    ledger.close()
    content = bytearray(path.read_bytes())
    page = 4096
    for start in range(page, len(content), page):
        content[start : start + 200] = b"\xff" * 200
    path.write_bytes(bytes(content))
    with pytest.raises(LedgerError, match="malformed; look at the disk.* the file is damaged"):
        make().hold(claim("after"))


def test_a_folder_that_is_a_file_is_refused(make, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="make the file and its folder writable, or set ledger.path"):
        make(where=tmp_path / "file" / "ledger.sqlite3").hold(claim())


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_read_only_folder_is_refused_and_nothing_may_be_sent(make, open_folder):
    open_folder.chmod(0o555)
    with unprivileged(open_folder), pytest.raises(LedgerError, match="its folder writable") as caught:
        make(where=open_folder / "ledger.sqlite3").hold(claim())
    assert "Nothing is sent that cannot be booked." in str(caught.value)


def test_a_read_only_file_is_refused(make, open_folder):
    path = open_folder / "ledger.sqlite3"
    with unprivileged(open_folder):
        make(where=path).hold(claim())
        for ledger in (make(where=path),):
            ledger.close()
    for one in open_folder.iterdir():
        one.chmod(0o444)
    open_folder.chmod(0o555)
    with (
        unprivileged(*open_folder.iterdir()),
        pytest.raises(LedgerError, match="make the file and its folder writable"),
    ):
        make(where=path).hold(claim(2))
    open_folder.chmod(0o755)


def test_a_file_that_was_made_writable_is_used_again_without_a_restart(make, open_folder):
    path = open_folder / "ledger.sqlite3"
    with unprivileged(open_folder):
        make(where=path).hold(claim(1))
    path.chmod(0o444)
    ledger = make(where=path)
    with unprivileged(open_folder):
        with pytest.raises(LedgerError, match="make the file and its folder writable"):
            ledger.hold(claim(2))
        path.chmod(0o644)
        ledger.hold(claim(3))
    assert counted(ledger) == (0, 2 * BOUND)


def test_a_file_locked_by_another_program_is_told_after_the_timeout(make, path):
    make().hold(claim())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="locked; another process holds it for longer than 0.2 s"):
            make(lock_timeout_s=0.2, a_clock=SystemClock()).hold(claim(2))


def test_a_short_lock_of_another_program_is_waited_for(make, path):
    ledger = make(a_clock=SystemClock())
    ledger.hold(claim())
    with ThreadPoolExecutor(1) as pool, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = pool.submit(ledger.hold, claim(2))
        SystemClock().pause(0.1)
        assert not waiting.done()
        other.execute("COMMIT")
        assert waiting.result(300).request == claim(2)


async def test_on_an_event_loop_a_lock_is_waited_for_aside(make, path):
    """The loop turns while the file is locked; who gives up waiting holds nothing."""
    ledger = make(a_clock=SystemClock())
    await ledger.aopen()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting, leaving = (asyncio.create_task(ledger.ahold(claim(number))) for number in (1, 2))
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert not waiting.done()
        leaving.cancel()
        other.execute("COMMIT")
        assert (await waiting).request == claim(1)
    await asyncio.gather(leaving, return_exceptions=True)
    assert leaving.cancelled()
    assert ledger.budget_status()[0].held == claim(1).bound_nusd


async def test_on_an_event_loop_a_settlement_is_deferred_and_written_by_itself(make, path):
    """No caller waits for it, and it needs no other transaction to come along."""
    ledger = make(a_clock=SystemClock())
    holds = [ledger.hold(claim(number)) for number in (1, 2)]
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for one in holds:
            ledger.settle_deferred(one, attempt(300))
        for one in holds:
            with pytest.raises(LedgerError, match="others use the ledger"):
                await ledger.written(one.request.operation_id)
        other.execute("COMMIT")
    await ledger.store.file.writing
    assert (ledger.budget_status()[0].spent, ledger.budget_status()[0].held) == (600, 0)


# ---- a disk that is full


def limit_pages(ledger, more):
    """Let the real file grow by `more` pages at most; SQLite then says what it says on a full disk."""
    connection = ledger.store.file._connect()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + more}")


def test_a_settlement_that_no_event_loop_will_write_is_told_at_once(path, clock):
    """An abandoned stream settles when Python collects it, on whichever thread that is."""
    alerts = Alerts()
    told = []
    alerts.subscribe(told.append)
    ledger = open_ledger(LedgerSettings(path=str(path)), limits=limits(), clock=clock, alerts=alerts)
    hold = ledger.hold(claim("paid"))
    limit_pages(ledger, 0)
    with pytest.raises(LedgerError, match="full"):
        ledger.settle_deferred(hold, attempt(300, upstream_id="gen" + "x" * 9000))
    assert [(alert.kind, alert.request_id) for alert in told] == [(AlertKind.BOOKED_LATE, "op-paid")]
    limit_pages(ledger, 99)
    ledger.close()


def test_a_full_disk_refuses_holds_and_writes_the_deferred_settlement_later(make, path):
    """The answer was paid for, so its booking is kept, and its hold counts until it is written."""
    ledger = make()
    hold = ledger.hold(claim("paid"))
    limit_pages(ledger, 0)
    filler = "x" * 3000
    with pytest.raises(LedgerError, match="full; free some space on that disk"):
        for number in range(100):
            ledger.hold(claim(number, scopes=("all", f"tag:{number}{filler}")))
    with pytest.raises(LedgerError, match="full"):
        ledger.settle(hold, attempt(300, upstream_id="gen" + filler * 3))
    assert rows(path, "SELECT count(*) FROM holds WHERE operation_id = 'op-paid'") == [(1,)]
    limit_pages(ledger, 1000)
    ledger.record_request(operation(1))
    assert rows(path, "SELECT operation_id, cost_nusd FROM attempts") == [("op-paid", 300)]
    assert wrong_counters(path) == set()


def test_a_deferred_settlement_is_written_when_the_ledger_is_closed(make, path):
    ledger = make()
    hold = ledger.hold(claim("paid"))
    limit_pages(ledger, 0)
    with pytest.raises(LedgerError):
        ledger.settle(hold, attempt(300, upstream_id="x" * 20_000))
    limit_pages(ledger, 1000)
    ledger.close()
    assert rows(path, "SELECT cost_nusd FROM attempts") == [(300,)]


def test_a_refused_budget_does_not_lose_what_is_deferred(make, path):
    ledger = make({"scope": "all", "day": 1000})
    hold = ledger.hold(claim("paid"))
    limit_pages(ledger, 0)
    with pytest.raises(LedgerError):
        ledger.settle(hold, attempt(300, upstream_id="x" * 20_000))
    limit_pages(ledger, 1000)
    with pytest.raises(BudgetExceededError):
        ledger.hold(claim("too-much", bound=999))
    ledger.hold(claim("fits", bound=700))
    assert counted(ledger) == (300, 700)
    assert wrong_counters(path) == set()


FILL = """
    import resource
    granted = settled = 0
    try:
        for number in range(100_000):
            hold = ledger.hold(claim(f"{'x' * 500}-{number}"))
            granted += 1
            ledger.settle(hold, attempt(7))
            settled += 1
    except LedgerError as error:
        print(granted, settled, error)
"""


def check_filled(out, path):
    granted, settled, text = out.split(" ", 2)
    assert text.startswith(f"cannot use the ledger {path}: ")
    assert int(granted) > 10
    return int(granted), int(settled), text


def test_a_file_size_limit_of_the_system_stops_sends_and_loses_nothing(path):
    command = program(
        path,
        "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (520_000, 520_000))"
        + textwrap.dedent(FILL),
    )
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    granted, settled, text = check_filled(out, path)
    assert "look at the disk" in text
    assert rows(path, "SELECT count(*) FROM attempts") == [(settled,)]
    assert granted - settled <= 1
    assert wrong_counters(path) == set()


def test_a_disk_that_is_really_full_stops_sends_and_loses_nothing(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    copy = tmp_path / "copy"
    command = program(disk / "ledger.sqlite3", FILL)
    script = f'mount -t tmpfs -o size=540k tmpfs {disk} && "$@"; code=$?; cp -r {disk} {copy}; exit $code'
    probe = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if probe.returncode:
        pytest.skip("this system lets nobody mount a small disk (unshare -rm mount)")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *command],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    granted, settled, text = check_filled(done.stdout, disk / "ledger.sqlite3")
    assert "full; free some space on that disk" in text
    assert rows(copy / "ledger.sqlite3", "SELECT count(*) FROM attempts") == [(settled,)]
    assert granted - settled <= 1
    assert wrong_counters(copy / "ledger.sqlite3") == set()


# ---- anything, in any order


class LedgerMachine(RuleBasedStateMachine):
    """Holds, settlements, refusals, restarts and jumps of the clock, and a model of what must come out."""

    holds = Bundle("holds")
    DAY_LIMIT = 5000

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-"))
        self.path = self.folder / "ledger.sqlite3"
        self.day = 1
        self.number = 0
        self.open()

    def open(self):
        machine = self

        class Today(SystemClock):
            def now(self):
                return datetime(2026, 11, machine.day, 12, tzinfo=UTC)

        entries = (
            {"scope": "all", "day": self.DAY_LIMIT, "month": 12_000},
            {"scope": "tenant:*", "day": 3000},
        )
        self.ledger = open_ledger(LedgerSettings(path=str(self.path)), limits=limits(*entries), clock=Today())

    @rule(target=holds, bound=st.integers(0, 2500), tenant=st.sampled_from("ab"))
    def hold(self, bound, tenant):
        self.number += 1
        try:
            return self.ledger.hold(claim(self.number, bound=bound, scopes=("all", f"tenant:{tenant}")))
        except BudgetExceededError as error:
            assert error.left < bound
            return None

    @rule(hold=consumes(holds), share=st.floats(0, 1), again=st.booleans())
    def settle(self, hold, share, again):
        if hold is not None:
            for _ in range(1 + again):
                self.ledger.settle(hold, attempt(int(hold.request.bound_nusd * share)))

    @rule(day=st.integers(1, 4))
    def jump(self, day):
        self.day = day

    @rule()
    def restart(self):
        self.ledger.close()
        self.open()

    @invariant()
    def every_counter_is_the_sum_of_its_rows(self):
        if self.path.exists():
            assert wrong_counters(self.path) == set()

    @invariant()
    def no_limit_is_passed(self):
        if self.path.exists():
            for scope, period, spent, held in rows(self.path, "SELECT * FROM counters"):
                limit = self.ledger.limits.of(scope, window_of(period))
                assert spent >= 0
                assert held >= 0
                assert limit is None or spent + held <= limit

    def teardown(self):
        self.ledger.close()
        shutil.rmtree(self.folder)


TestLedgerInAnyOrder = LedgerMachine.TestCase
TestLedgerInAnyOrder.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


def test_what_no_counter_holds_is_refused_before_it_is_written(make):
    """A limit of 2**63 tokens, say; SQLite's own error would tell nobody what to do."""
    with pytest.raises(InvalidRequestError, match="more than any ledger counts; lower max_tokens"):
        make().hold(claim(bound=2**63))
