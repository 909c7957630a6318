"""A wrong counter is found and named, whatever it counts; a right ledger is called right."""

import pytest

from orchestrator.core.reply import CostSource
from orchestrator.ledger.verify import verify


@pytest.fixture
def fair(books):
    """Requests, a hold, an attempt at its bound and a cache hit: all as it should be."""
    books.request("one", 300)
    books.send("two", 400)
    books.send("two", 50, number=2)
    books.close("two", 450, attempts=2)
    books.request("three", 1000, source=CostSource.BOUND)
    books.close("cached", 0, attempts=0)
    books.ledger.hold(books.claim("open"))
    return books


def test_a_right_ledger_is_called_right(fair):
    found = fair.verified()
    assert found.counters_are_right
    assert (found.differences, found.unequal_operations, found.unclaimed_attempts, found.excesses) == (
        (),
        (),
        (),
        (),
    )
    assert found.rows == {
        "operations": 4, "attempts": 4, "holds": 1, "corrections": 0, "counters": 24, "monthly": 0,
    }  # fmt: skip
    assert {name: (one.attempts, one.cost_nusd) for name, one in found.sources.items()} == {
        "price_book": (3, 750),
        "bound": (1, 1000),
    }


@pytest.mark.parametrize("period", ["2026-11-23T09+00:00", "2026-11-23", "2026-W48", "2026-11"])
@pytest.mark.parametrize("scope", ["all", "tenant:acme", "user:42", "provider:p", "tag:trial"])
@pytest.mark.parametrize("column", ["spent_nusd", "held_nusd"])
def test_a_counter_that_is_one_nano_dollar_off_is_named(fair, scope, period, column):
    change = f"UPDATE counters SET {column} = {column} + 1"  # noqa: S608 -- one of two words
    fair.write(f"{change} WHERE scope = ? AND period = ?", scope, period)
    (wrong,) = fair.verified().differences
    off = (1, 0) if column == "spent_nusd" else (0, 1)
    assert (wrong.scope, wrong.period) == (scope, period)
    assert (wrong.booked_spent, wrong.booked_held) == (1750, 1000)
    assert (wrong.counted_spent, wrong.counted_held) == (1750 + off[0], 1000 + off[1])


def test_a_counter_that_is_gone_is_named(fair):
    fair.write("DELETE FROM counters WHERE scope = 'all' AND period = '2026-11'")
    (wrong,) = fair.verified().differences
    assert (wrong.counted_spent, wrong.booked_spent, wrong.booked_held) == (0, 1750, 1000)


def test_a_counter_without_rows_is_named(fair):
    fair.write("INSERT INTO counters VALUES ('tenant:ghost', '2026-11', 7, 0)")
    (wrong,) = fair.verified().differences
    assert (wrong.scope, wrong.counted_spent, wrong.booked_spent) == ("tenant:ghost", 7, 0)


@pytest.mark.parametrize(
    "loss",
    ["DELETE FROM attempts WHERE operation_id = 'one'", "DELETE FROM holds", "UPDATE attempts SET cost_nusd = 0 WHERE number = 2"],
)  # fmt: skip
def test_a_row_that_is_lost_or_changed_is_noticed_in_every_scope_and_window(fair, loss):
    fair.write(loss)
    found = fair.verified()
    assert len(found.differences) == 24
    assert not found.counters_are_right


def test_a_request_whose_attempts_do_not_add_up_is_named(fair):
    fair.write("UPDATE operations SET cost_nusd = 449 WHERE id = 'two'")
    found = fair.verified()
    assert found.counters_are_right
    (one,) = found.unequal_operations
    assert (one.id, one.cost_nusd, one.attempts_nusd) == ("two", 449, 450)


def test_an_attempt_without_a_request_is_named_after_a_minute(books):
    books.send("lost", 5)
    assert books.verified().unclaimed_attempts == ()
    books.clock.advance(61)
    (one,) = books.verified().unclaimed_attempts
    assert (one.operation_id, one.number, one.cost_nusd) == ("lost", 1, 5)


def test_an_attempt_of_a_request_that_still_runs_is_not_named(books):
    books.send("slow", 5)
    books.ledger.hold(books.claim("slow", 2))
    books.clock.advance(3600)
    assert books.verified().unclaimed_attempts == ()


def test_a_charge_above_the_hold_is_flagged(books):
    books.request("dear", 1600)
    found = books.verified()
    assert found.counters_are_right
    (one,) = found.excesses
    assert (one.operation_id, one.held_nusd, one.cost_nusd) == ("dear", 1000, 1600)


def test_what_is_booked_meanwhile_makes_no_difference(books):
    books.request("one", 300)
    with books.reader:
        assert books.reader.months() == ("2026-11",)
        books.request("two", 500)
        found = verify(books.reader, now=books.clock.now())
    assert found.counters_are_right
    assert found.rows["attempts"] == 1
