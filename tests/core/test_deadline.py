"""One instant, and the time until it, on the clock that never goes back."""

from datetime import timedelta

from orchestrator.core.deadline import Deadline


def test_what_is_left_and_what_has_passed_make_the_timeout(clock) -> None:
    deadline = Deadline.after(30, clock=clock)
    clock.advance(12)
    assert (deadline.elapsed_s(), deadline.left_s()) == (12, 18)
    assert deadline.at_s == clock.monotonic_s() + 18


def test_a_deadline_that_is_over_has_less_than_nothing_left(clock) -> None:
    deadline = Deadline.after(1, clock=clock)
    clock.advance(1.5)
    assert deadline.left_s() == -0.5


def test_a_calendar_that_is_set_moves_no_deadline(clock) -> None:
    deadline = Deadline.after(30, clock=clock)
    clock.set(clock.now() + timedelta(days=1))
    assert (deadline.elapsed_s(), deadline.left_s()) == (0, 30)
