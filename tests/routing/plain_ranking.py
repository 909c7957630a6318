"""The plan of a request, ranked the plain way: every deployment scored from the configuration, for each request.

What the program computes once for a configuration must make no difference; this is what it is compared with.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date

from orchestrator.catalog.catalog import Deployment
from orchestrator.catalog.models import ModelClass
from orchestrator.core.money import NANO_PER_USD, NanoUsd
from orchestrator.core.plan import Candidate, Excluded, Plan
from orchestrator.core.prompt_size import PromptSize
from orchestrator.core.reply import Usage
from orchestrator.core.request import ChatRequest
from orchestrator.routing.eligibility import DeploymentHealth
from orchestrator.routing.estimate import MIN_OUTPUT_TOKENS, Estimate, OutputLimit
from orchestrator.routing.scoring import RankingContext
from orchestrator.routing.settings import OnLimit, RouteOrder, Weights
from orchestrator.routing.token_calibration import calibrated

TOO_DEAR = "costs more than one request may"


def plain_rank(
    request: ChatRequest,
    deployments: Sequence[Deployment],
    *,
    size: PromptSize,
    rules: RankingContext,
    vitals: Mapping[str, DeploymentHealth],
) -> Plan:
    """Return the plan for a request; its candidates are empty when nothing may serve it."""
    words = request.max_tokens or _usual_max_tokens(rules)
    reasons = request.sampling.reasoning_effort != "none"
    ceilings = [
        limit for limit in (request.max_cost_nusd, rules.ceiling and rules.ceiling[1]) if limit is not None
    ]
    ceiling = min(ceilings, default=None)
    # Nothing is shortened for a use case that would rather be refused.
    shortened_to = None if rules.use_case.on_limit.choose is OnLimit.REFUSE else ceiling
    kept: list[tuple[Deployment, Estimate]] = []
    excluded: list[Excluded] = []
    ill: dict[str, str] = {}
    for one in deployments:
        own = calibrated(size, rules.seen.get(one.model_name), input_bound=rules.input_bound)
        wanted = plain_output(one.model, words, reasons=reasons)
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
    if rules.use_case.on_limit.choose is OnLimit.REFUSE:
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
    return one._replace(reasons=(f"in reserve: {illness}", *one.reasons))


def _whole_or_none(
    scored: list[Candidate], ceiling: NanoUsd | None
) -> tuple[list[Candidate], list[Excluded]]:
    """Return the candidates that may answer in full, and the rest; none when the first choice may not."""
    short = [one for one in scored if ceiling is not None and one.bound_nusd > ceiling]
    whole = [one for one in scored if one not in short]
    if not short or short[0] is not scored[0]:
        return whole, [Excluded(one.deployment, TOO_DEAR) for one in short]
    reason = "its use case would rather be refused than take another model (on_limit)"
    first = Excluded(short[0].deployment, TOO_DEAR, needed_nusd=short[0].bound_nusd)
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
    one: Deployment, size: PromptSize, *, wanted: OutputLimit, ceiling: NanoUsd | None, today: date
) -> Estimate | None:
    return plain_estimate(size, price=one.price.on(today), wanted=wanted, ceiling_nusd=ceiling)


def _why_not(
    one: Deployment, size: PromptSize, *, wanted: OutputLimit, rules: RankingContext
) -> Excluded | None:
    model = one.model
    missing = rules.needs - model.capabilities
    needed = size.input_expected_tokens + wanted.max_tokens
    too_small = needed > model.context_tokens
    reasons = (
        (rules.pinned is not None and one.name not in rules.pinned, "another model was asked for by name"),
        (
            rules.use_case.never_degrade and rules.pinned is None and model.tier is ModelClass.EMERGENCY,
            "this use case never degrades, and this is the emergency model",
        ),
        (
            rules.pinned is None
            and model.tier is ModelClass.EMERGENCY
            and rules.evident_language not in model.languages,
            _not_spoken(one, rules),
        ),
        (_too_good(one, rules), "kept for a fuller budget: little is left of the day's"),
        (bool(missing), f"cannot: {', '.join(sorted(missing))}"),
        (too_small, f"needs about {needed:,} tokens, its context holds {model.context_tokens:,}"),
        (model.ends is not None and model.ends < rules.today, f"switched off by its vendor on {model.ends}"),
    )
    reason = next((reason for applies, reason in reasons if applies), None)
    return None if reason is None else Excluded(one.name, reason, too_small=too_small)


def _not_spoken(one: Deployment, rules: RankingContext) -> str:
    wanted = (
        "a language that is not known here"
        if rules.evident_language is None
        else f"'{rules.evident_language}'"
    )
    written = ", ".join(one.model.languages)
    return f"the reply is to be in {wanted}, and the emergency model writes {written} alone"


def _too_dear(one: Deployment, size: PromptSize, *, wanted: OutputLimit, rules: RankingContext) -> Excluded:
    least = one.price.on(rules.today).bound_of(
        input_tokens=size.input_bound_tokens, output_tokens=_least(wanted)
    )
    return Excluded(one.name, TOO_DEAR, needed_nusd=least)


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
    cut_short = int(found.clamped_from is not None and rules.use_case.on_limit.choose is OnLimit.CHEAPER)
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
        factors=tuple(round(value, 4) for value in parts.values()),
        expected_nusd=found.expected_nusd,
        bound_nusd=found.bound_nusd,
        input_expected_tokens=found.size.input_expected_tokens,
        input_bound_tokens=found.size.input_bound_tokens,
        max_tokens=found.output.max_tokens,
        reasoning_tokens=found.output.reasoning_tokens,
        reasons=_reasons(one, found, rules),
    )


def _quality(one: Deployment, rules: RankingContext) -> float:
    return one.model.quality.get(rules.use_case_name, min(one.model.quality.values(), default=0.0))


def _cost_score(cost: NanoUsd) -> float:
    if cost <= NANO_PER_USD // 10_000:
        return 1.0
    span = math.log((NANO_PER_USD // 10) / (NANO_PER_USD // 10_000))
    return max(0.0, 1.0 - math.log(cost / (NANO_PER_USD // 10_000)) / span)


def _speed_score(one: Deployment, found: Estimate, vitals: DeploymentHealth) -> float:
    planned_s = 0.8 + _expected_output(found.output) / one.model.speed_tokens_per_s
    latency_s = vitals.latency_s if vitals.latency_s is not None else planned_s
    return 1.0 / (1.0 + latency_s / 10.0)


def _specialisation(one: Deployment, rules: RankingContext) -> float:
    route = [step.deployment for step in rules.use_case.route]
    if one.name in route:
        return 1.0 - route.index(one.name) / (2 * len(route))
    return 0.5 if rules.use_case_name in one.model.strengths else 0.0


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
            f"max_tokens lowered from {found.clamped_from - found.output.reasoning_tokens} to "
            f"{found.output.max_tokens - found.output.reasoning_tokens} to fit the limit of a request"
        )
    return tuple(reasons)


def plain_output(model, words, *, reasons=True):
    """Return what is asked for: the words, and as much of the room for reasoning as the model writes."""
    words = min(words, model.max_output_tokens)
    total = min(words + (model.reasoning_tokens if reasons else 0), model.max_output_tokens)
    return OutputLimit(total, total - words)


def _least(wanted):
    # Without the whole room for reasoning, and some words behind it, nothing is worth asking for.
    return min(wanted.max_tokens, wanted.reasoning_tokens + MIN_OUTPUT_TOKENS)


def _expected_output(output):
    return (output.max_tokens - output.reasoning_tokens) * 0.4 + output.reasoning_tokens * 0.25


def plain_estimate(size, *, price, wanted, ceiling_nusd):
    """Return the estimate on one deployment, by the price itself."""
    full = wanted.max_tokens

    def bound(output_tokens):
        return price.bound_of(input_tokens=size.input_bound_tokens, output_tokens=output_tokens)

    low, high = (full, full) if ceiling_nusd is None or bound(full) <= ceiling_nusd else (0, full)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if bound(middle) <= ceiling_nusd else (low, middle - 1)
    allowed = low
    if allowed < _least(wanted):
        return None
    output = OutputLimit(allowed, wanted.reasoning_tokens)
    usage = Usage(size.input_expected_tokens, max(1, round(_expected_output(output))))
    return Estimate(
        size=size,
        output=output,
        bound_nusd=bound(allowed),
        expected_nusd=price.cost_of(usage),
        clamped_from=full if allowed < full else None,
    )
