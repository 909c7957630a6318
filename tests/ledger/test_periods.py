"""Calendar windows are whole, without gap or overlap, in every zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.ledger.budgets import BudgetSettings
from orchestrator.ledger.periods import CALENDAR, Window, booked_in, held_period, period_of, week_of

HANOI = "Asia/Ho_Chi_Minh"
ZONES = ("UTC", HANOI, "Europe/Berlin", "America/New_York", "America/Havana", "America/Santiago", "Asia/Beirut",
         "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham", "Asia/Kathmandu", "America/St_Johns",
         "Africa/Cairo", "America/Nuuk", "Asia/Gaza")  # fmt: skip
moments = st.datetimes(datetime(2012, 1, 1), datetime(2035, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
MICROSECOND = timedelta(microseconds=1)


@given(moments, st.sampled_from(ZONES), st.sampled_from(CALENDAR))
@example(datetime(2011, 12, 30, 9, 59, tzinfo=UTC), "Pacific/Apia", Window.DAY)  # the day that Samoa left out
@example(datetime(2026, 11, 1, 4, 30, tzinfo=UTC), "America/Havana", Window.DAY)
def test_a_window_ends_after_its_moments_and_where_the_next_begins(moment, zone, window):
    period = period_of(moment, zone)
    end = period.ends_at(window).astimezone(UTC)
    assert end > moment
    assert period_of(end - MICROSECOND, zone).key(window) == period.key(window)
    following = period_of(end, zone)
    assert following.key(window) != period.key(window)
    assert following.key_before(window) == period.key(window)
    assert following.begins_at(window).astimezone(UTC) == end
    begin = period.begins_at(window).astimezone(UTC)
    assert begin <= moment
    assert period_of(begin, zone).key(window) == period.key(window)


@given(moments, st.sampled_from(ZONES))
def test_the_keys_are_the_local_date(moment, zone):
    local = moment.astimezone(ZoneInfo(zone))
    period = period_of(moment, zone)
    assert (period.key(Window.DAY), period.key(Window.MONTH)) == (
        local.date().isoformat(),
        local.date().isoformat()[:7],
    )


@given(moments, st.sampled_from(ZONES))
def test_the_zone_in_which_a_moment_is_told_does_not_matter(moment, zone):
    assert period_of(moment.astimezone(ZoneInfo("America/New_York")), zone) == period_of(moment, zone)


@pytest.mark.parametrize(
    ("moment", "zone", "key", "minutes"),
    [
        ("2026-11-23T07:30:00+00:00", HANOI, "2026-11-23T14+07:00", 60),
        ("2026-11-23T07:30:00+00:00", "Asia/Kathmandu", "2026-11-23T13+05:45", 60),
        ("2026-10-25T00:30:00+00:00", "Europe/Berlin", "2026-10-25T02+02:00", 60),
        ("2026-10-25T01:30:00+00:00", "Europe/Berlin", "2026-10-25T02+01:00", 60),
        # The clock goes back by half an hour at 2:00, so the half hour from 1:30 on comes again.
        ("2026-04-04T14:45:00+00:00", "Australia/Lord_Howe", "2026-04-05T01+11:00", 60),
        ("2026-04-04T15:15:00+00:00", "Australia/Lord_Howe", "2026-04-05T01+10:30", 30),
        # And forward at 2:00, so the hour from 2 on has its second half alone.
        ("2026-10-03T15:45:00+00:00", "Australia/Lord_Howe", "2026-10-04T02+11:00", 30),
    ],
)
def test_an_hour_is_one_of_the_clock_and_one_that_comes_again_is_another(moment, zone, key, minutes):
    period = period_of(datetime.fromisoformat(moment), zone)
    assert period.hour == key
    length = period.ends_at(Window.HOUR).astimezone(UTC) - period.begins_at(Window.HOUR).astimezone(UTC)
    assert length == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("day", "week", "before"),
    [
        ("2026-11-23", "2026-W48", "2026-W47"),
        ("2026-11-29", "2026-W48", "2026-W47"),
        ("2026-11-30", "2026-W49", "2026-W48"),
        ("2027-01-03", "2026-W53", "2026-W52"),
        ("2027-01-04", "2027-W01", "2026-W53"),
        ("2024-12-30", "2025-W01", "2024-W52"),
    ],
)
def test_a_week_is_from_monday_to_sunday_and_of_the_year_of_its_thursday(day, week, before):
    period = period_of(datetime.fromisoformat(f"{day}T12:00:00+00:00"), "UTC")
    assert (period.week, period.key_before(Window.WEEK), week_of(day)) == (week, before, week)
    assert period.begins_at(Window.WEEK).isoweekday() == 1


def test_a_week_in_which_the_clock_changes_is_an_hour_longer():
    period = period_of(datetime(2026, 10, 22, tzinfo=UTC), "Europe/Berlin")
    ends, begins = (
        moment.astimezone(UTC) for moment in (period.ends_at(Window.WEEK), period.begins_at(Window.WEEK))
    )
    assert ends - begins == timedelta(days=7, hours=1)


def test_a_row_keeps_the_keys_that_it_was_booked_with():
    period = held_period(
        period_of(datetime(2026, 11, 23, tzinfo=UTC), "UTC"), hour="", day="2026-11-22", month="2026-11"
    )
    assert period.keys == ("", "2026-11-22", "2026-W47", "2026-11")
    assert booked_in("", "2026-11-22", "2026-11") == ("2026-11-22", "2026-W47", "2026-11")


def length_h(day, zone):
    year, month, number = map(int, day.split("-"))
    noon = datetime(year, month, number, 12, tzinfo=ZoneInfo(zone))
    before = period_of(noon - timedelta(days=1), zone).ends_at(Window.DAY).astimezone(UTC)
    return (period_of(noon, zone).ends_at(Window.DAY).astimezone(UTC) - before) / timedelta(hours=1)


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        ("2026-11-23", "Europe/Berlin", 24),
        ("2026-03-29", "Europe/Berlin", 23),
        ("2026-10-25", "Europe/Berlin", 25),
        ("2026-03-08", "America/New_York", 23),
        ("2026-11-01", "America/New_York", 25),
        ("2026-10-04", "Australia/Lord_Howe", 23.5),
        ("2026-11-01", HANOI, 24),
    ],
)
def test_a_day_is_as_long_as_the_zone_says(day, zone, hours):
    assert length_h(day, zone) == hours


@pytest.mark.parametrize(
    ("moment", "day", "month"),
    [
        ("2026-11-30T16:59:59+00:00", "2026-11-30", "2026-11"),
        ("2026-11-30T17:00:00+00:00", "2026-12-01", "2026-12"),
        ("2026-12-31T16:59:59+00:00", "2026-12-31", "2026-12"),
        ("2026-12-31T17:00:00+00:00", "2027-01-01", "2027-01"),
        ("2028-02-28T17:00:00+00:00", "2028-02-29", "2028-02"),
        ("2028-02-29T17:00:00+00:00", "2028-03-01", "2028-03"),
    ],
)
def test_days_and_months_of_hanoi_begin_at_its_own_midnight(moment, day, month):
    period = period_of(datetime.fromisoformat(moment), HANOI)
    assert (period.day, period.month) == (day, month)


@pytest.mark.parametrize("day", [1, 28, 29, 30, 31])
def test_a_month_ends_with_the_first_of_the_next(day):
    end = period_of(datetime(2027, 1, day, tzinfo=UTC), "UTC").ends_at(Window.MONTH)
    assert end == datetime(2027, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", ["Asia/Hanoi", "", "../etc/passwd", "UTC+7"])
def test_an_unknown_zone_is_refused_with_an_example(name):
    with pytest.raises(ValidationError, match="unknown time zone .* such as Asia/Ho_Chi_Minh"):
        BudgetSettings(time_zone=name)
