"""Money that a dead process held is settled once, as the policy says, and the counters stay right."""

from datetime import timedelta

import pytest

from orchestrator.core.clock import SystemClock
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import CostSource
from orchestrator.ledger.process_identity import Life
from orchestrator.ledger.reconcile import (
    OrphanPolicy,
    assumed_costs,
    correct_cost,
    find_orphans,
    foresee,
    settle_orphans,
)

TEN_MINUTES = timedelta(minutes=10)


def orphans_of(books, *, older_than=TEN_MINUTES, now=None):
    with books.reader:
        return find_orphans(
            books.reader, now=now or books.clock.now(), older_than=older_than, time_zone="UTC"
        )


def settle_all(books, policy=OrphanPolicy.BOUND):
    return settle_orphans(books.ledger, orphans_of(books), policy=policy, now=books.clock.now())


def test_a_process_killed_while_holding_money_is_settled_at_its_bound(books, kill_a_holder):
    books.clock.set(SystemClock().now())
    books.request("mine", 300)
    kill_a_holder(books.path, count=3)
    done = settle_all(books)
    assert [(one.orphan.life, one.cost_nusd, one.source) for one in done] == [
        (Life.DEAD, 1000, CostSource.BOUND)
    ] * 3
    day = f"{books.clock.now():%Y-%m-%d}"
    assert books.counter(period=day) == (3300, 0)
    assert books.rows("SELECT count(*) FROM holds") == [(0,)]
    assert books.rows("SELECT outcome, failure, cost_source, price_version FROM attempts WHERE number = 1 AND"
                      " operation_id = 'orphan-2'") == [("failed", "orphaned", "bound", "book")]  # fmt: skip
    (row,) = books.rows("SELECT outcome, error, tenant, use_case, user, tags, attempts, cost_nusd FROM operations"
                        " WHERE id = 'orphan-0'")  # fmt: skip
    assert row == ("failed", "orphaned", "acme", "bulk", "42", '["trial"]', 1, 1000)
    found = books.verified()
    assert found.counters_are_right
    assert (found.unequal_operations, found.unclaimed_attempts) == ((), ())


def test_settling_again_changes_nothing(books, kill_a_holder):
    books.clock.set(SystemClock().now())
    kill_a_holder(books.path)
    orphans = orphans_of(books)
    assert len(settle_orphans(books.ledger, orphans, policy=OrphanPolicy.BOUND, now=books.clock.now())) == 1
    assert settle_orphans(books.ledger, orphans, policy=OrphanPolicy.BOUND, now=books.clock.now()) == ()
    assert settle_all(books) == ()
    assert books.rows("SELECT count(*), sum(cost_nusd) FROM attempts") == [(1, 1000)]
    assert books.verified().counters_are_right


def test_a_hold_of_a_process_that_lives_is_no_orphan_however_old(books):
    books.ledger.hold(books.claim("slow"))
    books.clock.advance(7 * 24 * 3600)
    assert orphans_of(books, older_than=timedelta()) == ()


def test_a_hold_of_another_machine_is_an_orphan_by_its_age(books):
    books.ledger.hold(books.claim("far"))
    books.write("UPDATE holds SET process = 'elsewhere:1:boot.1.1'")
    books.clock.advance(599)
    assert orphans_of(books) == ()
    books.clock.advance(1)
    (orphan,) = orphans_of(books)
    assert (orphan.life, orphan.hold.request) == (Life.ELSEWHERE, books.claim("far"))


@pytest.mark.parametrize(
    ("policy", "cost", "source"),
    [
        (OrphanPolicy.BOUND, 1000, "bound"),
        (OrphanPolicy.ZERO, 0, "none"),
        (OrphanPolicy.ESTIMATE, 250, "estimate"),
    ],
)
def test_the_policy_decides_what_is_booked_and_a_dry_run_says_the_same(
    books, kill_a_holder, policy, cost, source
):
    books.clock.set(SystemClock().now())
    books.request("one", 100)
    books.request("two", 400)
    books.request("assumed", 1000, source=CostSource.BOUND)
    kill_a_holder(books.path)
    with books.reader:
        foreseen = foresee(books.reader, orphans_of_open(books), policy=policy)
    assert books.rows("SELECT count(*) FROM holds") == [(1,)], "a dry run books nothing"
    done = settle_all(books, policy)
    assert [(one.cost_nusd, one.source) for one in foreseen] == [(one.cost_nusd, one.source) for one in done]
    assert [(one.cost_nusd, one.source.value) for one in done] == [(cost, source)]
    assert books.verified().counters_are_right


def orphans_of_open(books):
    return find_orphans(books.reader, now=books.clock.now(), older_than=TEN_MINUTES, time_zone="UTC")


