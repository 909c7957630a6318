"""Which deployments a request is put to, in which order, and why.

`rank` filters what cannot or may not serve the request, scores the rest, and orders it. What is left
out for its health alone is the plan's reserve. The score is the weighted sum of four factors, each 0 to 1 on a scale of its own, so that adding a model to
the configuration never changes the score of another:

    quality         the model's quality for the use case
    cost            1 at $0.0001 a request, 0 at $0.10, on a logarithmic scale
    speed           1 for an instant answer, 1/2 at 10 s, 1/(1 + t/10 s)
    specialisation  the place in the use case's route, or a stated strength

With `order: route` the use case's own order stands and the score is shown beside it; what the
route does not name comes after it. With `order: score` the score decides. Where the request's money
would not reach for the whole answer, `on_limit` decides: such a place comes behind those where it
does, or stays where it is with a shorter answer, or nobody is asked at all.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field, PositiveInt, model_validator

from orchestrator.catalog.catalog import Capability, Deployment, ModelClass
from orchestrator.core.money import NANO_PER_USD, NanoUsd
from orchestrator.core.plan import Candidate, Excluded, Plan
from orchestrator.core.prompt_size import InputBound, PromptSize
from orchestrator.core.request import ChatRequest
from orchestrator.core.settings import Name, Seconds, Settings, Share
from orchestrator.ledger.budgets import BudgetTier
from orchestrator.routing.estimate import MIN_OUTPUT_TOKENS, Estimate, estimate
from orchestrator.routing.token_calibration import TokenRatio, calibrated

_COST_SCALE_BEST_NUSD = NANO_PER_USD // 10_000
_COST_SCALE_WORST_NUSD = NANO_PER_USD // 10
_SPEED_HALF_S = 10.0
_DEFAULT_LATENCY_S = 0.8
_STRENGTH_WITHOUT_ROUTE = 0.5
_TOO_DEAR = "costs more than one request may"


class RouteOrder(StrEnum):
    """Who decides the order of a plan."""

    ROUTE = "route"
    SCORE = "score"


class OnLimit(StrEnum):
    """What is done when an answer of full length could cost more than one request may."""

    CHEAPER = "cheaper"
    """A cheaper suitable model answers in full; max_tokens is lowered only where there is none."""
    CLAMP = "clamp"
    """The chosen model stays, its max_tokens lowered."""
    REFUSE = "refuse"
    """The request is refused: neither a shorter answer nor another model will do."""


class Weights(Settings):
    """What counts how much in a score; the four add up to 1."""

    quality: Share = 0.4
    """How good the model is at the use case."""
    cost: Share = 0.3
    """How little the request will cost."""
    speed: Share = 0.2
    """How soon the answer is there."""
    specialisation: Share = 0.1
    """Its place in the route, or a stated strength."""

    @model_validator(mode="after")
    def _add_up(self) -> "Weights":
        total = self.quality + self.cost + self.speed + self.specialisation
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            msg = f"the four weights must add up to 1, these add up to {total:g}"
            raise ValueError(msg)
        return self


class RoutingSettings(Settings):
    """How deployments are chosen."""

    weights: Weights = Weights()
    """What counts how much in a score."""
    min_availability: Share = 0.95
    """A deployment that answered a smaller part of its recent requests is left out."""
    min_samples: PositiveInt = 20
    """With fewer recent requests than this a deployment counts as available."""
    availability_window_s: Seconds = 600.0
    """How far back requests count as recent."""
    max_candidates: PositiveInt = 6
    """How many deployments a plan holds at most, the emergency model among them."""


class RouteStep(Settings):
    """One place of a use case's route, with the reason for it."""

    deployment: Name
    """One of `deployments`."""
    reason: Annotated[str, Field(min_length=1)]
    """Why it stands here, shown with every plan."""


