"""The targets of a plan are in its order, the emergency model last."""

from datetime import date

from orchestrator.catalog.models import ModelClass
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.target import targets_of

TODAY = date(2026, 11, 23)


def plan_and_targets(orchestrator):
    plan = orchestrator.explain(ChatRequest.of("When do you open?", use_case="customer_service"))
    return plan, targets_of(plan, orchestrator.config.catalog.deployments, today=TODAY)


def test_the_plan_is_kept_in_its_order_with_the_price_of_the_day(practised):
    plan, targets = plan_and_targets(practised)
    assert {target.name for target in targets} == {step.deployment for step in plan.asked}
    usual = [target.name for target in targets if target.deployment.model.tier is not ModelClass.EMERGENCY]
    assert usual == [step.deployment for step in plan.asked if step.deployment in usual]
    assert all(target.price == target.deployment.price.on(TODAY) for target in targets)


def test_the_emergency_model_is_asked_last(practised):
    _, targets = plan_and_targets(practised)
    tiers = [target.deployment.model.tier for target in targets]
    assert tiers.count(ModelClass.EMERGENCY) == 1
    assert tiers[-1] is ModelClass.EMERGENCY
