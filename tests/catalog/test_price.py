"""Hours, batches and volume make a request cheaper where the provider must grant it, and never a hold smaller."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.catalog.price import (
    BasisPoints,
    BillingContext,
    Price,
    VolumeDiscount,
    less,
    volume_discount,
)
from orchestrator.catalog.price_table import PriceTable
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Usage

PROVENANCE = {"source": "the vendor's page", "date": date(2026, 11, 9)}
NIGHT = {"begins": "16:30", "ends": "00:30", "input": 1, "output": 5}
MILLION = Usage(1_000_000, 0)


def price(**fields):
    return Price(**{"input": 2, "output": 10, **PROVENANCE, **fields})


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}+00:00")


def usd(amount: int) -> float:
    return amount / 1_000_000_000


@pytest.mark.parametrize(
    ("began", "ended", "cost_usd"),
    [
        ("23T16:29:59", "23T16:29:59", 2),
        ("23T16:30", "23T16:30:10", 1),
        ("23T23:59:59", "24T00:29:59", 1),
        ("24T00:00", "24T00:29:59", 1),
        ("24T00:30", "24T00:30", 2),
        ("23T16:29", "23T16:31", 2),
        ("24T00:29", "24T00:31", 2),
        ("23T17:00", "24T17:00", 2),
        ("23T17:00:10", "23T17:00", 1),
    ],
)
def test_an_hour_is_cheap_only_for_what_began_and_ended_in_it(began, ended, cost_usd):
    """The window goes past midnight; a request into or out of it pays the day's price; so does one over two nights."""
    settled = price(off_peak=NIGHT).settled(MILLION, BillingContext(moment(began), moment(ended)))
    assert usd(settled.cost_nusd) == cost_usd
    assert settled.version == f"the vendor's page{', off-peak' if cost_usd == 1 else ''}@2026-11-09"


def test_a_window_is_one_of_its_own_time_zone():
    """00:30 to 08:30 in Shanghai is 16:30 to 00:30 in UTC."""
    zoned = price(off_peak={**NIGHT, "begins": "00:30", "ends": "08:30", "time_zone": "Asia/Shanghai"})
    for hour, cost_usd in (("16:29", 2), ("16:30", 1), ("23:00", 1)):
        at = moment(f"23T{hour}")
        assert usd(zoned.settled(MILLION, BillingContext(at, at)).cost_nusd) == cost_usd
        assert usd(zoned.at(at).cost_of(MILLION)) == cost_usd


def test_in_the_window_cached_and_stored_tokens_never_cost_less_than_their_own_price():
    stated = price(off_peak=NIGHT, cached_input="0.5").at(moment("23T17:00"))
    assert usd(stated.cost_of(Usage(1_000_000, 0, cached_input_tokens=1_000_000))) == 0.5
    assert usd(stated.cost_of(Usage(1_000_000, 0, cache_write_tokens=1_000_000))) == 2
    named = price(off_peak={**NIGHT, "cached_input": "0.1"}, cached_input="0.5").at(moment("23T17:00"))
    assert usd(named.cost_of(Usage(1_000_000, 0, cached_input_tokens=1_000_000))) == 0.1


def test_a_tier_costs_the_same_at_every_hour():
    tiered = price(off_peak=NIGHT, tiers=[{"above_input_tokens": 1000, "input": 4, "output": 15}])
    at = moment("23T17:00")
    assert usd(tiered.settled(MILLION, BillingContext(at, at)).cost_nusd) == 4


def test_the_list_price_and_the_bound_know_no_cheap_hour():
    assert usd(price(off_peak=NIGHT).cost_of(MILLION)) == 2
    assert usd(price(off_peak=NIGHT).bound_of(input_tokens=1_000_000, output_tokens=0)) == 2


def test_a_request_over_midnight_pays_the_dearer_of_both_days():
    """Whether a price rises or falls at midnight: what the provider may charge is booked, and was held."""
    for new, cost_usd in ((3, 3), (1, 2)):
        changing = price(changes=[{"begins": date(2026, 11, 24), "input": new, "output": 10}])
        held = changing.on(date(2026, 11, 23))
        over = BillingContext(moment("23T23:59:59"), moment("24T00:00:01"))
        assert usd(held.settled(MILLION, over).cost_nusd) == cost_usd
        assert usd(held.settled(MILLION, BillingContext(over.ended, over.ended)).cost_nusd) == new
        assert held.bound_of(input_tokens=1_000_000, output_tokens=0) >= cost_usd * 10**9


