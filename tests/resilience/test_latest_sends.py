"""Whether a late failure is news is told by what was sent later."""

import math

from orchestrator.resilience.latest_sends import LatestSends


def sent(count: int, *, every_s: float = 1.0, answered=lambda _: True) -> LatestSends:
    latest = LatestSends()
    for number in range(count):
        latest.add(number * every_s).is_answered = answered(number)
    return latest


def test_when_all_that_is_due_was_answered_it_is_well_since_the_tenth_last() -> None:
    assert sent(30).well_since_s(30.0, usual_s=0.5) == 20.0


def test_with_fewer_than_ten_nothing_is_known() -> None:
    assert sent(9).well_since_s(30.0, usual_s=0.5) == -math.inf


def test_one_that_hangs_beyond_its_time_makes_it_unknown() -> None:
    latest = sent(30, answered=lambda number: number != 25)
    assert latest.well_since_s(30.0, usual_s=0.5) == -math.inf


def test_what_is_not_due_yet_says_nothing() -> None:
    latest = sent(30, answered=lambda number: number < 26)
    assert latest.well_since_s(30.0, usual_s=2.5) == 16.0
    assert latest.well_since_s(30.0, usual_s=0.5) == -math.inf


def test_what_was_withdrawn_says_nothing() -> None:
    latest = sent(30)
    latest.add(29.0).is_withdrawn = True
    assert latest.well_since_s(31.0, usual_s=0.5) == 20.0


def test_where_half_hang_it_is_never_well() -> None:
    latest = sent(40, answered=lambda number: number % 2 == 0)
    assert latest.well_since_s(60.0, usual_s=0.5) == -math.inf
