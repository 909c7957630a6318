"""Plans: the facts of the moment for the policy that ranks, and the refusal where none may serve."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from orchestrator.catalog.catalog import MissingKey, keys_to_set
from orchestrator.config.loader import Config
from orchestrator.core.embedding import EmbeddingRequest
from orchestrator.core.errors import (
    ASK_WHO_OPERATES,
    OWN_LIMIT,
    BudgetExceededError,
    InvalidRequestError,
    OrchestratorError,
    PromptTooLargeError,
    UnavailableError,
)
from orchestrator.core.language import reply_languages
from orchestrator.core.money import NanoUsd
from orchestrator.core.plan import Excluded, LeftOut, Plan, ReasonKind
from orchestrator.core.prompt_size import PromptSize
from orchestrator.core.reply import ChatReply
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.services import Services
from orchestrator.ledger.budgets import BudgetTier, Window, tier_for
from orchestrator.ledger.ledger import Ledger
from orchestrator.pipeline.arms import arm_notices
from orchestrator.pipeline.call import Call, PlannedRequest, Step
from orchestrator.pipeline.known_health import known_health
from orchestrator.pipeline.services import PipelineServices
from orchestrator.routing.analysing import analyse
from orchestrator.routing.capabilities import needs_of
from orchestrator.routing.estimate import measure
from orchestrator.routing.ranking import rank
from orchestrator.routing.scoring import RankingContext
from orchestrator.routing.settings import UseCaseSettings


class Planning:
    """Gives every call a plan before it goes on, or the error that says why no deployment may serve it."""

    def __init__(self, services: PipelineServices, following: Step) -> None:
        """Stand around `following`."""
        self._services = services
        self._following = following

    async def __call__(self, call: Call) -> ChatReply:
        """Plan and go on.

        Raises:
            PromptTooLargeError, BudgetExceededError, UnavailableError: no deployment may serve it.
        """
        planned = planned_for(call, self._services)
        call.trace.plan, call.trace.size = planned.plan, planned.size
        return await self._following(replace(call, planned=planned))


def planned_for(call: Call, services: PipelineServices) -> PlannedRequest:
    """Return which deployments a call may be put to, in which order and why.

    Raises:
        PromptTooLargeError, BudgetExceededError, UnavailableError: no deployment may serve it.
        InvalidRequestError: it is a request for embeddings, which have a way of their own.
    """
    if isinstance(call.request, EmbeddingRequest):
        raise InvalidRequestError("a request for embeddings goes to embed() or aembed()")
    size = measure(call.request)
    return PlannedRequest(_plan_for(call, size=size, state=services.dispatch), size)


def _plan_for(call: Call, *, size: PromptSize, state: Services) -> Plan:
    request, config, use_case = call.request, call.snapshot.config, call.use_case
    deployments = config.facts_of(request.use_case, today=call.started_at.date())
    shortlists = config.shortlists_of(request.use_case, today=call.started_at.date())
    pinned: tuple[str, ...] | None = None
    if request.model is not None:
        pinned = tuple(deployment.name for deployment in config.catalog.named(request.model))
        deployments = {name: deployments[name] for name in pinned}
    languages = reply_languages(
        request.messages, named=request.language, otherwise=config.settings.last_resort.language
    )
    rules = RankingContext(
        use_case_name=request.use_case,
        use_case=use_case,
        routing=config.settings.routing,
        needs=needs_of(request),
        ceiling=state.ledger.limits.tightest_for_request(call.payer.scopes()),
        today=call.started_at.date(),
        pinned=pinned,
        seen=state.token_ratios.of(size.script),
        language=languages.expected,
        evident_language=languages.evident,
        input_bound=config.settings.budgets.input_bound,
        budget_tier=_budget_tier(config, state.ledger),
        # Of whom the prompt is, whoever pays.
        demands=config.settings.routing.demands_on(request.tenant, use_case.demands),
    )
    health = known_health(deployments, config.settings.routing, state.health)
    plan = rank(request, deployments.values(), size=size, rules=rules, health=health, shortlists=shortlists)
    off = switched_off(config, use_case)
    excluded = plan.excluded.behind(off) if isinstance(plan.excluded, LeftOut) else (*off, *plan.excluded)
    weights = use_case.weights_in_force or config.settings.routing.weights
    analysis = analyse(
        request, size, rules, deadline_s=call.deadline.left_s(), background=call.profile.background
    )
    notices, factors = (*plan.notices, *arm_notices(call.arm)), weights.by_factor
    plan = Plan(plan.use_case, plan.candidates, excluded, notices, plan.reserve, analysis, factors)
    if not plan.asked:
        raise no_candidates(request, config, plan, pinned=pinned, ceiling=rules.ceiling)
    return plan


def switched_off(config: Config, use_case: UseCaseSettings) -> tuple[Excluded, ...]:
    """Return the places of a route that are switched off, each with the reason."""
    off = config.catalog.switched_off
    return tuple([off[step.deployment] for step in use_case.route if step.deployment in off])


def _budget_tier(config: Config, ledger: Ledger) -> BudgetTier | None:
    tiers = config.settings.budgets.tiers
    return tier_for(tiers, ledger.left("all", Window.DAY)) if tiers else None


def no_candidates(
    request: ChatRequest,
    config: Config,
    plan: Plan,
    *,
    pinned: tuple[str, ...] | None,
    ceiling: tuple[str, NanoUsd] | None,
) -> OrchestratorError:
    """Return the error of a plan without candidates: too long, too dear, or none is left.

    `pinned` are the deployments that the request names, `ceiling` is the tightest limit of a request.
    """
    usable = config.catalog.usable
    relevant = [
        excluded
        for excluded in plan.excluded
        if excluded.deployment in usable and (pinned is None or excluded.deployment in pinned)
    ]
    if relevant and all(excluded.too_small for excluded in relevant):
        contexts = (excluded for excluded in relevant if excluded.reason.kind is ReasonKind.CONTEXT)
        first = next(contexts, relevant[0])
        return PromptTooLargeError(f"the prompt is too long: {first.deployment} {first.reason}; shorten it")
    bounds = (excluded.needed_nusd for excluded in relevant if excluded.needed_nusd is not None)
    needed = min(bounds, default=None)
    if needed is not None:
        own = request.max_cost_nusd
        scope, limit = ceiling or ("max_cost_nusd", NanoUsd(0))
        if own is not None and (ceiling is None or own < limit):
            scope, limit = OWN_LIMIT, own
        return BudgetExceededError(
            scope=scope, window="request", limit=limit, left=limit, needed=needed, resets_at=None
        )
    reasons = "; ".join(_reasons(plan, relevant, config.catalog.keyless)) or "none is configured"
    none = "no deployment may serve this request"
    of_request = "; ".join(_told_once(relevant))
    seen = f"{none} ({of_request})" if of_request else none
    return UnavailableError(f"{none} ({reasons})").told_callers(f"{seen}; {ASK_WHO_OPERATES}")


def _reasons(plan: Plan, relevant: Sequence[Excluded], keyless: Mapping[str, MissingKey]) -> Iterator[str]:
    off = [excluded for excluded in plan.excluded if excluded.reason.kind is ReasonKind.OFF]
    missing = [keyless[excluded.deployment] for excluded in off if excluded.deployment in keyless]
    others = [*relevant, *(excluded for excluded in off if excluded.deployment not in keyless)]
    if missing:
        yield keys_to_set(missing)
    yield from _told_once(others if others or missing else plan.excluded)


def _told_once(left_out: Sequence[Excluded]) -> Iterator[str]:
    """Yield each reason once, with the first deployment that it is for, and how many more there are."""
    names: dict[str, list[str]] = {}
    for excluded in left_out:
        names.setdefault(excluded.reason.text, []).append(excluded.deployment)
    for reason, (first, *others) in names.items():
        yield f"{first}{f' and {len(others)} more' if others else ''}: {reason}"
