"""What a request is like is seen from its form alone, and what would change a plan is computed from it."""

import pytest

from orchestrator.core.analysis import Complexity, RequestUrgency
from orchestrator.reports.views import plain_plan
from orchestrator.routing.explaining import shares_of, what_would_change

TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}


def test_form_tells_complexity_time_tells_urgency(practised):
    def analysis(prompt="Xin chào, đơn hàng của tôi đâu rồi?", **overrides):
        return practised.explain(prompt, **overrides).analysis

    plain = analysis()
    assert (plain.complexity, plain.urgency, plain.language) == (Complexity.LOW, RequestUrgency.NORMAL, "vi")
    assert analysis(tools=[TOOL]).complexity is Complexity.MEDIUM
    assert analysis(tools=[TOOL]).needs == ("tools",)
    hard = analysis("Where is it? " * 3_000, tools=[TOOL])
    assert (hard.complexity, len(hard.signs)) == (Complexity.HIGH, 2)
    assert analysis(deadline_s=5).urgency is RequestUrgency.HIGH
    assert analysis(use_case="cost_sensitive").urgency is RequestUrgency.LOW
    assert analysis(max_cost_nusd=7_000_000).budget_nusd == 7_000_000


def test_the_shares_of_the_factors_are_the_score(practised):
    plan = practised.explain("hi", use_case="cost_sensitive")
    for candidate in plan.asked:
        assert sum(shares_of(candidate, plan.weights).values()) == pytest.approx(candidate.score, abs=5e-4)


def test_a_plan_says_what_would_have_changed_it(practised):
    plan = practised.explain("hi", use_case="cost_sensitive")
    first, second = plan.asked[:2]
    assert f"{second.deployment}, were {first.deployment} out, too dear or left out" in what_would_change(
        plan
    )
    assert plain_plan(plan)["would_change"] == list(what_would_change(plan))
    pinned = practised.explain("hi", model="gpt-6-luna")
    assert what_would_change(pinned) == (
        "another model, where the request names none: it asked for this one",
    )
