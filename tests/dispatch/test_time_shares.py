"""What is left of a dispatch's time goes half to the attempt under way, while another can be asked."""

import math

import pytest

from orchestrator.dispatch.time_shares import TimeShares

FIRST = "openrouter/gpt-6.1-sol"


@pytest.fixture
def shares_of(dispatch_of):
    """Make the time of a dispatch of sixty seconds whose first target usually answers so fast."""

    def make(usual_s: float = 0.0, **wanted):
        dispatch, services = dispatch_of(**wanted)
        if usual_s:
            permit = services.health.admit(FIRST, provider="openrouter")
            services.health.succeed(permit, latency_s=usual_s)
        return TimeShares(dispatch, services), dispatch.targets

    return make


@pytest.mark.parametrize(
    ("usual_s", "passed_s", "turn_s"), [(0.0, 0, 30), (0.0, 52, 5), (10.0, 40, 12.5), (1.0, 40, 10)]
)
def test_a_turn_is_half_of_what_is_left_and_never_less_than_is_usual(
    shares_of, clock, usual_s, passed_s, turn_s
) -> None:
    shares, targets = shares_of(usual_s)
    clock.advance(passed_s)
    turn = shares.turn_of(targets[0], has_next=True, is_only=False)
    assert turn.turn_s == turn_s
    assert turn.limit_s == min(turn_s, targets[0].deployment.provider.timeout_s)


@pytest.mark.parametrize(
    ("usual_s", "is_only", "turn_s"), [(0.0, True, math.inf), (1.0, True, 30), (1.0, False, math.inf)]
)
def test_the_last_one_has_all_of_the_time_but_for_one_that_will_be_asked_again(
    shares_of, usual_s, is_only, turn_s
) -> None:
    shares, targets = shares_of(usual_s)
    assert shares.turn_of(targets[0], has_next=False, is_only=is_only).turn_s == turn_s


def test_a_stream_may_be_silent_for_as_long_as_first_words_take(shares_of) -> None:
    shares, targets = shares_of(stream=True)
    limit_s = targets[0].deployment.provider.first_token_timeout_s
    assert shares.turn_of(targets[0], has_next=True, is_only=False).limit_s == limit_s


def test_a_wait_leaves_what_an_answer_needs_and_less_where_its_moment_is_known(shares_of, clock) -> None:
    shares, targets = shares_of(0.4, model=FIRST)
    budget = shares.wait_budget(targets, now_s=clock.monotonic_s(), has_older_answer=False)
    assert (budget.answer_s[FIRST], budget.hurried_s[FIRST]) == (5, 0.5)
    assert (budget.left_s, budget.patience_s, budget.outage) == (60, 10, False)
    unknown, targets = shares_of(model=FIRST)
    budget = unknown.wait_budget(targets, now_s=clock.monotonic_s(), has_older_answer=True)
    assert budget.answer_s[FIRST] == budget.hurried_s[FIRST] == 30
    assert budget.patience_s == 0
