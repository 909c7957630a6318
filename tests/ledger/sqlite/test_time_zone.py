"""The zone whose days are counted belongs to the ledger: whoever has another is refused, with what to do."""

import os

import pytest

from orchestrator.core.errors import LedgerError
from orchestrator.ledger.budgets import BudgetSettings, Limits
from orchestrator.ledger.opening import LedgerSettings, open_ledger
from orchestrator.reports.budget_status import budget_status

LIMIT = [{"scope": "all", "day": "0.00001"}]


@pytest.fixture
def ledger_in(books, clock):
    """Open the ledger of `books`, whose zone is UTC, with another configuration."""
    opened = []

    def ledger_of(time_zone):
        settings = BudgetSettings(time_zone=time_zone, limits=LIMIT)
        ledger = open_ledger(LedgerSettings(path=str(books.path)), limits=Limits(settings), clock=clock)
        opened.append(ledger)
        return ledger

    yield ledger_of
    for ledger in opened:
        ledger.close()


def test_a_second_zone_is_refused_with_what_to_do_and_holds_nothing(books, ledger_in):
    books.send("first", 300)
    other = ledger_in("Pacific/Kiritimati")
    says = (
        "counts days of UTC, config.yaml says Pacific/Kiritimati: write 'time_zone: UTC' under budgets, or .*"
        "'orchestrator ledger time-zone Pacific/Kiritimati', or .* a ledger.path of its own"
    )
    with pytest.raises(LedgerError, match=says):
        other.hold(books.claim("second"))
    with pytest.raises(LedgerError, match=says):
        other.check_writable()
    keys = [("2026-11",), ("2026-11-23",), ("2026-11-23T09+00:00",), ("2026-W48",)]
    assert books.rows("SELECT period FROM counters GROUP BY 1 ORDER BY 1") == keys
    assert books.verified().counters_are_right


async def test_a_zone_that_changes_under_a_running_process_is_refused_too(books):
    books.send("first", 300)
    books.ledger.limits = Limits(BudgetSettings(time_zone="Asia/Ho_Chi_Minh"))
    with pytest.raises(LedgerError, match="config.yaml says Asia/Ho_Chi_Minh"):
        await books.ledger.ahold(books.claim("second"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_of_two_processes_that_begin_at_once_one_has_the_zone(books, ledger_in):
    outcomes = []
    for zone in ("Asia/Ho_Chi_Minh", "America/New_York"):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                ledger_in(zone).hold(books.claim(zone))
                code = 0
            finally:
                os._exit(code)
        outcomes.append(pid)
    assert sorted(os.waitpid(pid, 0)[1] >> 8 for pid in outcomes) == [0, 1]


def test_a_ledger_that_was_never_asked_for_its_zone_takes_the_first(books, ledger_in):
    books.request("old")
    books.write("DELETE FROM about WHERE key <> 'prompt_secret'")
    ledger_in("Asia/Ho_Chi_Minh").check_writable()
    assert books.rows("SELECT * FROM about WHERE key = 'time_zone'") == [("time_zone", "Asia/Ho_Chi_Minh")]


def test_the_zone_is_changed_on_purpose_once_no_hold_is_open(books, ledger_in):
    hold = books.ledger.hold(books.claim("open"))
    store = books.ledger.store
    with pytest.raises(LedgerError, match="has 1 open holds, .* 'orchestrator ledger reconcile'"):
        store.change_time_zone("Asia/Ho_Chi_Minh")
    books.ledger.settle(hold, books.attempt(300))
    assert store.change_time_zone("Asia/Ho_Chi_Minh") == "UTC"
    with pytest.raises(LedgerError, match="counts days of Asia/Ho_Chi_Minh"):
        books.ledger.hold(books.claim("still in UTC"))
    after = ledger_in("Asia/Ho_Chi_Minh")
    after.settle(after.hold(books.claim("after")), books.attempt(200))
    assert books.counter(period="2026-11") == (500, 0)
    assert books.verified().counters_are_right


def test_a_report_counts_the_ledgers_days_whatever_the_configuration_says(books, at):
    books.send("first", 300)
    books.clock.set(at("2026-11-23 22:00"))
    settings = BudgetSettings(time_zone="Asia/Ho_Chi_Minh", limits=LIMIT)
    (status,) = budget_status(books.reader, Limits(settings), moment=books.clock.now())
    assert (status.period, status.spent) == ("2026-11-23", 300)
