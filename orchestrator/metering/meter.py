"""Money for sends that go past the Router: held before, settled after, one operation each.

`Meter.open` holds for one send of a client that is not ours, and whoever sends it ends it. A send that ends
without a cost is booked by the same rules as a failed attempt of any other request.
"""

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Self

from orchestrator.catalog.catalog import Deployment
from orchestrator.catalog.price import Price, VolumeDiscount
from orchestrator.catalog.service_tiers import LIST_PERCENT, tier_percent
from orchestrator.core.clock import Clock
from orchestrator.core.errors import InvalidRequestError, LedgerError
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.money import NanoUsd
from orchestrator.core.payer import Payer
from orchestrator.core.prompt_size import PromptSize
from orchestrator.core.provider_answer import BilledUsage, ProviderAnswer
from orchestrator.core.reply import Attempt, CacheState, Usage
from orchestrator.core.request import ChatRequest, Message
from orchestrator.core.run import counted_for
from orchestrator.dispatch.charges import (
    Charge,
    PricedSend,
    attempt_row,
    charge_of,
    charge_of_failure,
    settle_attempt,
)
from orchestrator.ledger.ledger import Hold, HoldRequest, Ledger, RequestRecord
from orchestrator.ledger.records import new_operation_id
from orchestrator.ledger.request_log import log_ended
from orchestrator.metering.leaving import Leave
from orchestrator.routing.estimate import bounded_for, measure

logger = logging.getLogger("orchestrator.metering")

DEFAULT_MAX_TOKENS = 1024
"""The output limit of a call that names none: without a limit there is no bound to hold."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a send buys: from which provider, under which names, at which price."""

    deployment: str
    provider: str
    model: str
    price: Price
    volume_discounts: tuple[VolumeDiscount, ...] = ()
    most_tokens: int | None = None
    """What the model reads of a prompt at most; None where nobody knows."""

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        """Return what a deployment of the catalogue offers."""
        return cls(
            deployment.name,
            deployment.provider_name,
            deployment.model_name,
            deployment.price,
            deployment.provider.volume_discounts,
            deployment.model.most_tokens,
        )


class MeteredSend:
    """One send under way, its money held; set what the provider said, then `end` it."""

    def __init__(self, meter: "Meter", hold: Hold, price: Price, *, input_bound_tokens: int) -> None:
        """Start the clock of a send."""
        self.billed = BilledUsage(Usage(estimated=True))
        """What the provider says that it used and charges, once it has said so."""
        self.reports_cost = False
        """The provider reports its charge; set by the code that reads its answers."""
        self.leave: Leave | None = None
        """What may leave for it, for code that hands the request to a client of others."""
        self.passed: set[str] = set()
        """Through which of LiteLLM's functions it has gone: each once."""
        self.origin = ""
        """Where it goes, for code that has to tell a connection there from one elsewhere."""
        self.upstream_id: str | None = None
        self.was_sent = True
        """A byte may have left; the code that sends says so where it knows that none has."""
        self.has_left = False
        """A byte has left: whatever is told later, it was sent."""
        self.began = False
        """An answer, a piece of one, or an error in its place with status 200 came: no failure is free."""
        self.has_ended = False
        """It is settled, or about to be; a task that was begun in it may go on."""
        self._meter = meter
        self._hold = hold
        self._price = price
        self._input_bound_tokens = input_bound_tokens
        self._started_s = meter.clock.monotonic_s()
        self._ends = count()
        """Each who ends it draws a number, at once in every thread; the first has it to do."""

    def take(self, answer: ProviderAnswer) -> None:
        """Keep what an answer says that it used, whole or not, or an error in its place."""
        self.billed = self.billed_of(answer)
        self.upstream_id = answer.upstream_id or self.upstream_id
        self.began = True

    def billed_of(self, answer: ProviderAnswer) -> BilledUsage:
        """Return what an answer says that it used; the most that was seen where it does not say."""
        if not answer.usage.estimated or not answer.text:
            return answer.billed
        # A token is at least a byte.
        seen = Usage(self._input_bound_tokens, len(answer.text.encode()), estimated=True)
        return replace(answer.billed, usage=seen)

    def covers(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        answers: int,
        declared: Sequence[Any] = (),
    ) -> bool:
        """Return whether the money that is held is enough for a request; its schemas are as they are sent."""
        size = self._meter.size_of([*messages, *({"role": "user", "content": text} for text in declared)])
        return _bound_of(self._price, size, max_tokens * answers) <= self._hold.request.bound_nusd

    def end(self, failure: Failure | None = None) -> None:
        """Settle the send and write its operation; a second call does nothing."""
        self.has_ended = True
        if next(self._ends) == 0:
            self._settle(failure)

    def end_apart(self, failure: Failure | None = None) -> None:
        """`end` in a thread of its own, for what runs wherever Python collects garbage.

        That may be in the middle of a transaction of the same thread, or of a lock that settling needs. A
        process that ends cannot book any more: its hold stays counted until it is reconciled.
        """
        self.has_ended = True
        if not sys.is_finalizing() and next(self._ends) == 0:
            threading.Thread(target=self._settle, args=(failure,), name="orchestrator-settle").start()

    def _settle(self, failure: Failure | None) -> None:
        charge = self._charge(failure)
        attempt = attempt_row(
            self._hold.request,
            charge,
            failure=failure,
            latency_s=self._meter.clock.monotonic_s() - self._started_s,
            upstream_id=self.upstream_id,
        )
        settle_attempt(self._meter.ledger, self._hold, attempt)
        self._meter.close(self._hold, attempt)

    def _charge(self, failure: Failure | None) -> Charge:
        meter = self._meter
        send = PricedSend(
            self._price, self._hold, meter.offer.volume_discounts, ledger=meter.ledger, clock=meter.clock
        )
        billed = self.billed
        if failure is None or billed.tells_cost:
            if tier_percent(billed.service_tier) != LIST_PERCENT:
                logger.warning("answered in service tier '%s', which nobody asked for", billed.service_tier)
            return charge_of(send, billed)
        if failure.kind is FailureKind.ENDLESS:
            usage = replace(billed.usage, input_tokens=self._input_bound_tokens)
            billed = replace(billed, usage=usage)
            return charge_of_failure(send, failure, billed=billed, sent=True, begun=True)
        return charge_of_failure(send, failure, sent=self.was_sent, begun=self.began)


