"""How scopes stand: what is limited, what was spent, and what the window before left."""

from datetime import UTC, datetime, timedelta

from orchestrator.core.money import NanoUsd, nano_usd
from orchestrator.ledger.budgets import BudgetSettings, Limits
from orchestrator.ledger.facts import Counter
from orchestrator.ledger.periods import Window, period_of
from orchestrator.ledger.standing import Standing

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PERIOD = period_of(NOON, "UTC")
LONG_AGO = NOON - timedelta(days=99)


def standing(*counters, began_at=LONG_AGO, **limit):
    limits = Limits(BudgetSettings(limits=[{"scope": "tenant:*", **limit}]))
    kept = [Counter(scope, key, NanoUsd(spent), NanoUsd(held)) for scope, key, spent, held in counters]
    return Standing(kept, limits, PERIOD, began_at=began_at)


def test_every_limited_window_is_shown_and_hours_and_weeks_only_where_they_are_limited():
    counters = [("tenant:a", key, 5, 1) for key in PERIOD.keys]
    shown = standing(*counters, week=1).all()
    assert [(status.window, status.limit) for status in shown] == [
        (Window.DAY, None), (Window.WEEK, nano_usd(1)), (Window.MONTH, None),
    ]  # fmt: skip
    week = shown[1]
    assert (week.period, week.left) == ("2026-W48", nano_usd(1) - 6)
    assert (week.begins_at.day, week.resets_at.day) == (23, 30)


def test_what_is_left_is_what_the_whole_status_says():
    yesterday = ("tenant:a", "2026-11-22", nano_usd("0.25"), nano_usd("0.05"))
    now = standing(
        yesterday, ("tenant:a", PERIOD.day, nano_usd("0.3"), nano_usd("0.1")), day=1, rollover=True
    )
    assert now.left("tenant:a", Window.DAY) == now.of("tenant:a", Window.DAY).left == nano_usd("1.3")
    assert now.left("tenant:a", Window.WEEK) is None
    assert standing(("tenant:a", PERIOD.day, 3, 0), day="0.000000002").left("tenant:a", Window.DAY) == 0


def test_what_a_day_left_is_a_part_of_the_next_days_limit():
    yesterday = ("tenant:a", "2026-11-22", nano_usd("0.25"), nano_usd("0.05"))
    (day,) = standing(yesterday, ("tenant:a", PERIOD.day, 0, 0), day=1, rollover=True).limited()
    assert (day.limit, day.rolled_over) == (nano_usd("1.7"), nano_usd("0.7"))
    (day,) = standing(yesterday, ("tenant:a", PERIOD.day, 0, 0), day=1, rollover={"max": 0.5}).limited()
    assert day.rolled_over == nano_usd("0.5")


def test_a_day_before_the_ledger_began_left_nothing():
    begun_today = standing(began_at=PERIOD.begins_at(Window.DAY), day=1, rollover=True)
    assert begun_today.of("tenant:a", Window.DAY).limit == nano_usd(1)
    assert standing(began_at=None, day=1, rollover=True).of("tenant:a", Window.DAY).limit == nano_usd(1)


def test_of_scopes_that_are_asked_for_the_limited_ones_are_shown():
    assert [status.scope for status in standing(hour=1).limited({"tenant:new", "all"})] == ["tenant:new"]
    assert list(standing(("tenant:old", "2026-11-22", 1, 0), day=1).limited()) == []
