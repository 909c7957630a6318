"""Admission before every send: circuit, rate limit, retry budget, held money; or the reason why not.

An attempt that is let in has an `AttemptPermit`, which is closed exactly once: with what became of it.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

from orchestrator.core.errors import BudgetExceededError
from orchestrator.core.failures import FailureKind, HealthScope
from orchestrator.core.payer import shown_scope
from orchestrator.core.progress import Progress, ProgressStep, tell
from orchestrator.core.reply import Attempt, CostSource
from orchestrator.dispatch.services import Services
from orchestrator.dispatch.target import Target
from orchestrator.ledger.ledger import Hold, HoldRequest
from orchestrator.ledger.money_queue import MoneyPlace
from orchestrator.resilience.circuit_breaker import CircuitState
from orchestrator.resilience.health import CircuitPermit
from orchestrator.resilience.rate_limiter import RateReservation


class AttemptPermit(NamedTuple):
    """What an admitted attempt has taken of everything that is scarce."""

    circuit: CircuitPermit
    reservation: RateReservation
    hold: Hold
    drew_retry: bool
    """It is a second attempt of its request on this provider, and drew on the budget of those."""


class RejectReason(StrEnum):
    """What a refused attempt may wait for."""

    CIRCUIT = "circuit"
    REST = "rest"
    """The deployment sent a Retry-After."""
    LINE = "line"
    """The provider's minute, in which a moment can be booked."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why an attempt was not admitted."""

    reason: str
    ready_in_s: float | None = None
    """When it is worth asking again; None when it is not."""
    wait: RejectReason | None = None
    """What it would wait for."""
    over_budget: BudgetExceededError | None = None

    @classmethod
    def by(cls, refusal: BudgetExceededError) -> Self:
        """Return the rejection by a budget."""
        holds = ", as long as others hold money of it" if refusal.may_pass else ""
        reason = f"over the {refusal.window} budget of {shown_scope(refusal.scope)}{holds}"
        return cls(reason, over_budget=refusal)

    @property
    def failure(self) -> FailureKind | None:
        """Return what it counts as: of its own limit the provider has spoken, which a batch waits for."""
        return FailureKind.RATE_LIMITED if self.wait is RejectReason.REST else None

    @property
    def scope(self) -> str | None:
        """Return whose budget was in the way, None where none was."""
        return None if self.over_budget is None else self.over_budget.scope


class AttemptRequest(NamedTuple):
    """One attempt that wants to be sent."""

    target: Target
    hold_request: HoldRequest
    is_second: bool
    """The request was sent to this provider before."""
    delay_s: float
    """It first waits so long, as its retry profile says."""
    patience_s: float
    """It waits so long for the provider's minute to have room."""
    alone: bool = False
    """No other deployment can serve its request, so it may probe a circuit early."""
    place: MoneyPlace | None = None
    """Where it waits for money that others hold; None lets it go at once or not at all."""


async def admit(attempt: AttemptRequest, services: Services) -> AttemptPermit | Rejected:
    """Let one attempt in, after its delay and when its turn in the provider's minute has come.

    Returns why not, where it may not be sent.

    Raises:
        LedgerError: money cannot be held, because the ledger cannot be written.
    """
    rejected = _shut(attempt, services, within_s=attempt.delay_s)
    if rejected is not None:
        return rejected
    if attempt.delay_s:
        tell(Progress(ProgressStep.WAITING, attempt.target.name, wait_s=attempt.delay_s))
        await services.clock.sleep(attempt.delay_s)
    deployment, provider = attempt.target.deployment, attempt.target.deployment.provider
    reservation = services.rate_limiter.book(
        deployment.provider_name,
        tokens=attempt.target.candidate.input_expected_tokens + attempt.target.candidate.max_tokens,
        requests_per_min=provider.requests_per_min,
        tokens_per_min=provider.tokens_per_min,
    )
    wait_s = services.rate_limiter.wait_s(reservation)
    if wait_s > attempt.patience_s:
        services.rate_limiter.cancel(reservation)
        return Rejected(_used_up(attempt.target, reservation, wait_s), wait_s, RejectReason.LINE)
    try:
        if wait_s:
            tell(Progress(ProgressStep.WAITING, attempt.target.name, wait_s=wait_s))
            await services.clock.sleep(wait_s)
        permit = await _enter(attempt, reservation, services)
    except BaseException:
        services.rate_limiter.cancel(reservation)
        raise
    if isinstance(permit, Rejected):
        services.rate_limiter.cancel(reservation)
    return permit


