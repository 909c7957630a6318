"""One send under way, and what it cost when it has ended."""

import logging
from dataclasses import dataclass

from orchestrator.calls import Candidate, CostSource, Usage
from orchestrator.catalog import Deployment
from orchestrator.clock import Clock
from orchestrator.errors import LedgerError
from orchestrator.gateway.answers import Answer
from orchestrator.money import ZERO_NUSD, NanoUsd
from orchestrator.policy.budgets import Window
from orchestrator.policy.failures import Billing, Failure, FailureKind
from orchestrator.pricing import NOTHING_OFF, Price, Terms, volume_discount
from orchestrator.state.ledger import Hold, Ledger

logger = logging.getLogger("orchestrator.gateway")


@dataclass(frozen=True, slots=True)
class Step:
    """One place on the way: a deployment that may be asked."""

    candidate: Candidate
    deployment: Deployment
    price: Price

    @property
    def name(self) -> str:
        """Return the deployment's name, which is also its model group in LiteLLM's Router."""
        return self.deployment.name


@dataclass(slots=True)
class OpenAttempt:
    """An attempt that has been admitted and has not ended."""

    step: Step
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


def charge_of(attempt: OpenAttempt, answer: Answer, *, ledger: Ledger, clock: Clock) -> Charge:
    """Return what an answer cost: what the provider says before what our price book says."""
    usage = _estimated_usage(attempt, answer.text) if answer.usage.estimated else answer.usage
    if answer.reported_cost_nusd is not None:
        return Charge(answer.reported_cost_nusd, CostSource.PROVIDER, usage)
    if usage.estimated:
        return Charge(attempt.step.price.cost_of(usage), CostSource.ESTIMATE, usage)
    deployment, price = attempt.step.deployment, attempt.step.price
    return book_charge(usage, price, deployment=deployment, hold=attempt.hold, ledger=ledger, clock=clock)


def book_charge(
    usage: Usage, price: Price, *, deployment: Deployment, hold: Hold, ledger: Ledger, clock: Clock
) -> Charge:
    """Return what the price book says of a usage that just ended: its hours count, and its provider's discount.

    The discount goes by what the ledger has booked for the provider this month, before this send.
    """
    off = NOTHING_OFF
    if deployment.provider.volume_discounts:
        try:
            spent = ledger.spent(f"provider:{deployment.provider_name}", Window.MONTH)
            off = volume_discount(deployment.provider.volume_discounts, spent=spent)
        except LedgerError:
            # Without a discount no less is booked than is charged, and the answer is not lost.
            logger.warning("no discount: the ledger cannot be read: deployment=%s", deployment.name)
    settled = price.settled(usage, Terms(hold.held_at, clock.now(), off))
    return Charge(settled.cost_nusd, CostSource.PRICE_BOOK, usage, settled.version)


def charge_of_failure(attempt: OpenAttempt, failure: Failure) -> Charge:
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
    if failure.meaning.billing is Billing.NO or bound == 0:
        return Charge(ZERO_NUSD, CostSource.NONE, Usage())
    # Nobody can say whether the provider will bill this, so the safe side is all that was held.
    return Charge(bound, CostSource.BOUND, Usage(estimated=True))


def _estimated_usage(attempt: OpenAttempt, text: str) -> Usage:
    """Return the most tokens that what was seen can be: a token is at least a byte."""
    return Usage(attempt.step.candidate.input_bound_tokens, len(text.encode()), estimated=True)
