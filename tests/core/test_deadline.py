"""One instant, and the time until it, on the clock that never goes back."""

from datetime import timedelta

from orchestrator.core.deadline import Deadline, answer_time_s


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


def test_no_wait_uses_up_what_an_answer_needs() -> None:
    """Half where nothing is known; never so little that an answer which takes its usual time would be late."""
    assert answer_time_s(0.0, timeout_s=30, least_s=5) == 15
    assert answer_time_s(0.5, timeout_s=30, least_s=5) == 5
    assert answer_time_s(3.0, timeout_s=30, least_s=5) == 9
    assert answer_time_s(9.0, timeout_s=30, least_s=5) == 15
    assert answer_time_s(20.0, timeout_s=30, least_s=5) == 25
    assert answer_time_s(0.5, timeout_s=4, least_s=5) == 2
