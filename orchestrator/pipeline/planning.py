"""Plans: the facts of the moment for the policy that ranks, and the refusal where no deployment is left."""

from dataclasses import replace
from datetime import date

from orchestrator.config.loader import Config
from orchestrator.core.errors import (
    BudgetExceededError,
    OrchestratorError,
    PromptTooLargeError,
    UnavailableError,
)
from orchestrator.core.money import NanoUsd
from orchestrator.core.plan import Excluded, Plan, Reason, ReasonKind
from orchestrator.core.prompt_size import PromptSize
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.admission import Services
from orchestrator.ledger.budgets import BudgetTier, Window, scopes_of, tier_for
from orchestrator.ledger.ledger import Ledger
from orchestrator.pipeline.known_health import known_health
from orchestrator.routing.capabilities import needs_of
from orchestrator.routing.ranking import RankingContext, rank


def plan_for(request: ChatRequest, config: Config, *, size: PromptSize, state: Services, today: date) -> Plan:
    """Return which deployments a request of that size is put to, in which order and why.

    Raises:
        PromptTooLargeError, BudgetExceededError, UnavailableError: no deployment may serve it.
    """
    use_case = config.use_case_of(request)
    deployments = config.facts_of(request.use_case, today=today)
    pinned: tuple[str, ...] | None = None
    if request.model is not None:
        pinned = tuple(deployment.name for deployment in config.catalog.named(request.model))
        deployments = {name: deployments[name] for name in pinned}
    scopes = scopes_of(
        tenant=request.tenant,
        use_case=request.use_case,
        user=request.user,
        provider="",
        tags=request.tags,
    )
    rules = RankingContext(
        use_case_name=request.use_case,
        use_case=use_case,
        routing=config.settings.routing,
        needs=needs_of(request),
        ceiling=state.ledger.limits.tightest_for_request(scopes),
        today=today,
        pinned=pinned,
        seen=state.counts.of(size.script),
        input_bound=config.settings.budgets.input_bound,
        budget_tier=_budget_tier(config, state.ledger),
    )
    health = known_health(deployments, config.settings.routing, state.health)
    plan = rank(request, deployments.values(), size=size, rules=rules, health=health)
    off = tuple(
        Excluded(step.deployment, Reason(ReasonKind.OFF, config.catalog.off[step.deployment]))
        for step in use_case.route
        if step.deployment in config.catalog.off
    )
    plan = replace(plan, excluded=(*off, *plan.excluded))
    if not plan.asked:
        raise _no_candidates(request, config, plan, rules)
    return plan


def _budget_tier(config: Config, ledger: Ledger) -> BudgetTier | None:
    tiers = config.settings.budgets.tiers
    return tier_for(tiers, ledger.left("all", Window.DAY)) if tiers else None


def _no_candidates(
    request: ChatRequest, config: Config, plan: Plan, rules: RankingContext
) -> OrchestratorError:
    """Return the error of a plan without candidates: too long, too dear, or nobody left."""
    usable = config.catalog.deployments
    relevant = [
        one
        for one in plan.excluded
        if one.deployment in usable and (rules.pinned is None or one.deployment in rules.pinned)
    ]
    if relevant and all(one.too_small for one in relevant):
        contexts = (one for one in relevant if one.reason.kind is ReasonKind.CONTEXT)
        first = next(contexts, relevant[0])
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
