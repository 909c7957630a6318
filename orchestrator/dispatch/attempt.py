"""One attempt under way: admitted, timed, heard, and booked exactly once.

A transport tells the attempt what happens to it: `start`, `mark_sent`, `begin_stream`, `receive`, `fail`.
The dispatcher tells it `succeed`. It ends once, whatever is told to it afterwards. Of one lane one attempt is
in flight at a time; any number of lanes may be.
"""

import logging
import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from orchestrator.catalog.rates import Rates
from orchestrator.catalog.service_tiers import LIST_PERCENT, tier_percent
from orchestrator.core.deadline import telling_silence_s
from orchestrator.core.failures import OF_THE_REQUEST, Failure, FailureKind, HealthScope
from orchestrator.core.plain_data import copied
from orchestrator.core.provider_answer import BilledUsage, ProviderAnswer, UnreadableAnswerError
from orchestrator.core.reply import Attempt, CostSource, Delta, Usage
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.admission import AttemptPermit, close
from orchestrator.dispatch.charges import (
    Charge,
    PricedSend,
    attempt_row,
    charge_of,
    charge_of_failure,
    settle_attempt,
)
from orchestrator.dispatch.history import DispatchHistory
from orchestrator.dispatch.pace import Pace
from orchestrator.dispatch.services import Services
from orchestrator.dispatch.target import Target
from orchestrator.dispatch.turn_timer import TurnTimer
from orchestrator.streaming.stream_writer import StreamWriter

logger = logging.getLogger("orchestrator.dispatch")


_REFUSED = frozenset({FailureKind.BAD_REQUEST, FailureKind.UNSUPPORTED})


class NotAdmittedError(Exception):
    """No money is held for this send, so it must not leave."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """What one attempt sends: copies of its own, which a library may change as it likes."""

    messages: list[dict[str, Any]]
    parameters: dict[str, Any]
    """Sampling parameters, tools and formats that the caller set."""
    max_tokens: int
    rates: Rates
    """The most that a token may cost."""


class AttemptTerms(NamedTuple):
    """What an attempt is made of when it is admitted."""

    request: ChatRequest
    """What this deployment is asked: the caller's request, or the rest of an answer that broke off."""
    number: int
    limit_s: float
    """The most it may take until the first words; later the provider's stall limit counts."""
    continues: bool
    """It asks for the rest of an answer that broke off."""
    turn_s: float = math.inf
    """How long it may be alive and of no use, while there is another to ask: no words, or hardly any."""


class Lane(Protocol):
    """What the attempts of one way along a plan share; one of them is in flight at a time."""

    services: Services
    history: DispatchHistory
    timer: TurnTimer
    writer: StreamWriter | None
    stream_began: bool
    """The latest attempt has begun to stream, so only the reader of the stream knows what has arrived."""

    def note_failure(self, attempt: "InFlightAttempt", failure: Failure) -> None:
        """Learn from a failure, before it is booked."""
        ...

    def leave(self, attempt: "InFlightAttempt") -> None:
        """Forget an attempt that has ended."""
        ...


