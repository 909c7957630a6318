"""The steps of a walk are fitted to a longer request; the place on the way stays where it was."""

from datetime import date

import pytest

from orchestrator.core.money import NanoUsd
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.replan import left_nusd, replan
from orchestrator.dispatch.target import Target
from orchestrator.ledger.budgets import BudgetSettings, Limits, LimitSettings

TODAY = date(2026, 11, 23)


@pytest.fixture
def steps(practised) -> tuple[Target, ...]:
    deployments = practised.config.catalog.deployments
    plan = practised.explain("Where is my order?", use_case="customer_service")
    return tuple(Target(one, deployments[one.deployment], TODAY) for one in plan.candidates)


def longer(characters: int) -> ChatRequest:
    return ChatRequest.of("x" * characters, use_case="customer_service")


def test_every_step_gets_the_longer_requests_bound(steps):
    found = replan((steps, 2), longer(5_000), today=TODAY, left_nusd=lambda _: None)
    assert found.position == 2
    assert not found.left_out
    assert all(
        new.candidate.bound_nusd >= old.candidate.bound_nusd
        for new, old in zip(found.targets, steps, strict=True)
    )


def test_who_cannot_hold_it_is_left_out_and_the_place_follows(steps):
    dear = steps[0].name
    found = replan(
        (steps, 0), longer(50), today=TODAY, left_nusd=lambda step: NanoUsd(0) if step.name == dear else None
    )
    assert found.position == -1
    assert [one.deployment for one in found.left_out] == [dear]
    assert [step.name for step in found.targets] == [step.name for step in steps[1:]]
    small = replan((steps, 3), longer(80_000), today=TODAY, left_nusd=lambda _: None)
    assert [one.deployment for one in small.left_out] == ["local/smollm2-135m-instruct"]
    assert small.position == 3


def test_what_is_left_is_the_tightest_limit_without_what_was_spent(steps):
    request = ChatRequest.of("x", use_case="customer_service", max_cost_nusd=900)
    scoped = LimitSettings.model_validate({"scope": "use_case:customer_service", "request": "0.0000005"})
    some = Limits(BudgetSettings(limits=(scoped,)))
    none = Limits(BudgetSettings(limits=()))
    spent = NanoUsd(200)
    assert left_nusd(steps[0], request, spent_nusd=spent, limits=none) == 700
    assert left_nusd(steps[0], request, spent_nusd=spent, limits=some) == 300
    assert left_nusd(steps[0], longer(5), spent_nusd=spent, limits=none) is None
    assert left_nusd(steps[0], request, spent_nusd=NanoUsd(1_000), limits=none) == 0
