"""Whom a walk waits for once its plan is through, and whom it does not."""

from orchestrator.gateway.door import Wait
from orchestrator.gateway.waiting import PATIENCE_S, Waiting

ONE, TWO, THREE = PLAN = ("openrouter/one", "google/two", "openai/three")


def fail(
    waiting: Waiting, name: str, *, failures: int = 1, rests_s: float = 0.0, shut_s: float = 0.0
) -> None:
    waiting.note_failure(name, failures=failures, now_s=0.0, rests_s=rests_s, shut_s=shut_s)


def taken(waiting: Waiting, now_s: float = 0.0) -> tuple[str, float] | None:
    found = waiting.first(PLAN, now_s=now_s)
    return None if found is None else (found[0].name, found[1])


def test_nobody_is_waited_for_when_everybody_failed_once_and_no_circuit_is_shut():
    waiting = Waiting()
    for name in PLAN:
        fail(waiting, name)
    assert taken(waiting) is None


def test_while_a_circuit_is_shut_whoever_failed_in_passing_is_asked_again_too():
    waiting = Waiting()
    fail(waiting, ONE)
    fail(waiting, TWO, shut_s=5)
    assert taken(waiting) == (ONE, 1)
    assert taken(waiting, now_s=1) == (TWO, 4)
    assert taken(waiting, now_s=5) is None


def test_each_failure_doubles_the_time_until_the_next_attempt():
    waiting = Waiting()
    waiting.note(THREE, ready_at_s=14, wait=Wait.CIRCUIT)
    for failures, wait_s in ((1, 1), (2, 2), (3, 4)):
        fail(waiting, ONE, failures=failures)
        assert taken(waiting) == (ONE, wait_s)


def test_of_those_that_are_ready_together_the_first_of_the_plan_is_asked():
    waiting = Waiting()
    waiting.note(THREE, ready_at_s=5.0, wait=Wait.CIRCUIT)
    waiting.note(ONE, ready_at_s=5.1, wait=Wait.CIRCUIT)
    assert taken(waiting) == (ONE, 5.1)


def test_circuits_and_failures_share_one_patience_and_a_rest_has_none():
    waiting = Waiting()
    waiting.note(ONE, ready_at_s=10, wait=Wait.CIRCUIT)
    fail(waiting, TWO, shut_s=PATIENCE_S - 9)
    waiting.note(THREE, ready_at_s=600, wait=Wait.REST)
    assert taken(waiting) == (TWO, 6)
    assert taken(waiting) == (THREE, 600), "ten seconds more for the first is beyond patience"


def test_who_has_no_patience_takes_only_what_is_ready():
    waiting = Waiting(patience_s=0)
    waiting.note(ONE, ready_at_s=1, wait=Wait.CIRCUIT)
    waiting.note(TWO, ready_at_s=2, wait=Wait.CIRCUIT)
    assert taken(waiting, now_s=1) == (ONE, 0)
    assert taken(waiting, now_s=1) is None


def test_who_asked_for_a_rest_gets_it_and_more_when_it_failed_often():
    waiting = Waiting()
    fail(waiting, ONE, rests_s=3)
    assert taken(waiting) == (ONE, 3)
    fail(waiting, ONE, failures=4, rests_s=3)
    assert taken(waiting) == (ONE, 8)


def test_who_is_forgotten_is_not_waited_for():
    waiting = Waiting()
    waiting.note(ONE, ready_at_s=1, wait=Wait.CIRCUIT)
    waiting.forget({ONE})
    assert taken(waiting) is None
