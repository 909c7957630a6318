"""What is kept of a plan: deployments, scores, bounds and kinds of reasons, in some hundred bytes a request.

No words: what people read is made anew from the kinds, so no prompt and no text of config.yaml is in it. Only
why a deployment was passed over on the way is kept as it was said, because it has no kind.

Most plans of a use case have the same deployments for the same reasons. That is the shape of a plan, which is
kept once; each request has the key of its shape, and its own numbers. Sizes have a bound: of each list the
first `KEPT_MAX` are named, and of those left out whose reason says nothing of them (a plan that is full,
another model that was named) there is only the count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Self

import orjson

from orchestrator.core.decision import Decision
from orchestrator.core.errors import FailedStep
from orchestrator.core.money import NanoUsd
from orchestrator.core.plan import Candidate, Plan, ReasonKind
from orchestrator.core.request import ChatRequest

KEPT_MAX = 16
_REASON_MAX = 100
"""Characters of why a deployment was passed over."""
_COUNTED = frozenset({ReasonKind.BEHIND, ReasonKind.OTHER_MODEL_PINNED})
_THOUSANDTHS = 1000

_Named = tuple[tuple[str, tuple[ReasonKind, ...]], ...]
"""Deployments, each with the kinds of its reasons."""


@dataclass(frozen=True, slots=True)
class PackedPlan:
    """A plan as the ledger keeps it."""

    shape_key: int
    """Of 63 bits, made of the shape."""
    shape: str
    """Who was to be asked and who was left out, with kinds of reasons, as JSON."""
    numbers: str
    """Scores, bounds, and who was passed over, as JSON."""


@dataclass(frozen=True, slots=True)
class KeptCandidate:
    """A deployment that might be asked, in its place."""

    deployment: str
    score: float
    bound_nusd: NanoUsd
    """The most the request could cost there."""
    reasons: tuple[str, ...]
    """Kinds of reasons, as `core.plan.ReasonKind` has them."""
    is_reserve: bool = False
    """Left out for its health alone, to be asked when all others failed."""


@dataclass(frozen=True, slots=True)
class KeptStep:
    """A deployment that was left out of the plan, or passed over on the way, and why."""

    deployment: str
    reason: str
    """Left out: a kind of reason. Passed over: what was said."""


@dataclass(frozen=True, slots=True)
class KeptVote:
    """What became of one model that a policy asked."""

    deployment: str
    role: str
    """As `core.decision.VoteRole` has it."""
    outcome: str
    """As `core.decision.VoteOutcome` has it."""
    group: int | None
    """Equal numbers gave equal values; None where it gave none."""
    cost_nusd: NanoUsd
    """Of all its attempts."""


@dataclass(frozen=True, slots=True)
class KeptDecision:
    """How a policy came to its answer."""

    policy: str
    version: str
    accepted_for: str
    """As `core.decision.AcceptedFor` has it."""
    votes: tuple[KeptVote, ...]


@dataclass(frozen=True, slots=True)
class OwnTerms:
    """What a request asked for itself; None where it left that to its use case."""

    model: str | None = None
    max_tokens: int | None = None
    max_cost_nusd: NanoUsd | None = None
    deadline_s: float | None = None

    @classmethod
    def of(cls, request: ChatRequest) -> Self:
        """Return those of a request."""
        return cls(request.model, request.max_tokens, request.max_cost_nusd, request.deadline_s)


NO_TERMS = OwnTerms()


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """Why a request went where it went."""

    candidates: tuple[KeptCandidate, ...]
    """In the order in which they were to be asked."""
    left_out: tuple[KeptStep, ...]
    left_out_more: Mapping[str, int]
    """How many more were left out than are named, by kind of reason."""
    passed_over: tuple[KeptStep, ...]
    """Not asked when it was their turn."""
    decision: KeptDecision | None = None
    """Of a policy that asks several models."""
    terms: OwnTerms = NO_TERMS


def packed_plan(
    plan: Plan,
    passed_over: Sequence[FailedStep] = (),
    *,
    decision: Decision | None = None,
    terms: OwnTerms = NO_TERMS,
) -> PackedPlan:
    """Return what is kept of a plan, of the way along it, of the votes, and of what was asked for."""
    candidates, reserve = plan.candidates[:KEPT_MAX], plan.reserve[:KEPT_MAX]
    key, shape = _shape(_named(candidates), _named(reserve), *plan.left_out_kinds)
    numbers: list[Any] = [
        [(round(step.score * _THOUSANDTHS), step.bound_nusd) for step in (*candidates, *reserve)]
    ]
    has_terms = terms != NO_TERMS
    if passed_over or decision is not None or has_terms:
        numbers.append([(step.deployment, step.reason[:_REASON_MAX]) for step in passed_over[:KEPT_MAX]])
    if decision is not None or has_terms:
        numbers.append(None if decision is None else _packed_decision(decision))
    if has_terms:
        numbers.append((terms.model, terms.max_tokens, terms.max_cost_nusd, terms.deadline_s))
    return PackedPlan(key, shape, orjson.dumps(numbers).decode())


def unpacked_plan(shape: str | None, numbers: str | None) -> KeptPlan | None:
    """Return a plan that was kept; None where none was, or where it cannot be read."""
    if shape is None or numbers is None:
        return None
    try:
        candidates, reserve, left_out, more = orjson.loads(shape)
        figures, passed_over, decision, terms = (*orjson.loads(numbers), None, None, None)[:4]
        named = [*((False, *step) for step in candidates), *((True, *step) for step in reserve)]
        return KeptPlan(
            candidates=tuple(
                KeptCandidate(str(deployment), score / _THOUSANDTHS, NanoUsd(bound), tuple(kinds), is_reserve)
                for (is_reserve, deployment, kinds), (score, bound) in zip(named, figures, strict=True)
            ),
            left_out=tuple(KeptStep(str(name), str(kind)) for name, kind in left_out),
            left_out_more={str(kind): int(count) for kind, count in more.items()},
            passed_over=tuple(KeptStep(str(name), str(reason)) for name, reason in passed_over or ()),
            decision=None if decision is None else _unpacked_decision(decision),
            terms=NO_TERMS if terms is None else _unpacked_terms(terms),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        # It explains and counts nothing: a request without it is shown all the same.
        return None


def terms_in(numbers: str) -> OwnTerms:
    """Return what a request asked for itself, by the numbers of its plan; nothing if they cannot be read."""
    try:
        rest = orjson.loads(numbers)[3:]
        return _unpacked_terms(rest[0]) if rest else NO_TERMS
    except (ValueError, KeyError, TypeError):
        return NO_TERMS


def _unpacked_terms(packed: Sequence[Any]) -> OwnTerms:
    model, max_tokens, max_cost_nusd, deadline_s = packed
    return OwnTerms(
        model=None if model is None else str(model),
        max_tokens=None if max_tokens is None else int(max_tokens),
        max_cost_nusd=None if max_cost_nusd is None else NanoUsd(int(max_cost_nusd)),
        deadline_s=None if deadline_s is None else float(deadline_s),
    )


def _packed_decision(decision: Decision) -> list[Any]:
    votes = [
        (vote.deployment, vote.role.value, vote.outcome.value, vote.group, vote.cost_nusd)
        for vote in decision.votes[:KEPT_MAX]
    ]
    return [decision.policy, decision.version, decision.accepted_for.value, votes]


def _unpacked_decision(packed: Sequence[Any]) -> KeptDecision:
    policy, version, accepted_for, votes = packed
    return KeptDecision(
        *(str(policy), str(version), str(accepted_for)),
        tuple(
            KeptVote(*(str(deployment), str(role), str(outcome)), group, NanoUsd(cost))
            for deployment, role, outcome, group, cost in votes
        ),
    )


def _named(candidates: Sequence[Candidate]) -> _Named:
    # Lists inside: they are made faster than generators, and every request passes here.
    return tuple([(step.deployment, tuple([reason.kind for reason in step.reasons])) for step in candidates])


@lru_cache(maxsize=512)
def _shape(
    candidates: _Named, reserve: _Named, excluded: tuple[tuple[str, ReasonKind], ...], behind: int
) -> tuple[int, str]:
    """Return the key of a shape, and the shape."""
    named: list[tuple[str, ReasonKind]] = []
    more: dict[str, int] = {ReasonKind.BEHIND.value: behind} if behind else {}
    for deployment, kind in excluded:
        if kind in _COUNTED or len(named) == KEPT_MAX:
            more[kind.value] = more.get(kind.value, 0) + 1
        else:
            named.append((deployment, kind))
    shape = orjson.dumps((candidates, reserve, named, more))
    digest = blake2b(shape, digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1, shape.decode()