class UseCaseSettings(Settings):
    """What a use case asks for and whom it asks."""

    description: str = ""
    """What it is for, for people."""
    primary: RouteStep
    """Who is asked first."""
    fallbacks: tuple[RouteStep, ...] = ()
    """Who is asked next, in this order."""
    order: RouteOrder = RouteOrder.ROUTE
    """route: as written here. score: best score first."""
    quality_floor: Share = 0.0
    """Models below this quality are used only when nothing better is left, and the reply says degraded."""
    max_tokens: PositiveInt = 1024
    """The output limit of a request that sets none."""
    profile: Name = "interactive"
    """The retry profile."""
    deadline_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Seconds for a whole request; None is what its retry profile says."""
    weights: Weights | None = None
    """Replaces routing.weights for this use case."""
    on_limit: OnLimit = OnLimit.CHEAPER
    """What to do when an answer of max_tokens could cost more than one request may: cheaper, clamp or refuse."""
    never_degrade: bool = False
    """No budget tier and no last resort: its own models or an error; its limits hold all the same."""
    graceful: bool = False
    """When nobody answers, requests for plain text get an apology as a reply; a request may say otherwise."""
    cache_ttl_s: Seconds | None = None
    """How long a reply may be repeated from the cache; 0 is never, None is cache.ttl_s."""

    @property
    def route(self) -> tuple[RouteStep, ...]:
        """Return primary and fallbacks in their order."""
        return (self.primary, *self.fallbacks)


@dataclass(frozen=True, slots=True)
class DeploymentHealth:
    """What is known of a deployment's recent conduct."""

    availability: float | None = None
    """The part of recent requests it answered; None with too few samples."""
    latency_s: float | None = None
    """Recent median; None when unknown."""
    circuit_open: bool = False
    provider_open: bool = False
    """The circuit of its whole provider is open."""


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
    budget_tier: BudgetTier | None = None
    """The tier of what is left of the day's budget; None leaves the choice alone."""


def rank(
    request: ChatRequest,
    deployments: Sequence[Deployment],
    *,
    size: PromptSize,
    rules: RankingContext,
    vitals: Mapping[str, DeploymentHealth],
) -> Plan:
    """Return the plan for a request; its candidates are empty when nothing may serve it."""
    wanted = request.max_tokens or _usual_max_tokens(rules)
    ceilings = [
        limit for limit in (request.max_cost_nusd, rules.ceiling and rules.ceiling[1]) if limit is not None
    ]
    ceiling = min(ceilings, default=None)
    # Nothing is shortened for a use case that would rather be refused.
    shortened_to = None if rules.use_case.on_limit is OnLimit.REFUSE else ceiling
    kept: list[tuple[Deployment, Estimate]] = []
    excluded: list[Excluded] = []
    ill: dict[str, str] = {}
    for one in deployments:
        own = calibrated(size, rules.seen.get(one.model_name), input_bound=rules.input_bound)
        refused = _why_not(one, own, wanted=wanted, rules=rules)
        if refused is None:
            found = _estimate(one, own, wanted=wanted, ceiling=shortened_to, today=rules.today)
            if found is not None:
                kept.append((one, found))
                illness = _illness(vitals.get(one.name, DeploymentHealth()), rules)
                if illness is not None:
                    ill[one.name] = illness
                continue
            refused = _too_dear(one, own, wanted=wanted, rules=rules)
        excluded.append(refused)
    weights = rules.use_case.weights or rules.routing.weights
    scored = [
        _candidate(one, found, rules=rules, weights=weights, vitals=vitals.get(one.name, DeploymentHealth()))
        for one, found in kept
    ]
    places = {one.name: _place(one, found, rules) for one, found in kept}
    scored.sort(key=lambda candidate: (*places[candidate.deployment], -candidate.score, candidate.deployment))
    if rules.use_case.on_limit is OnLimit.REFUSE:
        scored, more_excluded = _whole_or_none(scored, ceiling)
        excluded += more_excluded
    well = [one for one in scored if one.deployment not in ill]
    chosen, left_out = _shortened(well, places, rules)
    reserve = [one for one in scored if one.deployment in ill]
    excluded += [Excluded(one.deployment, ill[one.deployment]) for one in reserve]
    return Plan(
        rules.use_case_name,
        tuple(chosen),
        (*excluded, *left_out),
        reserve=tuple(_reserved(one, ill[one.deployment]) for one in reserve[: rules.routing.max_candidates]),
    )


