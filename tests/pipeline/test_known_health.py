"""The facts of the moment reach the plan, and a request that nothing may serve is told why."""

import pytest

from orchestrator import Orchestrator
from orchestrator.core.errors import PromptTooLargeError
from orchestrator.core.failures import HealthScope
from orchestrator.core.plan import ReasonKind
from orchestrator.pipeline.known_health import LOOK_AGAIN_S, WELL_AGAIN

PRIMARY = "openrouter/gpt-6.1-sol"


def open_the_provider(orchestrator: Orchestrator, name: str = PRIMARY) -> None:
    for _ in range(3):
        permit = orchestrator.health.admit(name, provider="openrouter")
        assert permit is not None
        orchestrator.health.fail(permit, health_scope=HealthScope.PROVIDER)


def test_a_provider_that_is_down_takes_its_untried_deployments_along(practised: Orchestrator) -> None:
    """Nothing is known of them but that their provider's circuit is open."""
    open_the_provider(practised)
    plan = practised.explain("Xin chào")
    kinds = {excluded.deployment: excluded.reason.kind for excluded in plan.excluded}
    hosted = [name for name in practised.config.catalog.deployments if name.startswith("openrouter/")]
    assert len(hosted) > 3
    assert {kinds[name] for name in hosted} == {ReasonKind.PROVIDER_CIRCUIT_OPEN}
    assert not any(candidate.deployment in hosted for candidate in plan.candidates)


def test_what_is_known_of_a_deployment_reaches_its_score(practised: Orchestrator) -> None:
    before = practised.explain("Xin chào").candidates[0]
    permit = practised.health.admit(PRIMARY, provider="openrouter")
    assert permit is not None
    practised.health.succeed(permit, latency_s=10.0)
    after = practised.explain("Xin chào").candidates[0]
    assert (before.deployment, after.deployment) == (PRIMARY, PRIMARY)
    assert after.parts["speed"] == 0.5 != before.parts["speed"]


def test_a_deployment_that_is_off_is_left_out_as_such(make_orchestrator) -> None:
    orchestrator = make_orchestrator(OPENROUTER_API_KEY="")
    plan = orchestrator.explain("Xin chào")
    kinds = {excluded.deployment: excluded.reason.kind for excluded in plan.excluded}
    assert kinds[PRIMARY] is ReasonKind.OFF


def test_a_prompt_that_is_too_long_for_all_is_told_by_a_context_and_not_by_a_tool(
    make_orchestrator,
) -> None:
    """The emergency model is left out for the tool as well, which says nothing of the length."""
    orchestrator = make_orchestrator()
    tool = {"type": "function", "function": {"name": "find_order"}}
    with pytest.raises(PromptTooLargeError, match="its context holds"):
        orchestrator.explain("word " * 5_000_000, tools=[tool])


def left_out(orchestrator: Orchestrator) -> dict[str, ReasonKind]:
    return {one.deployment: one.reason.kind for one in orchestrator.explain("Xin chào").excluded}


def outcomes(orchestrator: Orchestrator, *healthy: bool) -> None:
    for one in healthy:
        permit = orchestrator.health.admit(PRIMARY, provider="openrouter")
        assert permit is not None
        if one:
            orchestrator.health.succeed(permit, latency_s=1.0)
        else:
            orchestrator.health.fail(permit, health_scope=HealthScope.DEPLOYMENT)


def test_a_poor_availability_counts_until_something_newer_may_be_known(make_orchestrator, clock) -> None:
    """One request a moment finds out; else nobody would ask it for ten minutes."""
    orchestrator = make_orchestrator(clock=clock)
    outcomes(orchestrator, *[True, True, True, False] * 10)
    assert left_out(orchestrator)[PRIMARY] is ReasonKind.LOW_AVAILABILITY
    clock.advance(LOOK_AGAIN_S)
    assert PRIMARY not in left_out(orchestrator)
    outcomes(orchestrator, True)
    assert left_out(orchestrator)[PRIMARY] is ReasonKind.LOW_AVAILABILITY


def test_healthy_answers_in_a_row_are_newer_than_any_share(make_orchestrator, clock) -> None:
    orchestrator = make_orchestrator(clock=clock)
    outcomes(orchestrator, *[True, True, True, False] * 10, *[True] * (WELL_AGAIN - 1))
    assert left_out(orchestrator)[PRIMARY] is ReasonKind.LOW_AVAILABILITY
    outcomes(orchestrator, True)
    assert PRIMARY not in left_out(orchestrator)
    outcomes(orchestrator, False)
    assert left_out(orchestrator)[PRIMARY] is ReasonKind.LOW_AVAILABILITY
