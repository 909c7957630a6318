"""The steps of a walk, fitted to the longer request that asks for the rest of an answer."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from orchestrator.core.errors import FailedStep
from orchestrator.core.money import NanoUsd
from orchestrator.core.payer import Payer
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.attempt import Target
from orchestrator.ledger.budgets import Limits
from orchestrator.streaming.continuation import fit_to_continuation


@dataclass(frozen=True, slots=True)
class Replan:
    """The steps that can hold the longer request."""

    steps: tuple[Target, ...]
    place: int
    """The current step, or where it was when it is left out; -1 before the first."""
    left_out: tuple[FailedStep, ...]


def replan(
    way: tuple[tuple[Target, ...], int],
    request: ChatRequest,
    *,
    today: date,
    left_nusd: Callable[[Target], NanoUsd | None],
) -> Replan:
    """Return the steps of a way and the place on it, with the bounds of `request`; who cannot hold it, or costs too much, is left out."""
    steps, place = way
    kept: list[Target] = []
    left_out: list[FailedStep] = []
    new_place = -1
    for at, step in enumerate(steps):
        found = fit_to_continuation(
            step.candidate,
            request,
            deployment=step.deployment,
            today=today,
            ceiling_nusd=left_nusd(step),
        )
        if isinstance(found, str):
            left_out.append(FailedStep(step.name, found))
            continue
        kept.append(replace(step, candidate=found))
        if at <= place:
            new_place = len(kept) - 1
    return Replan(tuple(kept), new_place, tuple(left_out))


def left_nusd(step: Target, request: ChatRequest, *, spent_nusd: NanoUsd, limits: Limits) -> NanoUsd | None:
    """Return what is left of the most that a request may cost, None where it has no limit."""
    tightest = limits.tightest_for_request(Payer.of(request).scopes(step.deployment.provider_name))
    own = request.max_cost_nusd
    most = [limit for limit in (own, tightest and tightest[1]) if limit is not None]
    return NanoUsd(max(0, min(most) - spent_nusd)) if most else None