class InFlightAttempt:
    """An attempt that has been admitted and has not ended."""

    def __init__(
        self,
        target: Target,
        terms: AttemptTerms,
        permit: AttemptPermit,
        *,
        lane: Lane,
    ) -> None:
        """Begin at the admission; nothing is sent yet."""
        self.target = target
        self.number = terms.number
        self._terms = terms
        self._permit = permit
        self._lane = lane
        self._admitted_at_s = lane.services.clock.monotonic_s()
        self._started_at_s: float | None = None
        self._first_token_at_s: float | None = None
        self._pace: Pace | None = None
        """How fast the words come; None before the first."""
        self._sent = False
        self._ended = False
        self._upstream_id: str | None = None

    @property
    def name(self) -> str:
        """Return the name of its deployment."""
        return self.target.name

    @property
    def request(self) -> ChatRequest:
        """Return what its deployment is asked; it is read and never changed."""
        return self._terms.request

    @property
    def max_tokens(self) -> int:
        """Return the most output that money is held for."""
        return self.target.candidate.max_tokens

    @property
    def rates(self) -> Rates:
        """Return the most that a token may cost."""
        return self.target.price.dearest

    @property
    def limit_s(self) -> float:
        """Return the most it may take until its first words."""
        return self._terms.limit_s

    @property
    def has_started(self) -> bool:
        """Return whether a transport has taken it."""
        return self._started_at_s is not None

    @property
    def was_sent(self) -> bool:
        """Return whether a byte of it may have left."""
        return self._sent

    def start(self) -> None:
        """Start its time: the transport is about to send it.

        Raises:
            NotAdmittedError: it was started before; its money is held for one send.
        """
        if self.has_started:
            raise NotAdmittedError(f"'{self.name}' was sent already")
        self._started_at_s = self._lane.services.clock.monotonic_s()
        self._lane.timer.allow(self._terms.limit_s)

    def outbound(self) -> Outbound:
        """Return what is to be sent, in copies that share nothing with the caller's request."""
        request = self._terms.request
        return Outbound(
            messages=[_sendable(message) for message in request.messages],
            parameters=copied(request.sampling.as_wire()),
            max_tokens=self.max_tokens,
            rates=self.rates,
        )

    def mark_sent(self) -> None:
        """Note that bytes leave from now on: it may be billed, and its failures speak of the provider."""
        self._sent = True

    def remark(self, text: str) -> None:
        """Keep what our own parts say of it, for the error that the caller gets."""
        self._lane.history.remarks[self.number] = text

    def identify(self, upstream_id: str | None) -> None:
        """Keep the provider's id of a stream, by which a broken one is found in its records."""
        self._upstream_id = upstream_id

    def begin_stream(self) -> None:
        """Note that the provider has begun to stream."""
        if self._ended:
            return
        self._lane.stream_began = True
        if self._lane.writer is not None:
            self._lane.writer.begin(self.name)

    def receive(self, delta: Delta | None) -> None:
        """Take a piece of a stream in, so that the stall limit starts anew; its turn ends nevertheless.

        None is a piece without words: the model works, but shows nothing yet.

        Raises:
            UnreadableAnswerError: it is another answer than the one that was begun, or one without an end.
        """
        if self._ended:
            # Late: the next attempt may be in flight, whose time and reader these are.
            return
        if delta is not None and self._first_token_at_s is None:
            self._first_token_at_s = self._lane.services.clock.monotonic_s()
        self._lane.timer.allow(self._patience_s(delta))
        if self._pace is not None and self._pace.written.is_endless(max_tokens=self.max_tokens):
            raise UnreadableAnswerError(Failure(FailureKind.ENDLESS))
        if delta is not None and self._lane.writer is not None:
            self._lane.writer.take(delta)

    def _patience_s(self, delta: Delta | None) -> float:
        """Return how long the next piece may take, and no longer than the turn of what brings too little."""
        now_s = self._lane.services.clock.monotonic_s()
        stall_s = self.target.deployment.provider.stall_timeout_s
        if self._pace is None:
            self._pace = Pace.begun_by(delta, now_s=now_s)
        elif delta is not None:
            self._pace.count(delta, now_s=now_s)
        if self._pace is not None and not self._pace.is_slow:
            return stall_s
        started_s = now_s if self._started_at_s is None else self._started_at_s
        return max(0.0, min(stall_s, started_s + self._terms.turn_s - now_s))

    def succeed(self, answer: ProviderAnswer) -> None:
        """Book it with what the provider charged, and keep what its answer says of itself.

        Once it has ended nothing happens.
        """
        if self._ended:
            return
        services, hold = self._lane.services, self._permit.hold
        billed = answer.billed
        if answer.usage.estimated:
            billed = replace(billed, usage=self._seen(len(answer.text.encode())))
        charge = charge_of(self._priced(), billed)
        if charge.source is CostSource.PRICE_BOOK and tier_percent(answer.service_tier) != LIST_PERCENT:
            self._lane.history.notices.append(
                f"answered in service tier '{answer.service_tier}', which nobody asked for; "
                f"{tier_percent(answer.service_tier)}% of the list price is booked"
            )
        if charge.cost_nusd > hold.request.bound_nusd:
            self._lane.history.notices.append(
                "the provider charged more than was reserved; the excess is booked"
            )
        self._lane.history.notices.extend(answer.notices)
        self._end(charge, failure=None, upstream_id=answer.upstream_id or self._upstream_id)
        size = hold.request.size
        if not answer.usage.estimated and size is not None:
            services.token_ratios.learn(
                self.target.deployment.model_name,
                size.script,
                expected_tokens=size.input_expected_tokens,
                counted_tokens=answer.usage.input_tokens,
            )

    def fail(self, failure: Failure, *, billed: ProviderAnswer | None = None) -> None:
        """Book it as failed, once; `billed` is what came instead of an answer, where it says what it cost."""
        if self._ended:
            return
        if self._terms.continues and failure.kind in _REFUSED:
            # The caller's own messages were taken before: what is refused is the begun answer.
            failure = replace(failure, kind=FailureKind.CONTINUATION_REFUSED)
        charge = charge_of_failure(
            self._priced(),
            failure,
            billed=self._billed(failure, billed),
            sent=self._sent,
            begun=self._first_token_at_s is not None,
        )
        upstream_id = (billed.upstream_id if billed else None) or self._upstream_id
        self._lane.note_failure(self, failure)
        self._end(charge, failure=failure, upstream_id=upstream_id)
        logger.log(
            logging.INFO if failure.kind in OF_THE_REQUEST else logging.WARNING,
            "attempt failed: request=%s attempt=%d deployment=%s failure=%s",
            self._permit.hold.request.operation_id,
            self.number,
            self.name,
            failure,
        )

    def _seen(self, output_bytes: int) -> Usage:
        """Return how many tokens what was seen can be: a token is at least a byte."""
        return Usage(self.target.candidate.input_bound_tokens, output_bytes, estimated=True)

    def _billed(self, failure: Failure, answer: ProviderAnswer | None) -> BilledUsage | None:
        if failure.kind is FailureKind.ENDLESS and self._pace is not None:
            return BilledUsage(self._seen(self._pace.written.billed_bytes))
        return None if answer is None else answer.billed

    def _priced(self) -> PricedSend:
        services, provider = self._lane.services, self.target.deployment.provider
        return PricedSend(
            self.target.price,
            self._permit.hold,
            provider.volume_discounts,
            ledger=services.ledger,
            clock=services.clock,
        )

    def _end(self, charge: Charge, *, failure: Failure | None, upstream_id: str | None) -> None:
        # First, and for good: whatever goes wrong below, it must not be booked a second time.
        self._ended = True
        lane = self._lane
        lane.leave(self)
        lane.timer.stop()
        now_s = lane.services.clock.monotonic_s()
        started_s = self._started_at_s if self._started_at_s is not None else self._admitted_at_s
        first_s = None if self._first_token_at_s is None else self._first_token_at_s - started_s
        row = attempt_row(
            self._permit.hold.request,
            charge,
            failure=failure,
            latency_s=now_s - started_s,
            first_token_s=first_s,
            upstream_id=upstream_id,
        )
        lane.history.attempts.append(row)
        health_scope = None if failure is None else self._health_scope(failure, row)
        close(self._permit, row, sent=self._sent, health_scope=health_scope, services=lane.services)
        late = settle_attempt(lane.services.ledger, self._permit.hold, row, deferred=True)
        if late is not None:
            lane.history.notices.append(f"booked late: {late}")

    def _health_scope(self, failure: Failure, row: Attempt) -> HealthScope:
        """Return whose health the failure speaks against; of none where only the caller was in a hurry."""
        if not self._sent and failure.kind is not FailureKind.UNREACHABLE:
            return HealthScope.NONE
        if failure.kind is FailureKind.TIMEOUT and failure.status is None:
            provider, health, usual_s = self.target.deployment.provider, self._lane.services.health, 0.0
            allowed_s, silent_s = provider.stall_timeout_s, row.latency_s
            if self._first_token_at_s is None:
                allowed_s, usual_s = provider.timeout_s, health.usual_s(self.name)
                if not usual_s:
                    # Whoever has answered nobody for its limit is silent, however little each one waited.
                    silent_s = max(silent_s, health.unanswered_s(self._permit.circuit))
            limit_s = min(provider.first_token_timeout_s, allowed_s)
            if silent_s < telling_silence_s(usual_s, limit_s=limit_s) * 0.99:
                return HealthScope.NONE
        return failure.policy.health_scope


def _sendable(message: Any) -> dict[str, Any]:
    return {key: copied(value) for key, value in message.items() if value is not None or key == "content"}
