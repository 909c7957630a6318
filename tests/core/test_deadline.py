"""One instant, and the time until it, on the clock that never goes back."""

from datetime import timedelta

from orchestrator.core.deadline import Deadline, answer_time_s, telling_silence_s


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
    """Half of the time where nothing is known; else three times the usual, and never hardly more than it."""
    for usual_s, left_s, answer_s in (
        (0.0, 30, 15),
        (0.5, 30, 5),
        (3.0, 30, 9),
        (9.0, 30, 15),
        (9.0, 15, 11.25),
        (9.0, 8, 11.25),
        (20.0, 30, 25),
        (0.5, 4, 2),
    ):
        assert answer_time_s(usual_s, left_s=left_s, timeout_s=30, least_s=5) == answer_s, (usual_s, left_s)


def test_half_of_the_time_is_for_waits_where_answers_usually_take_longer_than_all_of_it() -> None:
    """A use case in a hurry asks for less than those before it, and would be refused before it has asked."""
    assert answer_time_s(30.0, left_s=20, timeout_s=20, least_s=5) == 10
    assert answer_time_s(30.0, left_s=8, timeout_s=20, least_s=5) == 4


def test_a_silence_speaks_against_a_provider_when_it_is_unusual_or_over_its_limit() -> None:
    """A caller in a hurry proves little of a model whose answers take long, or are not known."""
    for usual_s, telling_s in ((0.0, 15), (0.1, 2), (1.5, 4.5), (4.0, 12), (8.0, 15)):
        assert telling_silence_s(usual_s, limit_s=15) == telling_s, usual_s
