"""Whom a walk waits for once its plan is through, and whom it does not."""

from dataclasses import replace

import pytest

from orchestrator.dispatch.admission import RejectReason
from orchestrator.dispatch.recovery_wait import RecoveryQueue, WaitBudget, Waiter

ONE, TWO, THREE = PLAN = ("openrouter/one", "google/two", "openai/three")
OTHER = "google/other"
ROOM = WaitBudget(
    now_s=0.0,
    left_s=30.0,
    answer_s=dict.fromkeys((*PLAN, OTHER), 0.0),
    hurried_s=dict.fromkeys((*PLAN, OTHER), 0.0),
    patience_s=10.0,
    outage=True,
)


def later(name: str, at_s: float = 0.0, wait: RejectReason | None = RejectReason.CIRCUIT) -> Waiter:
    return Waiter(name, name.partition("/")[0], at_s, wait)


def fail(waiting: RecoveryQueue, name: str, at_s: float = 0.0) -> None:
    waiting.note_failure(later(name, at_s, None), now_s=0.0)


def taken(waiting: RecoveryQueue, fit=PLAN, **room) -> tuple[str, float] | None:
    found = waiting.take_first(fit, replace(ROOM, **room))
    return None if found is None else (found[0].name, found[1])


def test_whoever_failed_is_asked_again_in_an_outage_after_a_second_and_else_sooner():
    waiting = RecoveryQueue()
    for name in PLAN:
        fail(waiting, name)
    assert taken(waiting, outage=False) == (ONE, 0.25)
    assert taken(waiting) == (TWO, 1)


def test_whether_anybody_is_worth_a_wait_is_told_without_taking_one():
    waiting = RecoveryQueue()
    assert not waiting.is_worth_waiting(PLAN, ROOM)
    fail(waiting, ONE)
    assert waiting.is_worth_waiting(PLAN, ROOM)
    assert not waiting.is_worth_waiting([TWO], ROOM)
    assert not waiting.is_worth_waiting(PLAN, replace(ROOM, patience_s=0.5))
    assert taken(waiting) == (ONE, 1)


def test_each_failure_after_a_wait_doubles_the_next_one():
    waiting = RecoveryQueue()
    for wait_s in (1, 2, 4):
        fail(waiting, ONE)
        assert taken(waiting) == (ONE, wait_s)
        waiting.come_back(later(ONE))
    fail(waiting, ONE)
    assert taken(waiting) == (ONE, 3), "seven of ten seconds are waited, and the last wait takes the rest"
    waiting.come_back(later(ONE))
    fail(waiting, ONE)
    assert taken(waiting) is None


def test_failures_before_the_wait_double_nothing():
    waiting = RecoveryQueue()
    for _ in range(3):
        fail(waiting, ONE)
    assert taken(waiting) == (ONE, 1)


def test_a_provider_that_failed_is_spared_with_all_its_deployments():
    waiting = RecoveryQueue()
    waiting.note(later(OTHER, 0.5))
    fail(waiting, TWO)
    assert taken(waiting, fit=(OTHER, TWO)) == (OTHER, 1)


def test_of_those_that_are_ready_together_the_first_of_the_plan_is_asked():
    waiting = RecoveryQueue()
    waiting.note(later(THREE, 5.0))
    waiting.note(later(ONE, 5.1))
    assert taken(waiting) == (ONE, 5.1)


def test_circuits_and_failures_share_one_patience_and_a_rest_has_none():
    waiting = RecoveryQueue()
    waiting.note(later(ONE, 10))
    fail(waiting, TWO, 6)
    waiting.note(later(THREE, 25, RejectReason.REST))
    assert taken(waiting) == (TWO, 6)
    assert taken(waiting) == (THREE, 25), "the first is beyond what patience is left"


def test_who_has_no_patience_takes_only_what_is_ready():
    waiting = RecoveryQueue()
    waiting.note(later(ONE, 1))
    waiting.note(later(TWO, 2))
    assert taken(waiting, now_s=1, patience_s=0) == (ONE, 0)
    assert taken(waiting, now_s=1, patience_s=0) is None


@pytest.mark.parametrize("wait", [*RejectReason, None])
def test_nobody_is_waited_for_beyond_the_deadline(wait):
    waiting = RecoveryQueue()
    waiting.note(later(ONE, 9, wait))
    assert taken(waiting, left_s=8.9) is None
    assert taken(waiting, left_s=9) == (ONE, 9)


def test_who_is_not_fit_is_passed_over_and_costs_no_patience():
    waiting = RecoveryQueue()
    waiting.note(later(ONE, 8))
    waiting.note(later(TWO, 9))
    assert taken(waiting, fit=(TWO, THREE)) == (TWO, 9)


def test_who_is_forgotten_is_not_waited_for():
    waiting = RecoveryQueue()
    waiting.note(later(ONE, 1))
    waiting.forget({ONE})
    assert taken(waiting) is None


def test_no_wait_uses_up_the_time_that_an_answer_needs():
    """For a moment that is known all of it stays, for what nobody can foretell half of what is left."""
    for wait, most_s in (
        (RejectReason.LINE, 3),
        (RejectReason.REST, 3),
        (RejectReason.CIRCUIT, 4),
        (None, 4),
    ):
        for ready_at_s, left_s in ((most_s, 8), (most_s + 0.1, 8), (most_s + 0.1, 8.3)):
            waiting = RecoveryQueue()
            waiting.note(later(ONE, ready_at_s, wait))
            is_taken = taken(waiting, left_s=left_s, answer_s={ONE: 5.0}, hurried_s={ONE: 5.0}) is not None
            assert is_taken is (ready_at_s == most_s or left_s > 8), (wait, ready_at_s, left_s)


def test_a_moment_that_a_provider_named_leaves_the_time_that_an_answer_usually_takes():
    """Nobody stands in a line behind it, and to give up would be an error for sure."""
    for wait, is_known, is_waited in (
        (RejectReason.REST, False, True),
        (None, True, True),
        (None, False, False),
        (RejectReason.LINE, False, False),
    ):
        waiting = RecoveryQueue()
        waiting.note(replace(later(ONE, 4, wait), is_known=is_known))
        room = {"left_s": 6, "answer_s": {ONE: 3.0}, "hurried_s": {ONE: 0.6}}
        assert (taken(waiting, **room) == (ONE, 4)) is is_waited, (wait, is_known)


def test_what_failed_and_named_its_moment_is_waited_for_no_longer_than_patience_lasts():
    waiting = RecoveryQueue()
    waiting.note(replace(later(ONE, 11, None), is_known=True))
    assert taken(waiting) is None


def test_who_is_ready_now_is_asked_whatever_time_is_left_for_an_answer():
    """It is no wait that would use that time up."""
    for left_s, is_asked in ((4.0, True), (0.1, True), (-0.1, False)):
        waiting = RecoveryQueue()
        waiting.note(later(ONE, 0, RejectReason.REST))
        assert (taken(waiting, left_s=left_s, answer_s={ONE: 5.0}) == (ONE, 0)) is is_asked, left_s


def test_each_target_is_waited_for_as_long_as_its_own_answers_leave_time():
    waiting = RecoveryQueue()
    for name in (ONE, TWO):
        waiting.note(later(name, 3, RejectReason.LINE))
    assert taken(waiting, left_s=20, answer_s={ONE: 25.0, TWO: 5.0}) == (TWO, 3)
    assert taken(waiting, left_s=20, answer_s={ONE: 25.0, TWO: 5.0}) is None
