"""Which deployments a request is put to, in which order, and why.

`rank` filters what cannot or may not serve the request, scores the rest, and orders it. What is left
out for its health alone is the plan's reserve. The score is the weighted sum of four factors, each 0 to 1
on a scale of its own, so that adding a model to the configuration never changes the score of another:

    quality         the model's quality for the use case
    cost            1 at $0.0001 a request, 0 at $0.10, on a logarithmic scale
    speed           1 for an instant answer, 1/2 at 10 s, 1/(1 + t/10 s)
    specialisation  the place in the use case's route, or a stated strength

With `order: route` the use case's own order stands and the score is shown beside it; what the
route does not name comes after it. With `order: score` the score decides. Where the request's money
would not reach for the whole answer, `on_limit` decides: such a place comes behind those where it
does, or stays where it is with a shorter answer, or none is asked at all.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from orchestrator.catalog.catalog import Capability, Deployment
from orchestrator.core.language import Language
from orchestrator.core.money import NANO_PER_USD, NanoUsd
from orchestrator.core.plan import Candidate, Excluded, Plan, Reason, ReasonKind
from orchestrator.core.prompt_size import InputBound, PromptSize
from orchestrator.core.request import ChatRequest
from orchestrator.ledger.budgets import BudgetTier
from orchestrator.routing.eligibility import (
    TOO_DEAR,
    DeploymentHealth,
    Requirements,
    too_dear,
    why_not,
    why_unhealthy,
)
from orchestrator.routing.estimate import Estimate, bounded_for, estimate
from orchestrator.routing.facts import DeploymentFacts
from orchestrator.routing.settings import OnLimit, RoutingSettings, UseCaseSettings, Weights
from orchestrator.routing.token_calibration import TokenRatio, calibrated

_PARTS = ("quality", "cost", "speed", "specialisation")
_COST_SCALE_BEST_NUSD = NANO_PER_USD // 10_000
_COST_SCALE_WORST_NUSD = NANO_PER_USD // 10
_COST_SCALE_SPAN = math.log(_COST_SCALE_WORST_NUSD / _COST_SCALE_BEST_NUSD)
_SPEED_HALF_S = 10.0
_DEFAULT_LATENCY_S = 0.8
_NOTHING_KNOWN = DeploymentHealth()
_PINNED = Reason(ReasonKind.PINNED, "asked for by name")
_RATHER_REFUSED = Reason(
    ReasonKind.RATHER_REFUSED, "its use case would rather be refused than take another model (on_limit)"
)


@dataclass(frozen=True, slots=True)
class RankingContext:
    """What applies to one ranking, gathered by the caller."""

    use_case_name: str
    use_case: UseCaseSettings
    routing: RoutingSettings
    needs: frozenset[Capability]
    ceiling: tuple[str, NanoUsd] | None
    """The scope with the tightest limit for one request, and that limit."""
    today: date
    pinned: tuple[str, ...] | None = None
    """The only deployments that may serve, when the caller named a model."""
    seen: Mapping[str, TokenRatio] = field(default_factory=dict)
    """What each model was seen to count in prompts of this script."""
    input_bound: InputBound = InputBound.BYTES
    language: Language | None = Language.EN
    """What the reply is to be written in; None is a language that nobody here knows."""
    budget_tier: BudgetTier | None = None
    """The tier of what is left of the day's budget; None leaves the choice alone."""


@dataclass(frozen=True, slots=True)
class _Scored:
    """A deployment that may serve the request, with its place among the others."""

    facts: DeploymentFacts
    estimate: Estimate
    parts: tuple[float, float, float, float]
    score: float
    order: tuple[int | float | str, ...]
    """Ascending: the first is asked first."""
    unhealthy: Reason | None

    @property
    def name(self) -> str:
        return self.facts.deployment.name


