"""A caller gets its requests a minute, evenly, and nobody else's."""

import pytest

from orchestrator.access.request_rates import RequestRates


def test_after_the_minutes_requests_a_caller_waits_for_the_next(clock):
    rates = RequestRates(clock)
    assert [rates.take("a", per_min=2) for _ in range(2)] == [0, 0]
    wait_s = rates.take("a", per_min=2)
    assert wait_s == pytest.approx(30)
    assert rates.take("b", per_min=2) == 0
    clock.advance(wait_s)
    assert rates.take("a", per_min=2) == 0
    assert rates.take("a", per_min=2) > 0


def test_a_look_counts_nothing_and_a_long_rest_saves_up_no_more_than_a_minute(clock):
    rates = RequestRates(clock)
    assert [rates.wait_s("a", per_min=1) for _ in range(3)] == [0, 0, 0]
    clock.advance(3600)
    assert rates.take("a", per_min=1) == 0
    assert rates.take("a", per_min=1) > 0


def test_a_crowd_of_callers_takes_a_bounded_place(clock):
    rates = RequestRates(clock)
    for number in range(10_500):
        rates.take(str(number), per_min=1)
    assert len(rates._buckets) == 10_000
