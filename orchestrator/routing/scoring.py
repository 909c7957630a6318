"""One deployment looked at for one request: why it may not serve, or its score and its place.

The score is the weighted sum of four factors, each 0 to 1 on a scale of its own, so that adding a model to
the configuration never changes the score of another:

    quality         the model's quality for the use case
    cost            1 at $0.0001 a request, 0 at $0.10, on a logarithmic scale
    speed           1 for an instant answer, 1/2 at 10 s, 1/(1 + t/10 s)
    specialisation  the place in the use case's route, or a stated strength
"""

import math
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import NamedTuple

from orchestrator.catalog.catalog import Deployment
from orchestrator.catalog.data_policy import Demands
from orchestrator.catalog.models import Capability
from orchestrator.core.language import Language
from orchestrator.core.money import NANO_PER_USD, NanoUsd
from orchestrator.core.plan import Excluded, Reason
from orchestrator.core.prompt_size import InputBound, PromptSize
from orchestrator.core.request import ChatRequest
from orchestrator.ledger.budgets import BudgetTier
from orchestrator.policies.settings import Weights
from orchestrator.routing.eligibility import (
    NOTHING_KNOWN,
    DeploymentHealth,
    KnownHealth,
    Requirements,
    too_dear,
    why_not,
    why_unhealthy,
)
from orchestrator.routing.estimate import Estimate, bounded_for, estimate
from orchestrator.routing.facts import DeploymentFacts
from orchestrator.routing.settings import OnLimit, RoutingSettings, UseCaseSettings
from orchestrator.routing.token_calibration import TokenRatio, calibrated

_COST_SCALE_BEST_NUSD = NANO_PER_USD // 10_000
_COST_SCALE_WORST_NUSD = NANO_PER_USD // 10
_COST_SCALE_SPAN = math.log(_COST_SCALE_WORST_NUSD / _COST_SCALE_BEST_NUSD)
_SPEED_HALF_S = 10.0
_DEFAULT_LATENCY_S = 0.8

Parts = tuple[float, float, float, float]
"""The four factors of a score, in the order of `FACTORS`."""

NOTHING_SEEN: Mapping[str, TokenRatio] = MappingProxyType({})


class RankingContext(NamedTuple):
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
    seen: Mapping[str, TokenRatio] = NOTHING_SEEN
    """What each model was seen to count in prompts of this script."""
    input_bound: InputBound = InputBound.BYTES
    language: Language | None = Language.EN
    """What the reply is to be written in; None is a language that nobody here knows."""
    evident_language: Language | None = Language.EN
    """The same where it was named or the user's words show it; None is any other."""
    budget_tier: BudgetTier | None = None
    """The tier of what is left of the day's budget; None leaves the choice alone."""
    demands: tuple[Demands, ...] = ()
    """What its use case and its tenant demand of every deployment."""


class Scored(NamedTuple):
    """A deployment that may serve the request, with its place among the others."""

    facts: DeploymentFacts
    estimate: Estimate
    parts: Parts
    score: float
    order: tuple[int | float | str, ...]
    """Ascending: the first is asked first."""
    unhealthy: Reason | None

    @property
    def name(self) -> str:
        """Return the name of the deployment."""
        return self.facts.deployment.name

    def as_of(self, facts: DeploymentFacts, order: tuple[int | float | str, ...]) -> "Scored":
        """Return the same of a deployment that differs in its name alone."""
        return Scored(facts, self.estimate, self.parts, self.score, order, self.unhealthy)


class Question(NamedTuple):
    """What every deployment is looked at by for one request."""

    size: PromptSize
    required: Requirements
    ceiling_nusd: NanoUsd | None
    """What the request may cost at most."""
    rules: RankingContext
    health: KnownHealth
    weights: Weights
    """What counts how much in a score."""


def question_of(
    request: ChatRequest, *, size: PromptSize, rules: RankingContext, health: KnownHealth
) -> Question:
    """Return what a request asks of every deployment."""
    weights = rules.use_case.weights_in_force or rules.routing.weights
    return Question(
        size, _requirements(request, rules), _ceiling_nusd(request, rules), rules, health, weights
    )


def look_at(facts: DeploymentFacts, question: Question) -> Scored | Excluded:
    """Return a deployment with its score and place, or why it cannot or may not serve."""
    deployment, rules, required, own_size = facts.deployment, question.rules, question.required, question.size
    seen = rules.seen.get(deployment.model_name)
    if seen is not None:
        own_size = calibrated(own_size, seen, input_bound=rules.input_bound)
    if own_size.has_files:
        own_size = bounded_for(own_size, deployment.model.most_tokens)
    output = required.output_of(facts)
    refusal = why_not(facts, own_size, required, output_tokens=output.max_tokens)
    if refusal is not None:
        return refusal
    estimated = estimate(
        own_size,
        price=facts.price,
        output=output,
        # Nothing is shortened for a use case that would rather be refused.
        ceiling_nusd=None if rules.use_case.on_limit.choose is OnLimit.REFUSE else question.ceiling_nusd,
    )
    if estimated is None:
        return too_dear(facts, own_size, required)
    return _score(facts, estimated, question)


def score_of(parts: Parts, weights: Weights) -> float:
    """Return the weighted sum of the four factors; it never falls when one of them rises."""
    quality, cost, speed, specialisation = parts
    return round(
        quality * weights.quality
        + cost * weights.cost
        + speed * weights.speed
        + specialisation * weights.specialisation,
        4,
    )


def best_place(facts: DeploymentFacts, weights: Weights) -> tuple[int | float, ...]:
    """Return a place before which a deployment never stands, whatever is asked or known of it."""
    score = score_of((facts.quality, 1.0, 1.0, facts.specialisation), weights)
    return (facts.is_emergency, facts.is_below_floor, False, facts.place, -score)


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
        evident_language=rules.evident_language,
        demands=rules.demands,
    )


def _usual_max_tokens(rules: RankingContext) -> int:
    tier = None if rules.use_case.never_degrade else rules.budget_tier
    share = 1.0 if tier is None else tier.max_tokens_share
    return max(1, round(rules.use_case.max_tokens * share))


def _score(facts: DeploymentFacts, estimated: Estimate, question: Question) -> Scored:
    health = question.health.of(facts.deployment.name)
    parts = (
        facts.quality,
        _cost_score(estimated.expected_nusd),
        _speed_score(facts.deployment, estimated, health),
        facts.specialisation,
    )
    score = score_of(parts, question.weights)
    return Scored(
        facts,
        estimated,
        parts,
        score,
        (*_place(facts, estimated, question.rules), -score, facts.deployment.name),
        None if health is NOTHING_KNOWN else why_unhealthy(health, question.rules.routing),
    )


def _place(facts: DeploymentFacts, estimated: Estimate, rules: RankingContext) -> tuple[int, int, int, int]:
    if rules.pinned is not None:
        return (0, 0, 0, facts.deployment.provider.priority)
    # The emergency model stays last whatever its score: it is free and fast, and poor.
    cut_short = estimated.clamped_from is not None and rules.use_case.on_limit.choose is OnLimit.CHEAPER
    return (facts.is_emergency, facts.is_below_floor, cut_short, facts.place)


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