def test_an_announced_price_far_away_holds_no_more_money_today():
    changing = price(changes=[{"begins": date(2026, 12, 24), "input": 30, "output": 10}])
    assert usd(changing.on(date(2026, 11, 23)).bound_of(input_tokens=1_000_000, output_tokens=0)) == 2


def test_a_batch_pays_the_list_price_less_its_percentage():
    """The hour is not added to it, and the ledger can tell."""
    at = moment("23T17:00")
    settled = price(off_peak=NIGHT, batch_percent=50).settled(MILLION, BillingContext(at, at, batch=True))
    assert usd(settled.cost_nusd) == 1
    assert settled.version == "the vendor's page@2026-11-09, batch -50%"
    assert usd(price(batch_percent=50).settled(MILLION, BillingContext(at, at)).cost_nusd) == 2


DISCOUNTS = (
    VolumeDiscount(above_usd_per_month=1000, percent=5),
    VolumeDiscount(above_usd_per_month=5000, percent="12.5"),
)


@pytest.mark.parametrize(
    ("spent_usd", "off"), [(0, 0), (1000, 0), (1000.000000001, 500), (5000, 500), (5001, 1250)]
)
def test_a_volume_discount_begins_above_its_threshold(spent_usd, off):
    spent = NanoUsd(round(spent_usd * 10**9))
    assert volume_discount(DISCOUNTS, spent=spent) == off
    assert volume_discount(DISCOUNTS[::-1], spent=spent) == off


def test_a_volume_discount_comes_off_what_the_hour_costs_and_is_told():
    at = moment("23T17:00")
    settled = price(off_peak=NIGHT).settled(MILLION, BillingContext(at, at, BasisPoints(1250)))
    assert settled.cost_nusd == 875_000_000
    assert settled.version == "the vendor's page, off-peak@2026-11-09, volume -12.5%"


@given(st.integers(0, 10**15), st.integers(0, 10_000))
def test_a_discount_is_rounded_against_us(amount, points):
    discounted = less(NanoUsd(amount), BasisPoints(points))
    assert 0 <= discounted <= amount
    assert 0 <= discounted * 10_000 - amount * (10_000 - points) < 10_000


dollars = st.integers(0, 100)
optional_dollars = st.none() | dollars
rates = {
    "input": dollars,
    "output": dollars,
    "cached_input": optional_dollars,
    "cache_write": optional_dollars,
}
tiers = st.lists(st.builds(dict, above_input_tokens=st.integers(1, 2000), **rates), max_size=2)
clock_times = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
windows = st.builds(
    dict,
    begins=clock_times,
    ends=clock_times,
    time_zone=st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York"]),
    input=dollars,
    output=dollars,
    cached_input=optional_dollars,
).filter(lambda window: window["begins"] != window["ends"])
percents = st.integers(0, 100)
terms_of_a_price = {**rates, "tiers": tiers, "off_peak": st.none() | windows, "batch_percent": percents}
changes = st.builds(dict, begins=st.dates(date(2026, 11, 20), date(2026, 11, 26)), **terms_of_a_price)
prices = st.builds(price, **terms_of_a_price, changes=st.lists(changes, max_size=3))
moments = st.datetimes(
    datetime.fromisoformat("2026-11-21"), datetime.fromisoformat("2026-11-25"), timezones=st.just(UTC)
)
tokens = st.integers(0, 3000)


@given(prices, moments, st.integers(0, 600), st.integers(0, 10_000), st.booleans(), tokens, tokens, st.data())
def test_no_usage_hour_or_discount_costs_more_than_was_held(
    book, began, lasted_s, off, batch, input_tokens, output_tokens, data
):
    """Held at the price of the day it begins; ten minutes, over midnight or not, stay under it."""
    held = book.on(began.date())
    usage = Usage(
        data.draw(st.integers(0, input_tokens)),
        data.draw(st.integers(0, output_tokens)),
        data.draw(tokens),
        data.draw(tokens),
    )
    terms = BillingContext(began, began + timedelta(seconds=lasted_s), BasisPoints(off), batch)
    settled = held.settled(usage, terms)
    assert settled.cost_nusd <= held.bound_of(input_tokens=input_tokens, output_tokens=output_tokens)


