"""Whether a late failure is news is told by what was sent later."""

from orchestrator.resilience.latest_sends import LatestSends, Send

EARLY = Send(-0.5)
"""What fails now was sent before all others."""


def sent(count: int, *, answered=lambda _: True) -> LatestSends:
    latest = LatestSends()
    for number in range(count):
        latest.add(float(number)).is_answered = answered(number)
    return latest


def test_what_was_answered_later_counts_back_to_the_first_that_failed() -> None:
    assert sent(30).answered_since(EARLY, 30.0, usual_s=0.5) == 30
    latest = sent(30, answered=lambda number: number != 25)
    assert latest.answered_since(EARLY, 30.0, usual_s=0.5) == 4


def test_only_what_was_sent_later_counts() -> None:
    assert sent(30).answered_since(Send(26.0), 30.0, usual_s=0.5) == 3


def test_a_failure_in_its_time_is_outdone_by_nothing() -> None:
    assert sent(30).answered_since(Send(26.0), 30.0, usual_s=2.5) == 0


def test_what_is_not_due_yet_says_nothing_unless_it_has_failed() -> None:
    latest = sent(28)
    waiting = latest.add(28.0)
    assert latest.answered_since(EARLY, 30.0, usual_s=2.5) == 28
    assert latest.answered_since(EARLY, 30.0, usual_s=0.5) == 0
    waiting.has_failed = True
    assert latest.answered_since(EARLY, 30.0, usual_s=2.5) == 0


def test_what_was_withdrawn_says_nothing() -> None:
    latest = sent(30)
    latest.add(29.0).is_withdrawn = True
    assert latest.answered_since(EARLY, 31.0, usual_s=0.5) == 30


def test_where_half_hang_hardly_any_answers_stand_in_a_row() -> None:
    latest = sent(40, answered=lambda number: number % 2 == 1)
    assert latest.answered_since(EARLY, 60.0, usual_s=0.5) == 1
