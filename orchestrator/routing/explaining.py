"""What would have made another deployment the first of a plan, and what each factor contributes."""

from collections.abc import Iterator, Mapping

from orchestrator.core.plan import Candidate, Plan, ReasonKind

_SHOWN_MAX = 3
_HEALTH = frozenset({ReasonKind.CIRCUIT_OPEN, ReasonKind.PROVIDER_CIRCUIT_OPEN, ReasonKind.LOW_AVAILABILITY})


def shares_of(candidate: Candidate, weights: Mapping[str, float]) -> dict[str, float]:
    """Return what each factor adds to a candidate's score; together they are the score."""
    return {name: round(part * weights.get(name, 0.0), 4) for name, part in candidate.parts.items()}


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
        f"{gap / weight:.2f} more {name}"
        for name, part in other.parts.items()
        if (weight := weights.get(name, 0.0)) and part + gap / weight <= 1
    ]