@given(prices, moments, st.integers(0, 600), tokens, tokens)
def test_no_less_is_booked_than_any_moment_of_the_request_costs(
    book, began, lasted_s, input_tokens, output_tokens
):
    usage = Usage(input_tokens, output_tokens)
    settled = book.on(began.date()).settled(usage, BillingContext(began, began + timedelta(seconds=lasted_s)))
    for at in (began, began + timedelta(seconds=lasted_s)):
        assert settled.cost_nusd >= book.at(at).cost_of(usage)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"off_peak": {**NIGHT, "begins": 990}}, "in quotes, such as"),
        ({"off_peak": {**NIGHT, "begins": "25:00"}}, "in quotes, such as"),
        ({"off_peak": {**NIGHT, "ends": "16:30"}}, "same minute"),
        ({"off_peak": {**NIGHT, "time_zone": "Asia/Hanoi2"}}, "unknown time zone"),
        ({"off_peak": {**NIGHT, "time_zone": "../etc/passwd"}}, "unknown time zone"),
        ({"batch_percent": 101}, "percentage from 0 to 100"),
        ({"batch_percent": -1}, "percentage from 0 to 100"),
        ({"batch_percent": "0.001"}, "percentage from 0 to 100"),
        ({"batch_percent": "half"}, "percentage from 0 to 100"),
        ({"batch_percent": True}, "true and false .* are no value here"),
        ({"batch_percent": "1_0"}, "percentage from 0 to 100"),
        ({"batch_percent": "010"}, "percentage from 0 to 100"),
        ({"batch_percent": float("nan")}, "percentage from 0 to 100"),
    ],
)
def test_a_wrong_hour_or_percentage_says_what_is_expected(fields, says):
    with pytest.raises(ValidationError, match=says):
        price(**fields)


def test_a_window_dearer_than_the_rest_of_the_day_counts_when_a_request_ends_in_it():
    """Vendors call it off-peak; which of the two prices is the dearer one is not ours to say."""
    dear_nights = {"begins": "00:00", "ends": "06:00", "input": "0", "output": "1000"}
    book = price(input="0", output="0", off_peak=dear_nights)
    midnight = datetime.fromisoformat("2026-11-24T00:00+00:00")
    usage = Usage(0, 1)
    before, after = midnight - timedelta(seconds=5), midnight + timedelta(seconds=5)
    assert book.settled(usage, BillingContext(before, after)).cost_nusd == 1_000_000
    assert book.settled(usage, BillingContext(after, after)).cost_nusd == 1_000_000
    assert book.settled(usage, BillingContext(before, before)).cost_nusd == 0


MEDIA = Price(input=1, output=2, cached_input=0.1, audio_input=10, image_input=4, image_output=30, audio_output=80, source="a test", date="2026-11-09")  # fmt: skip


@pytest.mark.parametrize(
    ("usage", "cost_nusd"),
    [
        (Usage(1_000, 100), 1_000_000 + 200_000),
        (Usage(1_000, 100, audio_input_tokens=600), 400_000 + 6_000_000 + 200_000),
        (Usage(1_000, 100, image_input_tokens=600), 400_000 + 2_400_000 + 200_000),
        (Usage(1_000, 100, cached_input_tokens=900, audio_input_tokens=600), 40_000 + 6_000_000 + 200_000),
        (Usage(1_000, 1_500, image_output_tokens=1_290), 1_000_000 + 420_000 + 38_700_000),
        (Usage(1_000, 100, audio_output_tokens=100), 1_000_000 + 8_000_000),
    ],
)
def test_sound_and_pictures_cost_their_own_rates(usage, cost_nusd):
    assert MEDIA.cost_of(usage) == cost_nusd
    text = Price(input=1, output=2, cached_input=0.1, source="a test", date="2026-11-09")
    bare = Usage(usage.input_tokens, usage.output_tokens, usage.cached_input_tokens)
    assert text.cost_of(usage) == text.cost_of(bare)


def test_the_bound_holds_whatever_the_files_are_and_is_no_dearer_for_text():
    most = MEDIA.bound_of(input_tokens=1_000, output_tokens=100, file_tokens=600)
    for part in ("audio_input_tokens", "image_input_tokens"):
        usage = Usage(1_000, 100, **{part: 600}, image_output_tokens=100)
        assert MEDIA.cost_of(usage) <= most
    assert MEDIA.bound_of(input_tokens=1_000, output_tokens=0) == 1_000_000
    assert PriceTable.of(MEDIA).bound_of(input_tokens=1_000, output_tokens=100, file_tokens=600) == most