def _illness(vitals: DeploymentHealth, rules: RankingContext) -> str | None:
    """Return why a deployment's recent conduct leaves it out, None when it is well."""
    seen, least = vitals.availability, rules.routing.min_availability
    if vitals.provider_open:
        return "circuit of its whole provider open after repeated failures"
    if vitals.circuit_open:
        return "circuit open after repeated failures"
    return f"availability {seen:.0%} is under {least:.0%}" if seen is not None and seen < least else None


def _reserved(one: Candidate, illness: str) -> Candidate:
    return replace(one, reasons=(f"in reserve: {illness}", *one.reasons))


def _whole_or_none(
    scored: list[Candidate], ceiling: NanoUsd | None
) -> tuple[list[Candidate], list[Excluded]]:
    """Return the candidates that may answer in full, and the rest; none when the first choice may not."""
    short = [one for one in scored if ceiling is not None and one.bound_nusd > ceiling]
    whole = [one for one in scored if one not in short]
    if not short or short[0] is not scored[0]:
        return whole, [Excluded(one.deployment, _TOO_DEAR) for one in short]
    reason = "its use case would rather be refused than take another model (on_limit)"
    first = Excluded(short[0].deployment, _TOO_DEAR, needed_nusd=short[0].bound_nusd)
    return [], [first, *(Excluded(one.deployment, reason) for one in scored[1:])]


def _usual_max_tokens(rules: RankingContext) -> int:
    tier = None if rules.use_case.never_degrade else rules.budget_tier
    share = 1.0 if tier is None else tier.max_tokens_share
    return max(1, round(rules.use_case.max_tokens * share))


def _shortened(
    scored: list[Candidate], places: Mapping[str, tuple[int, ...]], rules: RankingContext
) -> tuple[list[Candidate], list[Excluded]]:
    """Return the plan's first candidates and its emergency ones, and the rest with the reason."""
    if rules.pinned is not None:
        return scored, []
    emergency = [one for one in scored if places[one.deployment][0]]
    others = [one for one in scored if not places[one.deployment][0]]
    room = max(1, rules.routing.max_candidates - len(emergency))
    reason = f"stands behind the first {rules.routing.max_candidates} (routing.max_candidates)"
    return [*others[:room], *emergency], [Excluded(one.deployment, reason) for one in others[room:]]


def _estimate(
    one: Deployment, size: PromptSize, *, wanted: int, ceiling: NanoUsd | None, today: date
) -> Estimate | None:
    return estimate(size, model=one.model, price=one.price.on(today), max_tokens=wanted, ceiling_nusd=ceiling)


def _why_not(one: Deployment, size: PromptSize, *, wanted: int, rules: RankingContext) -> Excluded | None:
    model = one.model
    missing = rules.needs - model.capabilities
    needed = size.input_expected_tokens + min(wanted, model.max_output_tokens)
    too_small = needed > model.context_tokens
    reasons = (
        (rules.pinned is not None and one.name not in rules.pinned, "another model was asked for by name"),
        (
            rules.use_case.never_degrade and rules.pinned is None and model.tier is ModelClass.EMERGENCY,
            "this use case never degrades, and this is the emergency model",
        ),
        (_too_good(one, rules), "kept for a fuller budget: little is left of the day's"),
        (bool(missing), f"cannot: {', '.join(sorted(missing))}"),
        (too_small, f"needs about {needed:,} tokens, its context holds {model.context_tokens:,}"),
        (model.ends is not None and model.ends < rules.today, f"switched off by its vendor on {model.ends}"),
    )
    reason = next((reason for applies, reason in reasons if applies), None)
    return None if reason is None else Excluded(one.name, reason, too_small=too_small)


def _too_dear(one: Deployment, size: PromptSize, *, wanted: int, rules: RankingContext) -> Excluded:
    least = one.price.on(rules.today).bound_of(
        input_tokens=size.input_bound_tokens, output_tokens=min(wanted, MIN_OUTPUT_TOKENS)
    )
    return Excluded(one.name, _TOO_DEAR, needed_nusd=least)


