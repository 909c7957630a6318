"""Old months become sums, nothing is lost on the way, and the ledger verifies before, between and after."""

from datetime import UTC, date, datetime, timedelta

import pytest

from orchestrator.core.errors import LedgerError
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import CostSource
from orchestrator.ledger import compact as ledger_compact
from orchestrator.ledger.compact import compact, first_kept_day
from orchestrator.ledger.kept_plan import PackedPlan
from orchestrator.ledger.prompt_prints import PromptPrint
from orchestrator.ledger.reconcile import assumed_costs, correct_cost

TODAY = date(2026, 11, 23)


@pytest.fixture
def years(books):
    """Two requests on the 1st and the last of three old months, and one today; one attempt was corrected."""
    for month, last in ((8, 31), (9, 30), (10, 31)):
        for day in (1, last):
            books.clock.set(datetime(2025, month, day, 9, tzinfo=UTC))
            books.request(f"{month}-{day}-a", 300)
            books.request(f"{month}-{day}-b", 1000, source=CostSource.BOUND, upstream_id=f"gen-{month}-{day}")
    books.clock.set(datetime(2025, 8, 31, 9, tzinfo=UTC))
    with books.reader:
        one = next(
            one for one in assumed_costs(books.reader, now=books.clock.now()) if "8-31" in one.operation_id
        )
    correct_cost(books.ledger, one, cost_nusd=NanoUsd(600), now=books.clock.now())
    books.clock.set(datetime(2026, 11, 23, 9, tzinfo=UTC))
    books.request("today", 5)
    return books


@pytest.mark.parametrize(
    ("today", "keep_days", "expected"),
    [
        (date(2026, 11, 23), 400, "2025-10-01"),
        (date(2026, 3, 31), 90, "2025-12-01"),
        (date(2026, 4, 1), 90, "2026-01-01"),
    ],
)
def test_a_month_is_rolled_up_when_its_last_day_is_old_enough(today, keep_days, expected):
    assert first_kept_day(today, keep_days=keep_days) == expected


def test_old_months_become_sums_and_everything_still_verifies(years):
    done = compact(years.ledger, today=TODAY, keep_days=400)
    assert [(one.month, one.requests, one.attempts, one.cost_nusd) for one in done.compacted] == [
        ("2025-08", 4, 4, 2200),
        ("2025-09", 4, 4, 2600),
    ]
    assert years.rows("SELECT month, tenant, use_case, provider, model, requests, attempts, input_tokens, cost_nusd FROM monthly") == [
        ("2025-08", "acme", "bulk", "p", "m", 4, 4, 40, 2200),
        ("2025-09", "acme", "bulk", "p", "m", 4, 4, 40, 2600),
    ]  # fmt: skip
    assert years.rows("SELECT DISTINCT month FROM attempts ORDER BY 1") == [("2025-10",), ("2026-11",)]
    assert years.rows("SELECT count(*) FROM counters WHERE period < '2025-10'") == [(0,)]
    assert years.counter(period="2025-10") == (2600, 0)
    found = years.verified()
    assert found.counters_are_right
    assert (found.unequal_operations, found.unclaimed_attempts) == ((), ())
    with years.reader:
        assert years.reader.months() == ("2026-11", "2025-10", "2025-09", "2025-08")


def test_compacting_again_does_nothing(years):
    compact(years.ledger, today=TODAY, keep_days=400)
    before = years.rows("SELECT * FROM monthly")
    assert compact(years.ledger, today=TODAY, keep_days=400).compacted == ()
    assert years.rows("SELECT * FROM monthly") == before


def test_a_compaction_that_stops_in_the_middle_is_right_and_goes_on(years, monkeypatch):
    real, calls = ledger_compact._roll_day, []

    def stop_at_the_third(ledger, day):
        calls.append(day)
        if len(calls) == 2:
            raise LedgerError("stopped")
        return real(ledger, day)

    with monkeypatch.context() as patched, pytest.raises(LedgerError, match="stopped"):
        patched.setattr(ledger_compact, "_roll_day", stop_at_the_third)
        compact(years.ledger, today=TODAY, keep_days=400)
    found = years.verified()
    assert found.counters_are_right
    assert (found.unequal_operations, found.unclaimed_attempts) == ((), ())
    compact(years.ledger, today=TODAY, keep_days=400)
    assert years.rows("SELECT SUM(cost_nusd), SUM(requests) FROM monthly") == [(4800, 8)]
    assert years.verified().counters_are_right


def test_an_attempt_after_midnight_of_a_request_that_was_rolled_up_is_no_orphan(books):
    books.clock.set(datetime(2025, 8, 31, 23, 59, tzinfo=UTC))
    started = books.clock.now()
    books.send("late", 10)
    books.clock.advance(120)
    books.send("late", 20, number=2)
    books.clock.set(started)
    books.close("late", 30, attempts=2)
    books.clock.set(datetime(2026, 10, 15, tzinfo=UTC))
    compact(books.ledger, today=date(2026, 10, 15), keep_days=400)
    found = books.verified()
    assert books.rows("SELECT day FROM attempts") == [("2025-09-01",)]
    assert found.counters_are_right
    assert found.unclaimed_attempts == ()


def test_a_month_with_an_open_hold_is_kept_and_told(years):
    years.clock.set(datetime(2025, 8, 5, tzinfo=UTC))
    years.ledger.hold(years.claim("orphan"))
    done = compact(years.ledger, today=TODAY, keep_days=400)
    assert [(one.month, "reconcile" in one.reason) for one in done.kept] == [("2025-08", True)]
    assert [one.month for one in done.compacted] == ["2025-09"]
    assert years.verified().counters_are_right


def test_a_day_whose_counter_is_wrong_is_not_rolled_up(years):
    years.write(
        "UPDATE counters SET spent_nusd = spent_nusd + 1 WHERE scope = 'tag:trial' AND period = '2025-08-01'"
    )
    with pytest.raises(LedgerError, match=r"counter of tag:trial on 2025-08-01 differs .* ledger verify"):
        compact(years.ledger, today=TODAY, keep_days=400)
    assert years.rows("SELECT count(*) FROM attempts") == [(13,)]


def test_fewer_days_than_budgets_count_are_refused(years):
    with pytest.raises(LedgerError, match="62 days at least"):
        compact(years.ledger, today=TODAY, keep_days=61)


def test_what_today_counts_is_the_same_after_a_compaction(years):
    before = years.ledger.budget_status()
    compact(years.ledger, today=TODAY + timedelta(days=0), keep_days=62)
    assert years.ledger.budget_status() == before


def test_plans_and_prints_go_with_their_day_and_shapes_with_their_last_plan(years):
    shape, prompt = PackedPlan(7, "[]", "[]"), PromptPrint(b"q", (), 0, waited=False)
    for identity, moment, plan in (
        ("old", datetime(2025, 8, 1, 9, tzinfo=UTC), PackedPlan(8, "[]", "[]")),
        ("both", datetime(2025, 8, 1, 9, tzinfo=UTC), shape),
        ("new", datetime(2026, 11, 23, 9, tzinfo=UTC), shape),
    ):
        years.clock.set(moment)
        years.send(identity)
        years.close(identity, plan=plan, prompt=prompt)
    compact(years.ledger, today=TODAY, keep_days=400)
    assert years.rows("SELECT key FROM plan_shapes") == [(7,)]
    assert years.rows("SELECT operation_id FROM plans") == [("new",)]
    assert years.rows("SELECT operation_id FROM prompts") == [("new",)]
