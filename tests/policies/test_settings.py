"""A policy that cannot work is refused where it is written."""

import pytest

from orchestrator.core.errors import ConfigError
from orchestrator.routing.settings import RouteOrder

LUNA, FLASH, JUDGE = "openrouter/gpt-6-luna", "google/gemini-3.1-flash-lite", "openrouter/claude-sonnet-5.5"
VOTES = {"voters": [LUNA, FLASH], "judge": JUDGE, "compare": {"by": "number"}}


def policy(**parts):
    return {"use_cases": {"cost_sensitive": {"policy": parts}}}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"agreement": {**VOTES, "voters": [LUNA, "openai/gpt-6-luna"]}}, "share their mistakes"),
        ({"agreement": {**VOTES, "tie_breakers": ["google/gemini-3.8-flash"]}}, "is of vendor google"),
        ({"agreement": {**VOTES, "voters": [LUNA]}}, "at least 2 items"),
        ({"agreement": {**VOTES, "judge": LUNA}}, "stands in it twice"),
        ({"agreement": {**VOTES, "judge": "openrouter/claude-sonet-5.5"}}, "Did you mean 'openrouter/claude"),
        (
            {"agreement": {**VOTES, "compare": {"by": "text"}}},
            "input should be 'tool_calls', 'json', 'label'",
        ),
        ({"agreement": {"voters": [LUNA, FLASH], "judge": JUDGE}}, "compare' is missing"),
        ({"agreement": {**VOTES, "compare": {"by": "label"}}}, "needs 'labels'"),
        ({"agreement": {**VOTES, "compare": {"by": "label", "labels": ["a", "A"]}}}, "to be the label 'a'"),
        (
            {"agreement": {**VOTES, "compare": {"by": "label", "labels": ["a", "***"]}}},
            "to be the label '\\*",
        ),
        ({"constant": LUNA, "score": {}}, "exactly one of constant, score, agreement, escalate"),
        ({}, "exactly one of"),
        ({"escalate": {"models": [LUNA, JUDGE], "checks": [{}]}}, "a check needs one of"),
        ({"escalate": {"models": [LUNA, JUDGE], "checks": [{"json_schema": {"format": "x"}}]}}, "format"),
        ({"constant": "openrouter/nobody"}, "unknown deployment"),
    ],
)
def test_a_policy_that_cannot_work_is_refused_with_its_line(make_config, parts, message):
    with pytest.raises(ConfigError, match=message) as caught:
        make_config(policy(**parts))
    assert "config.yaml:" in str(caught.value)


def test_a_policy_names_more_than_a_plan_holds(make_config):
    changes = policy(agreement=VOTES) | {"routing": {"max_candidates": 2}}
    with pytest.raises(ConfigError, match="a plan holds 2 at most"):
        make_config(changes)


def test_a_constant_comes_first_and_the_route_follows(make_orchestrator):
    orchestrator = make_orchestrator(policy(constant=FLASH, version="7"))
    plan = orchestrator.explain("hi", use_case="cost_sensitive")
    assert plan.asked[0].deployment == FLASH
    assert str(plan.asked[0].reasons[0]) == "policy 'constant', version 7"
    assert len(plan.asked) > 1


def test_a_score_has_weights_of_its_own(make_config):
    only_cost = {"quality": 0, "cost": 1, "speed": 0, "specialisation": 0}
    use_case = make_config(policy(score={"weights": only_cost})).settings.use_cases["cost_sensitive"]
    assert use_case.order_in_force is RouteOrder.SCORE
    assert use_case.weights_in_force is not None
    assert use_case.weights_in_force.cost == 1