class Meter:
    """Holds and settles the money of the sends of one payer for one offer."""

    def __init__(
        self,
        offer: Offer,
        payer: Payer,
        *,
        ledger: Ledger,
        clock: Clock,
        check_open: Callable[[], None] = lambda: None,
    ) -> None:
        """Remember who pays for what; nothing is held yet. `check_open` raises once nothing may be sent."""
        self._check_open = check_open
        self.offer = offer
        self.payer = payer
        self.ledger = ledger
        self.clock = clock

    def open(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        answers: int = 1,
        declared: Sequence[Any] = (),
    ) -> MeteredSend:
        """Hold the most that `answers` answers of `max_tokens` tokens can cost; the caller ends the send.

        `declared` are the tools and formats that are sent along with the messages. `max_tokens` is the
        client's own and is not lowered: what does not fit a limit is refused.

        Raises:
            ClosedError: what it sends for was closed.
            InvalidRequestError: the messages or the payer's names are malformed.
            BudgetExceededError: a limit would be passed; nothing may be sent.
            LedgerError: it could not be booked, so nothing may be sent.
        """
        self._check_open()
        payer = self.payer
        now = self.clock.now()
        price = self.offer.price.on(now.date())
        size = self.size_of(messages, declared=declared)
        claim = HoldRequest(
            operation_id=new_operation_id(now),
            number=1,
            deployment=self.offer.deployment,
            provider=self.offer.provider,
            model=self.offer.model,
            scopes=payer.scopes(self.offer.provider, self.offer.model),
            bound_nusd=_bound_of(price, size, max_tokens * answers),
            price_version=price.version,
            size=None if size.has_files else size,
            run=counted_for(payer.run),
        )
        return MeteredSend(self, self.ledger.hold(claim), price, input_bound_tokens=size.input_bound_tokens)

    def size_of(self, messages: Sequence[Message], *, declared: Sequence[Any] = ()) -> PromptSize:
        """Return what bounds a prompt, for the model that is asked.

        Raises:
            InvalidRequestError: the messages or the payer's names are malformed, or a file has no bound.
        """
        payer = self.payer
        request = ChatRequest.of(
            messages, use_case=payer.use_case, tenant=payer.tenant, user=payer.user, tags=payer.tags
        )
        return self._bounded(measure(request, declared=declared))

    def _bounded(self, size: PromptSize) -> PromptSize:
        if self.offer.most_tokens is not None:
            return bounded_for(size, self.offer.most_tokens)
        if size.file_bound_tokens is None:
            raise InvalidRequestError(
                f"a file in the prompt does not tell its tokens, and nobody knows what '{self.offer.deployment}' "
                "holds at most: name the model under 'models' in config.yaml, with its context_tokens"
            )
        return size

    def close(self, hold: Hold, attempt: Attempt) -> None:
        """Write the operation of a send that has ended."""
        operation = RequestRecord(
            id=hold.request.operation_id,
            started_at=hold.held_at,
            tenant=self.payer.tenant,
            use_case=self.payer.use_case,
            user=self.payer.user,
            tags=self.payer.tags,
            outcome=attempt.outcome,
            error=attempt.failure,
            cached=CacheState.MISS,
            degraded=None,
            deployment=attempt.deployment,
            provider=attempt.provider,
            model=attempt.model,
            attempts=1,
            usage=attempt.usage,
            cost_nusd=attempt.cost_nusd,
            latency_s=attempt.latency_s,
        )
        log_ended(operation)
        try:
            self.ledger.record_request(operation)
        except LedgerError as exc:
            # The money is in the attempt's row; this row follows with the next transaction.
            logger.error("the operation row is late: request=%s: %s", operation.id, exc)  # noqa: TRY400


def _bound_of(price: Price, size: PromptSize, output_tokens: int) -> NanoUsd:
    return price.bound_of(
        input_tokens=size.input_bound_tokens,
        output_tokens=output_tokens,
        file_tokens=size.file_bound_tokens or 0,
    )
