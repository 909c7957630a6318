"""Refusals: why nobody may serve a request, told from the plan that came out empty."""

from orchestrator.calls import ChatRequest, Plan
from orchestrator.config import Config
from orchestrator.errors import (
    BudgetExceededError,
    OrchestratorError,
    PromptTooLargeError,
    UnavailableError,
)
from orchestrator.money import NanoUsd
from orchestrator.policy.routing import Rules


def no_candidates(config: Config, request: ChatRequest, plan: Plan, rules: Rules) -> OrchestratorError:
    """Return the error of a plan without candidates: too long, too dear, or nobody left."""
    usable = config.catalog.deployments
    relevant = [
        one
        for one in plan.excluded
        if one.deployment in usable and (rules.pinned is None or one.deployment in rules.pinned)
    ]
    if relevant and all(one.too_small for one in relevant):
        first = relevant[0]
        return PromptTooLargeError(f"the prompt is too long: {first.deployment} {first.reason}; shorten it")
    needed = min((one.needed_nusd for one in relevant if one.needed_nusd is not None), default=None)
    if needed is not None:
        own = request.max_cost_nusd
        scope, limit = rules.ceiling or ("max_cost_nusd", NanoUsd(0))
        if own is not None and (rules.ceiling is None or own < limit):
            scope, limit = "max_cost_nusd of this request", own
        return BudgetExceededError(
            scope=scope, window="request", limit=limit, left=limit, needed=needed, resets_at=None
        )
    told = "; ".join(f"{one.deployment}: {one.reason}" for one in (relevant or plan.excluded))
    return UnavailableError(f"no deployment may serve this request ({told or 'none is configured'})")
