"""One send under way, and what it cost when it has ended."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.catalog.catalog import Deployment
from orchestrator.catalog.price import NOTHING_OFF, BillingContext, Price, VolumeDiscount, volume_discount
from orchestrator.core.clock import Clock
from orchestrator.core.errors import LedgerError
from orchestrator.core.failures import Billing, Failure, FailureKind, HealthScope
from orchestrator.core.money import ZERO_NUSD, NanoUsd
from orchestrator.core.plan import Candidate
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import Attempt, CostSource, Outcome, Usage
from orchestrator.ledger.budgets import Window
from orchestrator.ledger.ledger import Hold, HoldRequest, Ledger

logger = logging.getLogger("orchestrator.dispatch")


@dataclass(frozen=True, slots=True)
class Target:
    """One place on the way: a deployment that may be asked."""

    candidate: Candidate
    deployment: Deployment
    price: Price

    @property
    def name(self) -> str:
        """Return the deployment's name, which is also its model group in LiteLLM's Router."""
        return self.deployment.name


@dataclass(slots=True)
class InFlightAttempt:
    """An attempt that has been admitted and has not ended."""

    step: Target
    number: int
    hold: Hold
    admitted_at_s: float
    sent_at_s: float | None = None
    first_token_at_s: float | None = None
    text: str = ""
    """What has arrived of a stream."""
    upstream_id: str | None = None
    """The provider's own id of a stream, as soon as it is known."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What an attempt cost, and who says so."""

    cost_nusd: NanoUsd
    source: CostSource
    usage: Usage
    price_version: str | None = None
    """The price that was applied, where it is another than the one money was held at."""


def charge_of(attempt: InFlightAttempt, answer: ProviderAnswer, *, ledger: Ledger, clock: Clock) -> Charge:
    """Return what an answer cost: what the provider says before what our price book says."""
    usage = _estimated_usage(attempt, answer.text) if answer.usage.estimated else answer.usage
    if answer.reported_cost_nusd is not None:
        return Charge(answer.reported_cost_nusd, CostSource.PROVIDER, usage)
    if usage.estimated:
        return Charge(attempt.step.price.cost_of(usage), CostSource.ESTIMATE, usage)
    discounts = attempt.step.deployment.provider.volume_discounts
    return book_charge(
        usage, attempt.step.price, discounts=discounts, hold=attempt.hold, ledger=ledger, clock=clock
    )


def book_charge(
    usage: Usage,
    price: Price,
    *,
    discounts: Sequence[VolumeDiscount],
    hold: Hold,
    ledger: Ledger,
    clock: Clock,
) -> Charge:
    """Return what the price book says of a usage that just ended: its hours count, and its provider's discount.

    The discount goes by what the ledger has booked for the provider this month, before this send.
    """
    off = NOTHING_OFF
    if discounts:
        try:
            spent = ledger.spent(f"provider:{hold.claim.provider}", Window.MONTH)
            off = volume_discount(discounts, spent=spent)
        except LedgerError:
            # Without a discount no less is booked than is charged, and the answer is not lost.
            logger.warning("no discount: the ledger cannot be read: deployment=%s", hold.claim.deployment)
    settled = price.settled(usage, BillingContext(hold.held_at, clock.now(), off))
    return Charge(settled.cost_nusd, CostSource.PRICE_BOOK, usage, settled.version)


def charge_of_failure(attempt: InFlightAttempt, failure: Failure) -> Charge:
    """Return what a failed attempt is booked at: what arrived, or all that was held where nobody can say."""
    bound = attempt.hold.claim.bound_nusd
    if attempt.sent_at_s is None:
        return Charge(ZERO_NUSD, CostSource.NONE, Usage())
    left = failure.kind in {FailureKind.CANCELLED, FailureKind.TIMEOUT, FailureKind.NOT_JOINABLE}
    if attempt.text and not left:
        # The provider broke off: at most this was made. Where we left, it may go on and bill it all.
        usage = _estimated_usage(attempt, attempt.text)
        cost = NanoUsd(min(attempt.step.price.cost_of(usage), bound))
        return Charge(cost, CostSource.ESTIMATE, usage)
    if failure.policy.billing is Billing.NO or bound == 0:
        return Charge(ZERO_NUSD, CostSource.NONE, Usage())
    # Nobody can say whether the provider will bill this, so the safe side is all that was held.
    return Charge(bound, CostSource.BOUND, Usage(estimated=True))


def ended(
    claim: HoldRequest,
    charge: Charge,
    *,
    failure: Failure | None,
    latency_s: float,
    first_token_s: float | None = None,
    upstream_id: str | None = None,
) -> Attempt:
    """Return the row of an attempt that has ended."""
    return Attempt(
        number=claim.number,
        deployment=claim.deployment,
        provider=claim.provider,
        model=claim.model,
        outcome=_outcome(failure),
        failure=failure.kind.value if failure else None,
        status=failure.status if failure else None,
        latency_s=latency_s,
        first_token_s=first_token_s,
        usage=charge.usage,
        cost_nusd=charge.cost_nusd,
        cost_source=charge.source,
        upstream_id=upstream_id,
        price_version=charge.price_version,
    )


def settle(ledger: Ledger, hold: Hold, attempt: Attempt, *, soon: bool = False) -> LedgerError | None:
    """Book an attempt; return the error of a booking that has to wait.

    The answer is paid for, and is not lost because the ledger cannot be written now: it keeps the booking,
    and it alerted. With `soon`, on an event loop, it waits for nobody who holds the file.
    """
    try:
        (ledger.settle_soon if soon else ledger.settle)(hold, attempt)
    except LedgerError as exc:
        return exc
    return None


def health_scope_of(attempt: InFlightAttempt, failure: Failure, *, latency_s: float) -> HealthScope:
    """Return whose health a failure speaks against; nobody's where only the caller was in a hurry."""
    if attempt.sent_at_s is None:
        return HealthScope.NONE
    provider = attempt.step.deployment.provider
    allowed_s = provider.stall_timeout_s if attempt.first_token_at_s is not None else provider.timeout_s
    hurried = latency_s < min(provider.first_token_timeout_s, allowed_s) * 0.99
    if failure.kind is FailureKind.TIMEOUT and failure.status is None and hurried:
        return HealthScope.NONE
    return failure.policy.health_scope


def _outcome(failure: Failure | None) -> Outcome:
    if failure is None:
        return Outcome.SUCCEEDED
    return Outcome.CANCELLED if failure.kind is FailureKind.CANCELLED else Outcome.FAILED


def _estimated_usage(attempt: InFlightAttempt, text: str) -> Usage:
    """Return the most tokens that what was seen can be: a token is at least a byte."""
    return Usage(attempt.step.candidate.input_bound_tokens, len(text.encode()), estimated=True)
