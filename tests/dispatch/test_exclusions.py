"""What a failure teaches keeps a walk from asking those who would fail alike."""

import pytest

from orchestrator.core.failures import Failure, FailureKind
from orchestrator.dispatch.exclusions import Exclusions
from orchestrator.dispatch.target import Target


@pytest.fixture
def step_of(practised):
    """Make the step of a deployment of the shipped configuration."""
    found = {one.deployment: one for one in practised.explain("Xin chào").asked}

    def step(name: str, *, input_bound_tokens: int = 10) -> Target:
        deployment = practised.config.catalog.deployments[name]
        return Target(
            next(iter(found.values()))._replace(input_bound_tokens=input_bound_tokens),
            deployment,
            practised._services.clock.now().date(),
        )

    return step


LUNA, SOL, SONNET = "openrouter/gpt-6-luna", "openrouter/gpt-6.1-sol", "openrouter/claude-sonnet-5.5"
SOL_DIRECT, GEMINI = "openai/gpt-6.1-sol", "google/gemini-3.8-flash"


def test_without_failures_everybody_is_fit(step_of):
    assert [Exclusions().unfit(step_of(name)) for name in (LUNA, SOL, SONNET)] == [None] * 3
    assert Exclusions().advice([step_of(LUNA)]) == ""


def test_after_an_overflow_only_a_larger_context_is_fit(step_of):
    lessons = Exclusions()
    lessons.learn(step_of(SOL), Failure(FailureKind.CONTEXT_OVERFLOW, 400), has_worked=True)
    everybody = (LUNA, SOL, SONNET, SOL_DIRECT, GEMINI)
    unfit = {name for name in everybody if lessons.unfit(step_of(name, input_bound_tokens=2_000_000))}
    assert unfit == {LUNA, SOL, SOL_DIRECT}
    # Where it fits at its bound, the other's overflow was of a host that serves less, or of bytes.
    assert [name for name in everybody if lessons.unfit(step_of(name))] == []


def test_after_a_filter_the_same_model_is_unfit_wherever_it_is_served(step_of):
    lessons = Exclusions()
    lessons.learn(step_of(SOL), Failure(FailureKind.CONTENT_FILTERED), has_worked=True)
    unfit = {name for name in (LUNA, SOL, SONNET, SOL_DIRECT, GEMINI) if lessons.unfit(step_of(name))}
    assert unfit == {SOL, SOL_DIRECT}


@pytest.mark.parametrize(("has_worked", "told"), [(False, True), (True, False)])
def test_a_key_that_never_worked_is_the_configurations_fault(step_of, has_worked, told):
    """D7: one that worked before is an outage, and needs no advice."""
    lessons = Exclusions()
    for _ in range(2):
        lessons.learn(step_of(SOL), Failure(FailureKind.UNAUTHORIZED, 401), has_worked=has_worked)
    assert (lessons.advice([step_of(LUNA)]).count("providers.openrouter.api_key") == 1) is told


def test_where_nobody_but_the_local_model_was_to_be_asked_its_server_is_what_to_look_at(step_of):
    """It is dead, still loads, is another program or has another model: `doctor` tells them apart."""
    local = step_of("local/smollm2-135m-instruct")
    assert "'orchestrator doctor' says whether its server runs" in Exclusions().advice([local])
    assert Exclusions().advice([step_of(LUNA), local]) == ""
