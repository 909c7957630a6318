"""What would have made another deployment the first of a plan, and what each factor contributes."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from orchestrator.core.plan import Candidate, LeftOut, Plan, ReasonKind

_SHOWN_MAX = 3
_SHOWN_LEAST = 0.005
"""What is less reads as nothing in two digits."""
_LEFT_OUT_MAX = 8
_HEALTH = frozenset({ReasonKind.CIRCUIT_OPEN, ReasonKind.PROVIDER_CIRCUIT_OPEN, ReasonKind.LOW_AVAILABILITY})


def shares_of(candidate: Candidate, weights: Mapping[str, float]) -> dict[str, float]:
    """Return what each factor adds to a candidate's score; together they are the score."""
    return {name: round(part * weights.get(name, 0.0), 4) for name, part in candidate.parts.items()}


def plain_choice(plan: Plan, deployment: str) -> dict[str, Any]:
    """Return in short why a deployment answered, and who was left out, as plain data.

    Of those left out it names who was looked at: the route, and who might have come before the chosen.
    """
    chosen = next((each for each in plan.asked if each.deployment == deployment), None)
    excluded = plan.excluded.noted.values() if isinstance(plan.excluded, LeftOut) else plan.excluded
    analysis = plan.analysis
    return {
        "chosen": deployment,
        "why": [] if chosen is None else [reason.text for reason in chosen.reasons],
        "score": None if chosen is None else chosen.score,
        "shares": {} if chosen is None else shares_of(chosen, plan.weights),
        "complexity": None if analysis is None else analysis.complexity.value,
        "urgency": None if analysis is None else analysis.urgency.value,
        "language": None if analysis is None else analysis.language,
        "left_out": [
            {"deployment": each.deployment, "kind": each.reason.kind.value, "reason": each.reason.text}
            for each in islice(excluded, _LEFT_OUT_MAX)
        ],
    }


def what_would_change(plan: Plan) -> tuple[str, ...]:
    """Return what would have made others the first choice, in words for people."""
    return tuple(_changes(plan))[: 2 * _SHOWN_MAX] if plan.asked else ()


def _changes(plan: Plan) -> Iterator[str]:
    first, *others = plan.candidates or plan.asked
    if first.pinned:
        yield "another model, where the request names none: it asked for this one"
        return
    for other in others[:_SHOWN_MAX]:
        gap = first.score - other.score
        if gap < 0:
            yield (
                f"{other.deployment}, by its score alone ({other.score:.3f} beside {first.score:.3f}): the order "
                "of the use case stands before the score"
            )
        elif ways := _ways(other, gap, plan.weights):
            yield f"{other.deployment}, by score, with {' or '.join(ways)}"
    if others:
        yield f"{others[0].deployment}, were {first.deployment} out, too dear or left out"
    for excluded in plan.excluded[:_SHOWN_MAX] if len(plan.excluded) else ():
        if excluded.reason.kind in _HEALTH:
            yield f"perhaps {excluded.deployment}, were it well again: {excluded.reason}"


def _ways(other: Candidate, gap: float, weights: Mapping[str, float]) -> list[str]:
    """Return by how much one factor alone would have to be better; those that cannot be are left out."""
    return [
        f"{'less than 0.01' if gap / weight < _SHOWN_LEAST else f'{gap / weight:.2f}'} more {name}"
        for name, part in other.parts.items()
        if (weight := weights.get(name, 0.0)) and part + gap / weight <= 1
    ]
