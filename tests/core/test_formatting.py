"""How amounts, shares and durations read."""

import pytest

from orchestrator.core.formatting import count_text, money, percent, rate_text, seconds, usd_text


def test_money_for_programs_is_exact():
    """Nano-dollars as an integer, dollars as a decimal text without an exponent."""
    assert money("cost", 20_550) == {"cost_nusd": 20_550, "cost_usd": "0.00002055"}
    assert money("cost", 1) == {"cost_nusd": 1, "cost_usd": "0.000000001"}
    assert money("left", None) == {"left_nusd": None, "left_usd": None}
    assert usd_text(2_500 * 10**9) == "2500"


@pytest.mark.parametrize(
    ("duration_s", "text"), [(0.0002, "0.2 ms"), (0.042, "42 ms"), (1.5, "1.50 s"), (None, "-")]
)
def test_durations_are_short(duration_s, text):
    """Milliseconds below a tenth of a second, a dash for what is not known."""
    assert seconds(duration_s) == text


def test_a_share_that_is_not_known_is_a_dash():
    """Nothing asked is no success rate of 0 %."""
    assert (percent(None), percent(0.985)) == ("-", "98.5 %")


def test_a_rate_that_is_more_than_nothing_does_not_read_as_nothing():
    """Five requests in a month are not 0.0 an hour."""
    assert [rate_text(rate) for rate in (0, 0.007, 0.05, 1234.56)] == ["0.0", "<0.1", "0.1", "1,234.6"]


def test_a_single_one_is_no_plural():
    """Nobody reads of 1 answers."""
    assert [count_text(count, "answer") for count in (0, 1, 2_000)] == [
        "0 answers",
        "1 answer",
        "2,000 answers",
    ]
    assert [count_text(count, "reply") for count in (1, 2)] == ["1 reply", "2 replies"]
