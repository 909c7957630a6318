"""Why a reply is not what the first choice of its plan would have given.

It is decided by types alone: what ops write as a reason in config.yaml is only ever quoted.
"""

from collections.abc import Iterator, Sequence

from orchestrator.catalog.models import ModelClass
from orchestrator.config.loader import Config
from orchestrator.core.decision import AcceptedFor, Decision
from orchestrator.core.errors import OWN_LIMIT, FailedStep, UnavailableError
from orchestrator.core.plan import Candidate, Plan, ReasonKind
from orchestrator.core.reply import ChatReply, Degradation, DegradationKind
from orchestrator.routing.settings import RouteOrder, UseCaseSettings

_KINDS = frozenset(DegradationKind)
_UNSURE = {
    AcceptedFor.UNCONFIRMED: DegradationKind.UNCONFIRMED,
    AcceptedFor.UNCHECKED: DegradationKind.UNCHECKED,
}


_OWN_SCOPES = ("tenant:", "user:", "model:", "run:")
"""Beginnings of the scopes whose limits a caller is told of; those of others may be none of its business."""


def degraded(
    config: Config,
    use_case: UseCaseSettings,
    reply: ChatReply,
    *,
    passed_over: Sequence[FailedStep] = (),
) -> Degradation | None:
    """Return why a reply is not what the first choice would have given, None when it is.

    `passed_over` are the deployments of its plan that were not asked when it was their turn.
    A reply that is degraded already says how a broken stream came to its end.
    """
    if reply.plan is None:
        return None
    parts = [
        *(
            _compared(use_case, reply, reply.decision)
            if reply.decision is not None
            else (
                *_fallback(reply, reply.plan.asked[0], passed_over),
                *_primary_left_out(use_case, reply.plan),
            )
        ),
        *_poor_model(config, use_case, reply, reply.plan),
    ]
    if not parts:
        return None
    kinds = (kind for part in parts for kind in part.kinds)
    for_caller = "; ".join(part.for_caller or part.text for part in parts)
    text = "; ".join(part.text for part in parts)
    return Degradation(tuple(kinds), text, None if for_caller == text else for_caller)


def broken_off(story: str | None) -> Degradation | None:
    """Return the degradation of a stream that another attempt finished; None where none broke off."""
    return None if story is None else Degradation((DegradationKind.BROKE_OFF,), story)


def instead_of(error: UnavailableError, kind: DegradationKind, beginning: str) -> Degradation:
    """Return the degradation of a reply that stands in the place of an error."""
    for_caller = None if error.for_caller is None else f"{beginning}: {error.for_caller}"
    return Degradation((kind,), f"{beginning}: {error.in_one_line}", for_caller)


def clamped_notices(candidate: Candidate) -> tuple[str, ...]:
    """Return what the caller is told of a max_tokens that was lowered; empty where it was not."""
    return tuple(reason.text for reason in candidate.reasons if reason.kind is ReasonKind.CLAMPED)


def as_kept(text: str | None, kinds: Sequence[str], *, for_caller: str | None = None) -> Degradation | None:
    """Return a degradation that was kept, by an earlier version without kinds, by a later one with more."""
    if text is None:
        return None
    known = tuple(DegradationKind(kind) for kind in kinds if kind in _KINDS)
    return Degradation(known or (DegradationKind.UNSPECIFIED,), text, for_caller)


def _fallback(reply: ChatReply, first: Candidate, passed_over: Sequence[FailedStep]) -> Iterator[Degradation]:
    """Yield that another than the first of the plan answered, or how a broken answer came about."""
    if reply.degraded is not None:
        # What broke off is named in the story of the answer already.
        yield reply.degraded
    elif reply.deployment != first.deployment:
        failed = next((sent for sent in reply.attempts if sent.deployment == first.deployment), None)
        step = next((step for step in passed_over if step.deployment == first.deployment), None)
        why = failed.failure if failed else f"was passed over{_reason_of(step)}"
        yield Degradation((DegradationKind.FALLBACK,), f"{first.deployment} {why}")


def _reason_of(step: FailedStep | None) -> str:
    """Return why a deployment was not asked, as its caller may read it, behind a colon."""
    if step is None:
        return ""
    is_own = step.scope is None or step.scope == OWN_LIMIT or step.scope.startswith(_OWN_SCOPES)
    return f": {step.reason if is_own else 'over a budget'}"


def _compared(use_case: UseCaseSettings, reply: ChatReply, decision: Decision) -> Iterator[Degradation]:
    """Yield that a policy could not confirm its answer, or that another model took the judge's place."""
    kind = _UNSURE.get(decision.accepted_for)
    if kind is not None:
        yield Degradation((kind,), decision.text)
    named = use_case.policy.named if use_case.policy is not None else ()
    # The same model at another provider is no worse.
    models = {
        sent.model for vote in decision.votes for sent in reply.attempts if sent.deployment == vote.deployment
    }
    if named and reply.deployment not in named and reply.model not in models:
        yield Degradation((DegradationKind.FALLBACK,), f"{named[-1]} did not answer")


def _primary_left_out(use_case: UseCaseSettings, plan: Plan) -> Iterator[Degradation]:
    """Yield that the plan did not begin with the primary of its use case, and why."""
    first, primary = plan.asked[0], use_case.route[0].deployment
    if use_case.order_in_force is not RouteOrder.ROUTE or first.pinned or first.deployment == primary:
        return
    left_out = plan.why_left_out(primary)
    behind = [text for step in plan.asked if step.deployment == primary for text in clamped_notices(step)]
    why = left_out or next(iter(behind), "is not available")
    is_off = left_out is not None and left_out.kind is ReasonKind.OFF
    for_caller = f"{primary} left out: it is off" if is_off else None
    yield Degradation((DegradationKind.PRIMARY_LEFT_OUT,), f"{primary} left out: {why}", for_caller)


def _poor_model(
    config: Config, use_case: UseCaseSettings, reply: ChatReply, plan: Plan
) -> Iterator[Degradation]:
    """Yield that the model that answered is a poor one, unless it was asked for by name."""
    if plan.asked[0].pinned:
        return
    model = config.catalog.models[reply.model]
    quality = model.quality.get(plan.use_case, 0.0)
    if model.tier is ModelClass.EMERGENCY:
        yield Degradation((DegradationKind.EMERGENCY_MODEL,), "answered by the emergency model")
    elif quality < use_case.quality_floor and reply.decision is None:
        text = f"quality {quality:g} is below the floor {use_case.quality_floor:g}"
        yield Degradation((DegradationKind.BELOW_QUALITY_FLOOR,), text)
