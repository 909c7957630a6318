"""The targets of a plan, fitted to the longer request that asks for the rest of an answer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from orchestrator.core.errors import FailedStep
from orchestrator.core.money import NanoUsd
from orchestrator.core.payer import Payer
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.target import Target
from orchestrator.ledger.budgets import Limits
from orchestrator.streaming.continuation import fit_to_continuation


@dataclass(frozen=True, slots=True)
class Replan:
    """The targets that can hold the longer request."""

    targets: tuple[Target, ...]
    position: int
    """The current target, or where it was when it is left out; -1 before the first."""
    left_out: tuple[FailedStep, ...]


def replan(
    way: tuple[tuple[Target, ...], int],
    request: ChatRequest,
    *,
    today: date,
    left_nusd: Callable[[Target], NanoUsd | None],
) -> Replan:
    """Return the targets of a way and the position on it, with the bounds of `request`.

    What cannot hold it, or costs too much, is left out.
    """
    targets, position = way
    kept: list[Target] = []
    left_out: list[FailedStep] = []
    new_position = -1
    for at, target in enumerate(targets):
        candidate = fit_to_continuation(
            target.candidate,
            request,
            deployment=target.deployment,
            today=today,
            ceiling_nusd=left_nusd(target),
        )
        if isinstance(candidate, str):
            left_out.append(FailedStep(target.name, candidate))
            continue
        kept.append(target._replace(candidate=candidate))
        if at <= position:
            new_position = len(kept) - 1
    return Replan(tuple(kept), new_position, tuple(left_out))


def left_nusd(target: Target, request: ChatRequest, *, spent_nusd: NanoUsd, limits: Limits) -> NanoUsd | None:
    """Return what is left of the most that a request may cost, None where it has no limit."""
    tightest = limits.tightest_for_request(_scopes_of(target, request))
    own = request.max_cost_nusd
    most = [limit for limit in (own, tightest and tightest[1]) if limit is not None]
    return NanoUsd(max(0, min(most) - spent_nusd)) if most else None


def _scopes_of(target: Target, request: ChatRequest) -> tuple[str, ...]:
    return Payer.of(request).scopes(target.deployment.provider_name, target.deployment.model_name)
