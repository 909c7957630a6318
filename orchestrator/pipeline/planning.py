"""Plans: the facts of the moment, gathered for the policy that ranks, and the refusal where nobody is left."""

from collections.abc import Mapping
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
from orchestrator.core.payer import Payer
from orchestrator.core.plan import Excluded, Plan
from orchestrator.core.prompt_size import PromptSize
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.admission import Services
from orchestrator.ledger.budgets import BudgetTier, Window, tier_for
from orchestrator.ledger.ledger import Ledger
from orchestrator.resilience.circuit_breaker import CircuitState
from orchestrator.resilience.health import Health
from orchestrator.routing.capabilities import needs_of
from orchestrator.routing.ranking import DeploymentHealth, RankingContext, rank


def plan_for(request: ChatRequest, config: Config, *, size: PromptSize, state: Services, today: date) -> Plan:
    """Return whom a request of that size is put to, in which order and why.

    Raises:
        PromptTooLargeError, BudgetExceededError, UnavailableError: nobody may serve it.
    """
    use_case = config.use_case_of(request)
    pinned = None if request.model is None else tuple(one.name for one in config.catalog.named(request.model))
    usable = config.catalog.deployments
    deployments = tuple(usable.values()) if pinned is None else tuple(usable[name] for name in pinned)
    rules = RankingContext(
        use_case_name=request.use_case,
        use_case=use_case,
        routing=config.settings.routing,
        needs=needs_of(request),
        ceiling=state.ledger.limits.tightest_for_request(Payer.of(request).scopes()),
        today=today,
        pinned=pinned,
        seen=state.counts.of(size.script),
        input_bound=config.settings.budgets.input_bound,
        budget_tier=_budget_tier(config, state.ledger),
    )
    vitals = _vitals(config, state.health)
    plan = rank(request, deployments, size=size, rules=rules, vitals=vitals)
    off = tuple(
        Excluded(step.deployment, config.catalog.off[step.deployment])
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


def _vitals(config: Config, health: Health) -> Mapping[str, DeploymentHealth]:
    routing = config.settings.routing
    vitals = {}
    for name, one in config.catalog.deployments.items():
        seen = health.snapshot(name, window_s=routing.availability_window_s)
        vitals[name] = DeploymentHealth(
            availability=seen.availability if seen.samples >= routing.min_samples else None,
            latency_s=seen.median_latency_s,
            circuit_open=seen.circuit is CircuitState.OPEN,
            provider_open=health.provider_circuit(one.provider_name) is CircuitState.OPEN,
        )
    return vitals


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
