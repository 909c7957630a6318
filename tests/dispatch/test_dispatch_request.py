"""The steps of a walk are those of its plan, the emergency model last."""

from datetime import UTC, datetime

from orchestrator.catalog.catalog import ModelClass
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.dispatch_request import DispatchRequest, laid_out
from orchestrator.routing.estimate import measure

TODAY = datetime(2026, 11, 23, tzinfo=UTC)


def steps_of(orchestrator):
    request = ChatRequest.of("Xin chào", use_case="customer_service")
    config = orchestrator.config
    terms = DispatchRequest(
        request_id="one",
        request=request,
        plan=orchestrator.explain(request),
        size=measure(request),
        profile=config.profile_of(request),
        deadline_at_s=30.0,
        stream=False,
        today=TODAY,
    )
    return terms.plan, laid_out(terms, config.catalog.deployments)


def test_the_plan_is_kept_in_its_order_with_the_price_of_the_day(practised):
    plan, steps = steps_of(practised)
    assert {step.name for step in steps} == {one.deployment for one in plan.asked}
    usual = [step.name for step in steps if step.deployment.model.tier is not ModelClass.EMERGENCY]
    assert usual == [one.deployment for one in plan.asked if one.deployment in usual]
    assert all(step.price == step.deployment.price.on(TODAY.date()) for step in steps)


def test_the_emergency_model_is_asked_last(practised):
    _, steps = steps_of(practised)
    tiers = [step.deployment.model.tier for step in steps]
    assert tiers.count(ModelClass.EMERGENCY) == 1
    assert tiers[-1] is ModelClass.EMERGENCY