def _too_good(one: Deployment, rules: RankingContext) -> bool:
    """Return whether what is left of the day's budget is too little for this class of model."""
    if rules.budget_tier is None or rules.pinned is not None or rules.use_case.never_degrade:
        return False
    classes = tuple(ModelClass)
    return classes.index(one.model.tier) < classes.index(rules.budget_tier.best)


def _place(one: Deployment, found: Estimate, rules: RankingContext) -> tuple[int, ...]:
    if rules.pinned is not None:
        return (0, 0, 0, one.provider.priority)
    # The emergency model stays last whatever its score: it is free and fast, and poor.
    emergency = int(one.model.tier is ModelClass.EMERGENCY)
    below_floor = int(_quality(one, rules) < rules.use_case.quality_floor)
    cut_short = int(found.clamped_from is not None and rules.use_case.on_limit is OnLimit.CHEAPER)
    names = [step.deployment for step in rules.use_case.route]
    by_route = names.index(one.name) if one.name in names else len(names)
    return (emergency, below_floor, cut_short, 0 if rules.use_case.order is RouteOrder.SCORE else by_route)


def _candidate(
    one: Deployment, found: Estimate, *, rules: RankingContext, weights: Weights, vitals: DeploymentHealth
) -> Candidate:
    parts = {
        "quality": _quality(one, rules),
        "cost": _cost_score(found.expected_nusd),
        "speed": _speed_score(one, found, vitals),
        "specialisation": _specialisation(one, rules),
    }
    score = sum(parts[name] * getattr(weights, name) for name in parts)
    return Candidate(
        deployment=one.name,
        score=round(score, 4),
        parts={name: round(value, 4) for name, value in parts.items()},
        expected_nusd=found.expected_nusd,
        bound_nusd=found.bound_nusd,
        input_expected_tokens=found.size.input_expected_tokens,
        input_bound_tokens=found.size.input_bound_tokens,
        max_tokens=found.max_tokens,
        reasons=_reasons(one, found, rules),
    )


def _quality(one: Deployment, rules: RankingContext) -> float:
    return one.model.quality.get(rules.use_case_name, min(one.model.quality.values(), default=0.0))


def _cost_score(cost: NanoUsd) -> float:
    if cost <= _COST_SCALE_BEST_NUSD:
        return 1.0
    span = math.log(_COST_SCALE_WORST_NUSD / _COST_SCALE_BEST_NUSD)
    return max(0.0, 1.0 - math.log(cost / _COST_SCALE_BEST_NUSD) / span)


def _speed_score(one: Deployment, found: Estimate, vitals: DeploymentHealth) -> float:
    planned_s = _DEFAULT_LATENCY_S + found.max_tokens * 0.4 / one.model.speed_tokens_per_s
    latency_s = vitals.latency_s if vitals.latency_s is not None else planned_s
    return 1.0 / (1.0 + latency_s / _SPEED_HALF_S)


def _specialisation(one: Deployment, rules: RankingContext) -> float:
    route = [step.deployment for step in rules.use_case.route]
    if one.name in route:
        return 1.0 - route.index(one.name) / (2 * len(route))
    return _STRENGTH_WITHOUT_ROUTE if rules.use_case_name in one.model.strengths else 0.0


def _reasons(one: Deployment, found: Estimate, rules: RankingContext) -> tuple[str, ...]:
    reasons = [step.reason for step in rules.use_case.route if step.deployment == one.name]
    if rules.pinned is not None:
        reasons.insert(0, "asked for by name")
    if not reasons:
        strength = one.model.strengths.get(rules.use_case_name)
        reasons.append(strength or "not in the route; used when the route is exhausted")
    if _quality(one, rules) < rules.use_case.quality_floor:
        reasons.append(f"below the quality floor {rules.use_case.quality_floor:g} of the use case")
    if found.clamped_from is not None:
        reasons.append(
            f"max_tokens lowered from {found.clamped_from} to {found.max_tokens} to fit the limit of a request"
        )
    return tuple(reasons)