def rank(
    request: ChatRequest,
    deployments: Iterable[DeploymentFacts],
    *,
    size: PromptSize,
    rules: RankingContext,
    health: Mapping[str, DeploymentHealth],
) -> Plan:
    """Return the plan for a request; its candidates are empty when no deployment may serve it.

    `health` need only name deployments of which something is known.
    """
    ceiling_nusd = _ceiling_nusd(request, rules)
    scored, excluded = _scored(deployments, size, ceiling_nusd, request=request, rules=rules, health=health)
    scored.sort(key=_order)
    if rules.use_case.on_limit is OnLimit.REFUSE:
        scored, refused = _whole_or_none(scored, ceiling_nusd)
        excluded += refused
    healthy = [choice for choice in scored if choice.unhealthy is None]
    chosen, behind = _shortened(healthy, rules)
    reserve = [(choice, choice.unhealthy) for choice in scored if choice.unhealthy is not None]
    excluded += [Excluded(choice.name, reason) for choice, reason in reserve]
    return Plan(
        rules.use_case_name,
        tuple(_candidate(choice, rules) for choice in chosen),
        (*excluded, *behind),
        reserve=tuple(
            _candidate(choice, rules, reserved_for=reason)
            for choice, reason in reserve[: rules.routing.max_candidates]
        ),
    )


def _ceiling_nusd(request: ChatRequest, rules: RankingContext) -> NanoUsd | None:
    limits = (request.max_cost_nusd, rules.ceiling and rules.ceiling[1])
    return min((limit for limit in limits if limit is not None), default=None)


def _requirements(request: ChatRequest, rules: RankingContext) -> Requirements:
    use_case = rules.use_case
    return Requirements(
        needs=rules.needs,
        words_tokens=request.max_tokens or _usual_max_tokens(rules),
        reasons=request.sampling.reasoning_effort != "none",
        pinned=None if rules.pinned is None else frozenset(rules.pinned),
        never_degrade=use_case.never_degrade,
        budget_tier=rules.budget_tier,
        language=rules.language,
    )


def _usual_max_tokens(rules: RankingContext) -> int:
    tier = None if rules.use_case.never_degrade else rules.budget_tier
    share = 1.0 if tier is None else tier.max_tokens_share
    return max(1, round(rules.use_case.max_tokens * share))


def _scored(
    deployments: Iterable[DeploymentFacts],
    size: PromptSize,
    ceiling_nusd: NanoUsd | None,
    *,
    request: ChatRequest,
    rules: RankingContext,
    health: Mapping[str, DeploymentHealth],
) -> tuple[list[_Scored], list[Excluded]]:
    """Return the deployments that may serve the request, scored, and the others with the reason."""
    required, weights = _requirements(request, rules), rules.use_case.weights or rules.routing.weights
    # Nothing is shortened for a use case that would rather be refused.
    shortened_to_nusd = None if rules.use_case.on_limit is OnLimit.REFUSE else ceiling_nusd
    scored: list[_Scored] = []
    excluded: list[Excluded] = []
    for facts in deployments:
        deployment = facts.deployment
        own_size = bounded_for(
            calibrated(size, rules.seen.get(deployment.model_name), input_bound=rules.input_bound),
            deployment.model.most_tokens,
        )
        refusal = why_not(facts, own_size, required)
        if refusal is not None:
            excluded.append(refusal)
            continue
        estimated = estimate(
            own_size,
            price=facts.price,
            output=required.output_of(facts),
            ceiling_nusd=shortened_to_nusd,
        )
        if estimated is None:
            excluded.append(too_dear(facts, own_size, required))
            continue
        conduct = health.get(deployment.name, _NOTHING_KNOWN)
        scored.append(_score(facts, estimated, conduct, rules=rules, weights=weights))
    return scored, excluded


def _score(
    facts: DeploymentFacts,
    estimated: Estimate,
    health: DeploymentHealth,
    *,
    rules: RankingContext,
    weights: Weights,
) -> _Scored:
    parts = (
        facts.quality,
        _cost_score(estimated.expected_nusd),
        _speed_score(facts.deployment, estimated, health),
        facts.specialisation,
    )
    quality, cost, speed, specialisation = parts
    score = round(
        quality * weights.quality
        + cost * weights.cost
        + speed * weights.speed
        + specialisation * weights.specialisation,
        4,
    )
    return _Scored(
        facts,
        estimated,
        parts,
        score,
        order=(*_place(facts, estimated, rules), -score, facts.deployment.name),
        unhealthy=why_unhealthy(health, rules.routing),
    )


