"""Which limits count for a request, and that calendar windows are whole, without gap or overlap, in every zone."""

import unicodedata
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.core.money import nano_usd
from orchestrator.core.payer import Payer
from orchestrator.ledger.budgets import BudgetSettings, Limits, LimitSettings, Window, period_of

HANOI = "Asia/Ho_Chi_Minh"


def limits(*entries, time_zone="UTC"):
    return Limits(BudgetSettings(time_zone=time_zone, limits=entries))


# ---- scopes


@pytest.mark.parametrize(
    "scope", ["all", "tenant:acme", "tenant:*", "user:a:b", "tag:x", "provider:google", "use_case:x"]
)
def test_a_scope_is_taken(scope):
    assert LimitSettings(scope=scope, day=1).scope == scope


@pytest.mark.parametrize("scope", ["", "everybody", "tenant", "tenant:", "all:x", "Tenant:acme", "model:x"])
def test_what_is_no_scope_is_refused_with_what_would_be(scope):
    with pytest.raises(
        ValidationError, match="is no scope; write all, or one of tenant|at least 1 character"
    ):
        LimitSettings(scope=scope)


def test_a_scope_is_limited_once():
    with pytest.raises(ValidationError, match="scope 'all' is limited twice; put its limits into one entry"):
        limits({"scope": "all", "day": 1}, {"scope": "all", "month": 2})


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_limit_holds_for_a_name_however_it_is_spelt_in_the_file(form):
    written = limits({"scope": f"tenant:{unicodedata.normalize(form, 'Hà Nội')} ", "day": 1})
    (scope,) = Payer(unicodedata.normalize("NFD", "Hà Nội"), "bulk").scopes()[1:2]
    assert written.of(scope, Window.DAY) == nano_usd(1)


def test_a_scope_is_limited_once_however_it_is_spelt():
    with pytest.raises(ValidationError, match="is limited twice"):
        limits({"scope": "tag:Huế", "day": 1}, {"scope": unicodedata.normalize("NFD", "tag:Huế"), "month": 2})


@pytest.mark.parametrize("name", ["a\u200bb", " ", "x" * 129])
def test_a_limit_for_what_is_no_name_is_refused(name):
    with pytest.raises(ValidationError, match="'scope' (must be a name|has at most 128)"):
        LimitSettings(scope=f"tenant:{name}", day=1)


# ---- which limit


def test_a_limit_of_a_name_comes_before_that_of_every_name():
    found = limits({"scope": "tenant:*", "day": 10}, {"scope": "tenant:acme", "day": 3})
    assert found.of("tenant:acme", Window.DAY) == nano_usd(3)
    assert found.of("tenant:other", Window.DAY) == nano_usd(10)
    assert found.of("user:acme", Window.DAY) is None


def test_a_name_keeps_the_limits_of_every_name_that_it_does_not_replace():
    found = limits({"scope": "tenant:*", "day": 10, "month": 100}, {"scope": "tenant:acme", "day": 3})
    assert found.of("tenant:acme", Window.MONTH) == nano_usd(100)


def test_the_smallest_limit_is_a_limit():
    found = limits({"scope": "tenant:*", "day": 10}, {"scope": "tenant:acme", "day": 0.000000001})
    assert found.of("tenant:acme", Window.DAY) == 1


def test_the_tightest_limit_of_a_request_is_that_of_its_scopes():
    found = limits(
        {"scope": "all", "request": "0.5"},
        {"scope": "use_case:bulk", "request": "0.01"},
        {"scope": "tenant:other", "request": "0.001"},
    )
    assert found.tightest_for_request(("all", "use_case:bulk")) == ("use_case:bulk", nano_usd("0.01"))
    assert found.tightest_for_request(("all", "use_case:chat")) == ("all", nano_usd("0.5"))
    assert limits().tightest_for_request(("all",)) is None


# ---- windows

ZONES = ("UTC", HANOI, "Europe/Berlin", "America/New_York", "America/Havana", "America/Santiago", "Asia/Beirut",
         "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham", "Asia/Kathmandu", "America/St_Johns",
         "Africa/Cairo", "America/Nuuk", "Asia/Gaza")  # fmt: skip
moments = st.datetimes(datetime(2012, 1, 1), datetime(2035, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
MICROSECOND = timedelta(microseconds=1)


@given(moments, st.sampled_from(ZONES), st.sampled_from([Window.DAY, Window.MONTH]))
@example(datetime(2011, 12, 30, 9, 59, tzinfo=UTC), "Pacific/Apia", Window.DAY)  # the day that Samoa left out
@example(datetime(2026, 11, 1, 4, 30, tzinfo=UTC), "America/Havana", Window.DAY)
def test_a_window_ends_after_its_moments_and_where_the_next_begins(moment, zone, window):
    period = period_of(moment, zone)
    end = period.ends_at(window).astimezone(UTC)
    assert end > moment
    assert period_of(end - MICROSECOND, zone).key(window) == period.key(window)
    assert period_of(end, zone).key(window) > period.key(window)


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


def length_h(day, zone):
    year, month, number = map(int, day.split("-"))
    noon = datetime(year, month, number, 12, tzinfo=ZoneInfo(zone))
    before = period_of(noon - timedelta(days=1), zone).day_ends_at.astimezone(UTC)
    return (period_of(noon, zone).day_ends_at.astimezone(UTC) - before) / timedelta(hours=1)


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
    end = period_of(datetime(2027, 1, day, tzinfo=UTC), "UTC").month_ends_at
    assert end == datetime(2027, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", ["Asia/Hanoi", "", "../etc/passwd", "UTC+7"])
def test_an_unknown_zone_is_refused_with_an_example(name):
    with pytest.raises(ValidationError, match="unknown time zone .* such as Asia/Ho_Chi_Minh"):
        BudgetSettings(time_zone=name)


def test_the_limit_of_every_tag_is_not_for_the_tag_that_names_a_prompt():
    """All tenants share a prompt's tag, and nobody chose it; a limit that names it holds."""
    limits = Limits(
        BudgetSettings.model_validate(
            {"limits": [{"scope": "tag:*", "day": 1}, {"scope": "tag:prompt:x@1", "day": 2}]}
        )
    )
    assert limits.of("tag:trial", Window.DAY) is not None
    assert limits.of("tag:prompt:support.vi@9f31c0aa", Window.DAY) is None
    assert limits.of("tag:prompt:x@1", Window.DAY) == 2_000_000_000
