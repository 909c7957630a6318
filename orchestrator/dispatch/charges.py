"""What an attempt cost, and what says so: the provider, the price book, our own count, or the bound."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.catalog.price import NOTHING_OFF, BillingContext, Price, VolumeDiscount, volume_discount
from orchestrator.core.clock import Clock
from orchestrator.core.errors import LedgerError
from orchestrator.core.failures import Billing, Failure, FailureKind
from orchestrator.core.money import ZERO_NUSD, NanoUsd
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import Attempt, CostSource, Outcome, Usage
from orchestrator.dispatch.target import Target
from orchestrator.ledger.budgets import Window
from orchestrator.ledger.ledger import Hold, HoldRequest, Ledger

logger = logging.getLogger("orchestrator.dispatch")

_LEFT_BY_US = frozenset({FailureKind.CANCELLED, FailureKind.TIMEOUT, FailureKind.NOT_JOINABLE})
"""The provider may go on after these, and bill all of it."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What an attempt cost, and what says so."""

    cost_nusd: NanoUsd
    source: CostSource
    usage: Usage
    price_version: str | None = None
    """The price that was applied, where it is another than the one money was held at."""


def charge_of(target: Target, hold: Hold, answer: ProviderAnswer, *, ledger: Ledger, clock: Clock) -> Charge:
    """Return what an answer cost: what the provider says before what our price book says."""
    usage = _estimated_usage(target, answer.text) if answer.usage.estimated else answer.usage
    if answer.reported_cost_nusd is not None:
        return Charge(answer.reported_cost_nusd, CostSource.PROVIDER, usage)
    if usage.estimated:
        return Charge(target.price.cost_of(usage), CostSource.ESTIMATE, usage)
    discounts = target.deployment.provider.volume_discounts
    return book_charge(usage, target.price, discounts=discounts, hold=hold, ledger=ledger, clock=clock)


def book_charge(
    usage: Usage,
    price: Price,
    *,
    discounts: Sequence[VolumeDiscount],
    hold: Hold,
    ledger: Ledger,
    clock: Clock,
) -> Charge:
    """Return what the price book says of a usage that just ended.

    Its hours count, and its provider's discount, which goes by what the ledger has booked for the provider
    this month, before this send.
    """
    off = NOTHING_OFF
    if discounts:
        try:
            spent = ledger.spent(f"provider:{hold.request.provider}", Window.MONTH)
            off = volume_discount(discounts, spent=spent)
        except LedgerError:
            # Without a discount no less is booked than is charged, and the answer is not lost.
            logger.warning("no discount: the ledger cannot be read: deployment=%s", hold.request.deployment)
    booked = price.settled(usage, BillingContext(hold.held_at, clock.now(), off))
    return Charge(booked.cost_nusd, CostSource.PRICE_BOOK, usage, booked.version)


def charge_of_failure(
    target: Target, failure: Failure, *, bound_nusd: NanoUsd, sent: bool, text: str
) -> Charge:
    """Return what a failed attempt is booked at: what arrived, or all that was held where that is not known.

    `sent` says whether a byte may have left, `text` is what has arrived of a stream.
    """
    if not sent:
        return Charge(ZERO_NUSD, CostSource.NONE, Usage())
    if text and failure.kind not in _LEFT_BY_US:
        # The provider broke off: at most this was made.
        usage = _estimated_usage(target, text)
        cost = NanoUsd(min(target.price.cost_of(usage), bound_nusd))
        return Charge(cost, CostSource.ESTIMATE, usage)
    if failure.policy.billing is Billing.NO or bound_nusd == 0:
        return Charge(ZERO_NUSD, CostSource.NONE, Usage())
    # It is not known whether the provider will bill this, so the safe side is all that was held.
    return Charge(bound_nusd, CostSource.BOUND, Usage(estimated=True))


def attempt_row(
    request: HoldRequest,
    charge: Charge,
    *,
    failure: Failure | None,
    latency_s: float,
    first_token_s: float | None = None,
    upstream_id: str | None = None,
) -> Attempt:
    """Return the row of an attempt that has ended."""
    return Attempt(
        number=request.number,
        deployment=request.deployment,
        provider=request.provider,
        model=request.model,
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


def settle_attempt(
    ledger: Ledger, hold: Hold, attempt: Attempt, *, deferred: bool = False
) -> LedgerError | None:
    """Book an attempt; return the error of a booking that has to wait.

    The answer is paid for, and is not lost because the ledger cannot be written now: it keeps the booking,
    and it alerted. With `deferred`, on an event loop, it waits for no other process that has the file.
    """
    try:
        (ledger.settle_deferred if deferred else ledger.settle)(hold, attempt)
    except LedgerError as exc:
        return exc
    return None


def _outcome(failure: Failure | None) -> Outcome:
    if failure is None:
        return Outcome.SUCCEEDED
    return Outcome.CANCELLED if failure.kind is FailureKind.CANCELLED else Outcome.FAILED


def _estimated_usage(target: Target, text: str) -> Usage:
    """Return the most tokens that what was seen can be: a token is at least a byte."""
    return Usage(target.candidate.input_bound_tokens, len(text.encode()), estimated=True)