def _place(facts: DeploymentFacts, estimated: Estimate, rules: RankingContext) -> tuple[int, int, int, int]:
    if rules.pinned is not None:
        return (0, 0, 0, facts.deployment.provider.priority)
    # The emergency model stays last whatever its score: it is free and fast, and poor.
    cut_short = estimated.clamped_from is not None and rules.use_case.on_limit is OnLimit.CHEAPER
    return (facts.is_emergency, facts.is_below_floor, cut_short, facts.place)


def _order(scored: _Scored) -> tuple[int | float | str, ...]:
    return scored.order


def _whole_or_none(
    scored: list[_Scored], ceiling_nusd: NanoUsd | None
) -> tuple[list[_Scored], list[Excluded]]:
    """Return the deployments that may answer in full, and the rest; none when the first choice may not."""
    short = [
        choice for choice in scored if ceiling_nusd is not None and choice.estimate.bound_nusd > ceiling_nusd
    ]
    whole = [
        choice for choice in scored if ceiling_nusd is None or choice.estimate.bound_nusd <= ceiling_nusd
    ]
    if not short or short[0] is not scored[0]:
        return whole, [Excluded(choice.name, TOO_DEAR) for choice in short]
    first = Excluded(short[0].name, TOO_DEAR, needed_nusd=short[0].estimate.bound_nusd)
    return [], [first, *(Excluded(choice.name, _RATHER_REFUSED) for choice in scored[1:])]


def _shortened(scored: list[_Scored], rules: RankingContext) -> tuple[list[_Scored], list[Excluded]]:
    """Return the plan's first deployments and its emergency ones, and the rest with the reason."""
    if rules.pinned is not None:
        return scored, []
    most = rules.routing.max_candidates
    emergency = [choice for choice in scored if choice.facts.is_emergency]
    others = [choice for choice in scored if not choice.facts.is_emergency]
    room = max(1, most - len(emergency))
    behind = Reason(ReasonKind.BEHIND, f"stands behind the first {most} (routing.max_candidates)")
    return [*others[:room], *emergency], [Excluded(choice.name, behind) for choice in others[room:]]


def _candidate(scored: _Scored, rules: RankingContext, *, reserved_for: Reason | None = None) -> Candidate:
    estimated = scored.estimate
    reasons = _reasons(scored.facts, estimated, is_pinned=rules.pinned is not None)
    if reserved_for is not None:
        reasons = (Reason(ReasonKind.RESERVE, f"in reserve: {reserved_for}"), *reasons)
    return Candidate(
        deployment=scored.name,
        score=scored.score,
        parts={name: round(part, 4) for name, part in zip(_PARTS, scored.parts, strict=True)},
        expected_nusd=estimated.expected_nusd,
        bound_nusd=estimated.bound_nusd,
        input_expected_tokens=estimated.size.input_expected_tokens,
        input_bound_tokens=estimated.size.input_bound_tokens,
        max_tokens=estimated.output.max_tokens,
        reasoning_tokens=estimated.output.reasoning_tokens,
        reasons=reasons,
        pinned=rules.pinned is not None,
        clamped_from=estimated.clamped_from,
    )


def _reasons(facts: DeploymentFacts, estimated: Estimate, *, is_pinned: bool) -> tuple[Reason, ...]:
    own = (_PINNED, *facts.route_reasons) if is_pinned else facts.route_reasons or (facts.other_reason,)
    if estimated.clamped_from is None:
        return (*own, *facts.floor_reasons)
    # The room for reasoning stays as it is; people are told of the words, which they asked for.
    room, most = estimated.output.reasoning_tokens, estimated.output.max_tokens
    lowered = f"max_tokens lowered from {estimated.clamped_from - room} to {most - room} to fit the limit of a request"
    return (*own, *facts.floor_reasons, Reason(ReasonKind.CLAMPED, lowered))


def _cost_score(cost_nusd: NanoUsd) -> float:
    if cost_nusd <= _COST_SCALE_BEST_NUSD:
        return 1.0
    return max(0.0, 1.0 - math.log(cost_nusd / _COST_SCALE_BEST_NUSD) / _COST_SCALE_SPAN)


def _speed_score(deployment: Deployment, estimated: Estimate, health: DeploymentHealth) -> float:
    latency_s = health.latency_s
    if latency_s is None:
        latency_s = (
            _DEFAULT_LATENCY_S + estimated.output.expected_tokens / deployment.model.speed_tokens_per_s
        )
    return 1.0 / (1.0 + latency_s / _SPEED_HALF_S)
