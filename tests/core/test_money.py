"""Money is exact until the one rounding at its end, and that rounding is never in our favour."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.money import (
    NANO_PER_USD,
    TOKENS_PER_MTOK,
    NanoUsd,
    NanoUsdPerMtok,
    cost_nusd,
    format_usd,
    nano_usd,
    share_nusd,
    to_usd,
    typed_limit,
    typed_usd,
)

token_counts = st.integers(0, 10**9)
prices = st.integers(0, 10**12).map(NanoUsdPerMtok)
amounts = st.integers(0, 10**18).map(NanoUsd)
parts_of_a_cost = st.lists(st.tuples(token_counts, prices), max_size=5)


@given(parts_of_a_cost)
def test_a_cost_is_the_exact_one_rounded_up_once(parts):
    exact = sum(Fraction(tokens * price, TOKENS_PER_MTOK) for tokens, price in parts)
    assert exact <= cost_nusd(parts) < exact + 1


def test_parts_are_added_before_they_are_rounded():
    """Three parts of 1.5 nano-dollars are 4.5 together, so 5 and not 6."""
    part = (1_500_000, NanoUsdPerMtok(1))
    assert cost_nusd([part]) == 2
    assert cost_nusd([part, part, part]) == 5


@given(parts_of_a_cost, st.tuples(token_counts, prices))
def test_one_more_part_never_makes_a_cost_smaller(parts, more):
    assert cost_nusd([*parts, more]) >= cost_nusd(parts)


@given(st.decimals(0, 10**9, allow_nan=False, allow_infinity=False))
def test_dollars_become_nano_dollars_never_below_the_exact_amount(usd):
    exact = Fraction(usd) * NANO_PER_USD
    assert exact <= nano_usd(usd) < exact + 1


def test_digits_beyond_any_decimal_context_are_rounded_up_too():
    assert nano_usd("1.0000000000000000000000000000000000000001") == NANO_PER_USD + 1


@given(st.floats(0, 10**6))
def test_a_float_is_read_as_it_was_written(usd):
    assert nano_usd(usd) == nano_usd(repr(usd))


@pytest.mark.parametrize(
    ("usd", "expected"),
    [
        ("0", 0),
        ("0.1", 100_000_000),
        (0.1, 100_000_000),
        (2, 2_000_000_000),
        ("1e-10", 1),
        (" 0.50 ", 500_000_000),
    ],
)
def test_an_amount_is_read(usd, expected):
    assert nano_usd(usd) == expected


@pytest.mark.parametrize(
    "usd", ["-0.01", "NaN", "Infinity", float("nan"), float("inf"), "ten", "", "$1", "1,5", True]
)
def test_what_is_no_amount_is_refused(usd):
    with pytest.raises(ValueError, match="amount of dollars"):
        nano_usd(usd)


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        *((typed, "plain digits") for typed in ("", "1_000", "１", "٣", "5 USD", "0x10", "1:30", "0100", "Infinity")),
        *((typed, "a thousand is written 1000") for typed in ("1.000", "12.500", "1,000", "1.000,50", "1'000", "1 000")),
        ("$5", "without the sign"),
        ("9" * 5_000, "plain digits"),
        ("-5", "not negative"),
    ],
)  # fmt: skip
def test_what_some_read_otherwise_is_no_amount_that_is_typed(typed, why):
    with pytest.raises(ValueError, match=why):
        typed_usd(typed)


@pytest.mark.parametrize(
    "typed", ["5", " 5 ", "0.5", ".5", "0.500", "1.25", "1.2500", "1e-9", "0.0025", "1.125"]
)
def test_what_everybody_reads_alike_is_one(typed):
    assert typed_usd(typed) == nano_usd(typed.strip())


def test_a_limit_is_no_amount_that_some_take_for_a_thousand_times_as_much():
    with pytest.raises(ValueError, match=r"write 1250 or 1.25"):
        typed_limit("1.125")
    assert typed_limit("0.125") == 125_000_000
    assert typed_limit("1.0025") == 1_002_500_000


@pytest.mark.parametrize("usd", ["1e10", "1e300", "1e999999999", 10**30])
def test_an_amount_that_no_ledger_could_hold_is_refused_at_once(usd):
    """SQLite's integers end at 9.2 billion dollars, and so must what we read."""
    with pytest.raises(ValueError, match="amount of dollars"):
        nano_usd(usd)


@given(amounts, st.integers(0, 1000), st.integers(1, 1000))
def test_a_share_is_rounded_up(amount, numerator, denominator):
    exact = Fraction(amount * numerator, denominator)
    assert exact <= share_nusd(amount, numerator=numerator, denominator=denominator) < exact + 1


@given(amounts)
def test_dollars_and_back_is_the_same_amount(amount):
    assert nano_usd(to_usd(amount)) == amount


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0.00"),
        (1, "<$0.000001"),
        (999, "<$0.000001"),
        (1_000, "$0.000001"),
        (123_000, "$0.000123"),
        (500_000_000, "$0.50"),
        (999_999_999, "$1.00"),
        (1_000_000_000, "$1.00"),
        (2_500_000_000_000, "$2,500.00"),
        (-500_000_000, "-$0.50"),
        (-1, "-<$0.000001"),
    ],
)
def test_an_amount_for_people(amount, text):
    assert format_usd(amount) == text


@given(st.integers(1, 10**15))
def test_a_cost_is_never_shown_as_nothing(amount):
    assert format_usd(amount) != format_usd(0)


@given(amounts)
def test_what_is_shown_is_right_to_the_last_digit_shown(amount):
    shown = format_usd(amount)
    if not shown.startswith("<"):
        value = Decimal(shown.removeprefix("$").replace(",", ""))
        step = Decimal("0.01") if value >= 1 else Decimal("0.000001")
        assert abs(value - to_usd(amount)) <= step / 2
