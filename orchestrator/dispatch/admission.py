"""The door before every send: circuit, rate limit, retry quota, held money; or the reason why not.

An attempt that is let in has an `AttemptPermit`, which is closed exactly once: with what became of it.
"""

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.core.errors import BudgetExceededError
from orchestrator.core.failures import HealthScope
from orchestrator.core.reply import Attempt, CostSource
from orchestrator.dispatch.services import Services
from orchestrator.dispatch.target import Target
from orchestrator.ledger.ledger import Hold, HoldRequest
from orchestrator.resilience.circuit_breaker import CircuitState
from orchestrator.resilience.health import CircuitPermit
from orchestrator.resilience.rate_limiter import RateReservation


@dataclass(frozen=True, slots=True)
class AttemptPermit:
    """What an admitted attempt has taken of everything that is scarce."""

    leave: CircuitPermit
    slot: RateReservation
    hold: Hold
    drew: bool
    """It is a second attempt of its request on this provider, and drew on the quota of those."""


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


@dataclass(frozen=True, slots=True)
class AttemptRequest:
    """One attempt that wants to be sent."""

    step: Target
    claim: HoldRequest
    again: bool
    """The request was sent to this provider before."""
    delay_s: float
    """It first waits so long, as its retry profile says."""
    patience_s: float
    """It waits so long for the provider's minute to have room."""
    alone: bool = False
    """Nobody else can serve its request, so it may probe a circuit early."""


async def admit(wish: AttemptRequest, state: Services) -> AttemptPermit | Rejected:
    """Let one attempt in, after its delay and when its turn in the provider's minute has come; or say why not.

    Raises:
        LedgerError: money cannot be held, because the ledger cannot be written.
    """
    shut = _shut(wish, state, within_s=wish.delay_s)
    if shut is not None:
        return shut
    if wish.delay_s:
        await state.clock.sleep(wish.delay_s)
    deployment, provider = wish.step.deployment, wish.step.deployment.provider
    slot = state.limits.book(
        deployment.provider_name,
        tokens=wish.step.candidate.input_expected_tokens + wish.step.candidate.max_tokens,
        requests_per_min=provider.requests_per_min,
        tokens_per_min=provider.tokens_per_min,
    )
    wait_s = state.limits.wait_s(slot)
    if wait_s > wish.patience_s:
        state.limits.cancel(slot)
        return _full(deployment.provider_name, wait_s, RejectReason.LINE)
    try:
        if wait_s:
            await state.clock.sleep(wait_s)
        entry = await _enter(wish, slot, state)
    except BaseException:
        state.limits.cancel(slot)
        raise
    if isinstance(entry, Rejected):
        state.limits.cancel(slot)
    return entry


def close(
    entry: AttemptPermit, ended: Attempt, *, sent: bool, health_scope: HealthScope | None, state: Services
) -> None:
    """Give back, settle and remember what an ended attempt tells; `health_scope` None is a healthy answer."""
    provider = entry.leave.provider
    if not sent:
        state.limits.cancel(entry.slot)
    elif ended.cost_source is CostSource.NONE or not ended.usage.estimated:
        state.limits.settle(entry.slot, tokens=ended.usage.input_tokens + ended.usage.output_tokens)
    if health_scope is None:
        state.health.succeed(entry.leave, latency_s=ended.latency_s)
        state.quota.give_back(provider, drew=entry.drew)
        return
    state.health.fail(entry.leave, health_scope=health_scope)
    if not sent and entry.drew:
        state.quota.give_back(provider, drew=True)


def _shut(wish: AttemptRequest, state: Services, *, within_s: float = 0.0) -> Rejected | None:
    deployment = wish.step.deployment
    provider = deployment.provider_name
    if state.health.ready_in_s(deployment.name, provider=provider, alone=wish.alone) > within_s:
        # Who comes back comes because nobody else is left.
        alone_in_s = state.health.ready_in_s(deployment.name, provider=provider, alone=True)
        return Rejected(_circuit_reason(wish.step, state), alone_in_s, RejectReason.CIRCUIT)
    rests_s = state.limits.rests_s(deployment.name)
    return _full(deployment.provider_name, rests_s, RejectReason.REST) if rests_s > within_s else None


def _circuit_reason(step: Target, state: Services) -> str:
    deployment = step.deployment
    if state.health.provider_circuit(deployment.provider_name) is CircuitState.OPEN:
        return f"circuit of the whole provider {deployment.provider_name} open"
    is_open = state.health.circuits().get(deployment.name) is CircuitState.OPEN
    return "circuit open" if is_open else "circuit half-open, a probe is under way"


def _full(provider: str, wait_s: float, wait: RejectReason) -> Rejected:
    return Rejected(f"{provider} is at its rate limit for {wait_s:.1f} s", wait_s, wait)


async def _enter(wish: AttemptRequest, slot: RateReservation, state: Services) -> AttemptPermit | Rejected:
    """Take pass, quota and money together, or nothing."""
    provider = wish.step.deployment.provider_name
    leave = state.health.admit(wish.step.name, provider=provider, alone=wish.alone)
    if leave is None:
        # Shut while the attempt waited for its turn.
        return _shut(wish, state) or Rejected("circuit open")
    # A probe is one at a time, so it multiplies no load.
    draws = wish.again and not leave.probes
    if draws and not state.quota.draw(provider):
        state.health.withdraw(leave)
        return Rejected(f"second attempts on {provider} are used up for now")
    try:
        hold = await state.ledger.ahold(wish.claim)
    except BaseException as exc:
        state.health.withdraw(leave)
        if draws:
            state.quota.give_back(provider, drew=True)
        if isinstance(exc, BudgetExceededError):
            return Rejected(f"over the {exc.window} budget of {exc.scope}", over_budget=exc)
        raise
    return AttemptPermit(leave, slot, hold, draws)