def test_an_estimate_without_anything_to_go_by_is_the_bound(books, kill_a_holder):
    books.clock.set(SystemClock().now())
    kill_a_holder(books.path)
    assert [one.cost_nusd for one in settle_all(books, OrphanPolicy.ESTIMATE)] == [1000]


def test_an_orphan_books_into_the_windows_of_its_hold(books):
    books.ledger.hold(books.claim("far"))
    books.write("UPDATE holds SET process = 'elsewhere:1:boot.1.1'")
    books.clock.advance(9 * 24 * 3600)
    settle_all(books)
    assert books.counter(period="2026-11-23") == (1000, 0)
    assert books.rows("SELECT day, month FROM operations") == [("2026-11-23", "2026-11")]
    assert books.rows("SELECT DISTINCT month FROM attempts") == [("2026-11",)]


def test_attempts_that_were_settled_before_the_death_count_in_the_request(books):
    books.send("half", 70)
    books.ledger.hold(books.claim("half", 2))
    books.write("UPDATE holds SET process = 'elsewhere:1:boot.1.1'")
    books.clock.advance(3600)
    settle_all(books)
    assert books.rows("SELECT attempts, cost_nusd FROM operations") == [(2, 1070)]
    found = books.verified()
    assert (found.unequal_operations, found.unclaimed_attempts) == ((), ())


def test_a_process_that_lived_after_all_has_the_last_word_and_it_is_booked_once(books):
    hold = books.ledger.hold(books.claim("far"))
    books.write("UPDATE holds SET process = 'elsewhere:1:boot.1.1'")
    books.clock.advance(3600)
    settle_all(books)
    for _ in range(2):
        books.ledger.settle(hold, books.attempt(300))
        books.close("far", 300)
    assert books.counter() == (300, 0)
    assert books.rows("SELECT outcome, error, cost_nusd FROM operations") == [("succeeded", None, 300)]
    found = books.verified()
    assert found.counters_are_right
    assert found.unequal_operations == ()


def test_a_request_that_was_told_is_not_told_anew(books):
    books.close("op", 300)
    books.close("op", 999)
    assert books.rows("SELECT cost_nusd FROM operations") == [(300,)]


# ---- corrections


@pytest.mark.parametrize(("told", "delta"), [(250, -750), (1000, 0), (1400, 400)])
def test_a_correction_counts_once_in_counters_reports_and_verification(books, told, delta):
    books.request("cut", 1000, source=CostSource.BOUND, upstream_id="gen-1")
    with books.reader:
        (assumed,) = assumed_costs(books.reader, now=books.clock.now())
    assert assumed.upstream_id == "gen-1"
    assert correct_cost(books.ledger, assumed, cost_nusd=NanoUsd(told), now=books.clock.now()) == delta
    assert correct_cost(books.ledger, assumed, cost_nusd=NanoUsd(7), now=books.clock.now()) is None
    assert books.counter() == books.counter("tag:trial", "2026-11") == (told, 0)
    assert books.rows("SELECT cost_nusd, cost_source FROM attempts") == [(1000, "bound")], "never changed"
    with books.reader:
        assert assumed_costs(books.reader, now=books.clock.now()) == ()
        attempts = books.reader.attempts(month="2026-11")
        operations = books.reader.operations(month="2026-11")
    (attempt,) = [dict(zip(attempts.columns, row, strict=True)) for row in attempts.rows]
    (operation,) = [dict(zip(operations.columns, row, strict=True)) for row in operations.rows]
    assert (attempt["cost_nusd"], attempt["cost_source"], operation["cost_nusd"]) == (told, "provider", told)
    found = books.verified()
    assert found.counters_are_right
    assert found.unequal_operations == ()


def test_a_correction_that_a_counter_lost_is_noticed(books):
    books.request("cut", 1000, source=CostSource.BOUND, upstream_id="gen-1")
    with books.reader:
        (assumed,) = assumed_costs(books.reader, now=books.clock.now())
    correct_cost(books.ledger, assumed, cost_nusd=NanoUsd(250), now=books.clock.now())
    books.write("DELETE FROM corrections")
    assert {one.booked_spent - one.counted_spent for one in books.verified().differences} == {750}


def test_only_assumed_costs_with_an_id_of_the_last_month_are_asked_about(books):
    books.request("known", 300, upstream_id="gen-1")
    books.request("nameless", 300, source=CostSource.BOUND)
    books.request("counted", 300, source=CostSource.ESTIMATE, upstream_id="gen-3")
    with books.reader:
        asked = assumed_costs(books.reader, now=books.clock.now())
        later = assumed_costs(books.reader, now=books.clock.now() + timedelta(days=33))
    assert [one.operation_id for one in asked] == ["counted"]
    assert later == ()
