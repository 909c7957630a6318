"""What an attempt cost, and what says so: the provider, the price book, or the bound."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from orchestrator.catalog.price import NOTHING_OFF, BillingContext, Price, VolumeDiscount, volume_discount
from orchestrator.catalog.service_tiers import LIST_PERCENT, tier_percent
from orchestrator.core.clock import Clock
from orchestrator.core.errors import LedgerError
from orchestrator.core.failures import Billing, Failure, FailureKind
from orchestrator.core.money import ZERO_NUSD, NanoUsd, share_nusd
from orchestrator.core.provider_answer import BilledUsage
from orchestrator.core.reply import Attempt, CostSource, Outcome, Usage
from orchestrator.dispatch.pace import TOKEN_BYTES_MAX
from orchestrator.ledger.budgets import Window
from orchestrator.ledger.ledger import Hold, HoldRequest, Ledger

logger = logging.getLogger("orchestrator.dispatch")

_LEAST_PART = 100
"""No discount of a provider's leaves less than this part of a price."""
_FEE_PART = 10
"""OpenRouter's fee for a customer's own key is a twentieth of its host's price, which may be twice ours."""


class Charge(NamedTuple):
    """What an attempt cost, and what says so."""

    cost_nusd: NanoUsd
    source: CostSource
    usage: Usage
    price_version: str | None = None
    """The price that was applied, where it is another than the one money was held at."""


class PricedSend(NamedTuple):
    """A send that may have to be paid: at which price, held as what, with which discounts."""

    price: Price
    hold: Hold
    discounts: Sequence[VolumeDiscount]
    ledger: Ledger
    clock: Clock


def charge_of(send: PricedSend, billed: BilledUsage) -> Charge:
    """Return what an answer cost: what its provider says before what our price book says.

    A fee comes on top of what it does not say itself. Without a cost and a count it is all that was held: a
    model may have thought more than it wrote.
    """
    usage, reported_nusd = billed.usage, billed.reported_cost_nusd
    if reported_nusd is not None and _is_believed(send, billed, reported_nusd):
        return Charge(reported_nusd, CostSource.PROVIDER, usage)
    charge = _unknown(send, usage) if usage.estimated else _by_price_book(send, usage, billed.service_tier)
    if not billed.fee_nusd:
        return charge
    return charge._replace(cost_nusd=NanoUsd(charge.cost_nusd + billed.fee_nusd))


def charge_of_failure(
    send: PricedSend, failure: Failure, *, billed: BilledUsage | None = None, sent: bool, begun: bool
) -> Charge:
    """Return what a failed attempt is booked at: what was billed, or all that was held where nobody knows.

    `sent` says whether a byte may have left, `begun` whether a part of an answer has arrived, `billed` is
    what came in its place with status 200: that request was accepted, and nothing that fails after it is
    free. What has arrived is no measure, since thoughts and whatever comes after a broken connection are
    billed unseen; but whoever ignored the limit of output may charge for all that it wrote.
    """
    if billed is not None and failure.kind is FailureKind.ENDLESS:
        charge = _bound(send, billed.usage)
        return charge._replace(cost_nusd=max(charge.cost_nusd, send.price.cost_of(billed.usage)))
    if billed is not None and billed.tells_cost:
        return charge_of(send, billed)
    accepted = begun or billed is not None
    if not sent or (failure.policy.billing is Billing.NO and not accepted):
        return Charge(ZERO_NUSD, CostSource.NONE, Usage())
    return _bound(send, Usage(estimated=True))


def _is_believed(send: PricedSend, billed: BilledUsage, reported_nusd: NanoUsd) -> bool:
    """Return whether a reported cost is one: next to nothing for tokens that have a price is none.

    Nor is what may be a fee alone, and is as low as one. Where tokens were not counted nothing says how many
    it is for, so it is one where it is no less than all that was held.
    """
    if billed.usage.estimated:
        return reported_nusd >= send.hold.request.bound_nusd
    least_part = _FEE_PART if billed.fee_nusd else _LEAST_PART
    return reported_nusd * least_part >= send.price.cost_of(billed.usage)


def _by_price_book(send: PricedSend, usage: Usage, service_tier: str | None) -> Charge:
    """Return what the price book says of a usage that just ended.

    Its hours count, and its provider's discount, which goes by what the ledger has booked for the provider
    this month, before this send.
    """
    off, request = NOTHING_OFF, send.hold.request
    if send.discounts:
        try:
            spent = send.ledger.spent(f"provider:{request.provider}", Window.MONTH)
            off = volume_discount(send.discounts, spent=spent)
        except LedgerError:
            # Without a discount no less is booked than is charged, and the answer is not lost.
            logger.warning("no discount: the ledger cannot be read: deployment=%s", request.deployment)
    booked = send.price.settled(usage, BillingContext(send.hold.held_at, send.clock.now(), off))
    percent = tier_percent(service_tier)
    if percent == LIST_PERCENT:
        return Charge(booked.cost_nusd, CostSource.PRICE_BOOK, usage, booked.version)
    cost = share_nusd(booked.cost_nusd, numerator=percent, denominator=LIST_PERCENT)
    version = f"{booked.version}, service tier {service_tier} at {percent}%"
    return Charge(cost, CostSource.PRICE_BOOK, usage, version)


def _unknown(send: PricedSend, usage: Usage) -> Charge:
    """Return the charge of an answer that nobody counted, of which `usage` has the most that was seen.

    Who wrote more than can have been held for knew of no limit, and may charge for all of it.
    """
    charge = _bound(send, usage)
    least = send.price.cost_of(Usage(output_tokens=usage.output_tokens // TOKEN_BYTES_MAX))
    return charge._replace(cost_nusd=send.price.cost_of(usage)) if least > charge.cost_nusd else charge


def _bound(send: PricedSend, usage: Usage) -> Charge:
    bound = send.hold.request.bound_nusd
    return Charge(bound, CostSource.BOUND if bound else CostSource.NONE, usage)


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