def close(
    permit: AttemptPermit, ended: Attempt, *, sent: bool, health_scope: HealthScope | None, services: Services
) -> None:
    """Give back, settle and remember what an ended attempt tells; `health_scope` None is a healthy answer."""
    provider = permit.circuit.provider
    if not sent:
        services.rate_limiter.cancel(permit.reservation)
    elif ended.cost_source is CostSource.NONE or not ended.usage.estimated:
        services.rate_limiter.settle(
            permit.reservation, tokens=ended.usage.input_tokens + ended.usage.output_tokens
        )
    if health_scope is None:
        services.health.succeed(permit.circuit, latency_s=ended.latency_s)
        services.retry_budget.give_back(provider, drew=permit.drew_retry)
        return
    services.health.fail(permit.circuit, health_scope=health_scope)
    if not sent and permit.drew_retry:
        services.retry_budget.give_back(provider, drew=True)


def _shut(attempt: AttemptRequest, services: Services, *, within_s: float = 0.0) -> Rejected | None:
    deployment = attempt.target.deployment
    provider = deployment.provider_name
    if services.health.ready_in_s(deployment.name, provider=provider, alone=attempt.alone) > within_s:
        # What comes back comes because no other deployment is left.
        alone_in_s = services.health.ready_in_s(deployment.name, provider=provider, alone=True)
        return Rejected(_circuit_reason(attempt.target, services), alone_in_s, RejectReason.CIRCUIT)
    rests_s = services.rate_limiter.rests_s(deployment.name)
    if rests_s <= within_s:
        return None
    reason = f"{deployment.provider_name} asked for no more of it for {rests_s:.1f} s (rate limit)"
    return Rejected(reason, rests_s, RejectReason.REST)


def _circuit_reason(target: Target, services: Services) -> str:
    deployment = target.deployment
    if services.health.provider_circuit(deployment.provider_name) is CircuitState.OPEN:
        return f"circuit of the whole provider {deployment.provider_name} open"
    is_open = services.health.circuits().get(deployment.name) is CircuitState.OPEN
    return "circuit open" if is_open else "circuit half-open, a probe is under way"


def _used_up(target: Target, reservation: RateReservation, wait_s: float) -> str:
    """Return which limit of ours is used up, and when it has room again."""
    provider = target.deployment.provider
    limit = (
        f"{provider.tokens_per_min:,} tokens"
        if reservation.waits_for_tokens
        else f"{provider.requests_per_min:,} requests"
    )
    return f"{limit} a minute of {target.deployment.provider_name} used up, free in {math.ceil(wait_s)} s"


async def _enter(
    attempt: AttemptRequest, reservation: RateReservation, services: Services
) -> AttemptPermit | Rejected:
    """Take circuit permit, retry budget and money together, or nothing."""
    provider = attempt.target.deployment.provider_name
    circuit = services.health.admit(attempt.target.name, provider=provider, alone=attempt.alone)
    if circuit is None:
        # Shut while the attempt waited for its turn.
        return _shut(attempt, services) or Rejected("circuit open")
    # A probe is one at a time, so it multiplies no load.
    draws_retry = attempt.is_second and not circuit.probes
    if draws_retry and not services.retry_budget.draw(provider):
        services.health.withdraw(circuit)
        return Rejected(f"second attempts on {provider} are used up for now")
    try:
        hold = await services.ledger.ahold(attempt.hold_request, place=attempt.place)
    except BaseException as exc:
        services.health.withdraw(circuit)
        if draws_retry:
            services.retry_budget.give_back(provider, drew=True)
        if isinstance(exc, BudgetExceededError):
            return Rejected.by(exc)
        raise
    return AttemptPermit(circuit, reservation, hold, draws_retry)
