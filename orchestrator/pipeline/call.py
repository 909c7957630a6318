"""A request on its way, with all that applies to it, and the signature of the steps that it passes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from orchestrator.config.modes import check_mode
from orchestrator.core.arms import Arm
from orchestrator.core.call_ids import with_own_ids
from orchestrator.core.clock import Clock
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DeadlineExceededError, FailedStep, about
from orchestrator.core.fitted_names import NO_NAMES_CHANGED, FittedNames
from orchestrator.core.json_log import LoggedRequest
from orchestrator.core.media_bytes import check_media
from orchestrator.core.message_checks import check_conversation
from orchestrator.core.money import NanoUsd
from orchestrator.core.payer import Payer
from orchestrator.core.plan import Plan
from orchestrator.core.prompt_size import PromptSize
from orchestrator.core.reply import Attempt, ChatReply, spent_on
from orchestrator.core.request import ChatRequest
from orchestrator.ledger.record_settings import Recorded
from orchestrator.ledger.records import new_operation_id
from orchestrator.pipeline.arms import arm_of
from orchestrator.pipeline.services import ConfigSnapshot
from orchestrator.resilience.retry_policy import RetryProfile
from orchestrator.routing.settings import UseCaseSettings
from orchestrator.streaming.reply_stream import StreamSink


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """Which deployments may be asked, and how large the prompt is that they are planned for."""

    plan: Plan
    size: PromptSize


@dataclass(slots=True)
class Trace:
    """How far a call came; filled on the way, because a call that is cancelled returns nothing."""

    plan: Plan | None = None
    attempts: tuple[Attempt, ...] = ()
    passed_over: tuple[FailedStep, ...] = ()
    size: PromptSize | None = None
    """None until the call is planned."""
    queued_s: float = 0.0
    """What it waited for a slot."""

    @property
    def spent_nusd(self) -> NanoUsd:
        """Return what all attempts cost."""
        return spent_on(self.attempts)


@dataclass(frozen=True, slots=True)
class Call:
    """One request with what applies to it from its first moment to its last."""

    id: str
    request: ChatRequest
    snapshot: ConfigSnapshot
    use_case: UseCaseSettings
    profile: RetryProfile
    payer: Payer
    started_at: datetime
    deadline: Deadline
    sink: StreamSink | None = None
    """Takes the pieces of a stream; None for a request that wants its reply whole."""
    stale: ChatReply | None = None
    """What the cache has that is too old to be repeated while any deployment answers."""
    cache_key: str | None = None
    """The key under which the cache was asked already."""
    planned: PlannedRequest | None = None
    """None until the call is planned."""
    trace: Trace = field(default_factory=Trace)
    names: FittedNames = NO_NAMES_CHANGED
    """Of tools and schemas in its request, as they are sent; the caller reads his own."""
    arm: Arm | None = None
    """The side of an experiment that it is on; None of most."""

    @classmethod
    def of(
        cls,
        request: ChatRequest,
        snapshot: ConfigSnapshot,
        *,
        clock: Clock,
        sink: StreamSink | None = None,
        identity: str | None = None,
    ) -> Self:
        """Look up, once, what a configuration says of a request that begins now.

        `identity` is its id where it is not to be drawn by chance: 32 hexadecimal digits, nobody else's.

        Raises:
            InvalidRequestError: its messages hold what no provider's format has; its use case is for another
                kind of request.
            UnknownNameError: config.yaml does not define its use case, profile or model.
        """
        config = snapshot.config
        # Before money is held or anybody asked: what never leaves is nobody's illness.
        with about("messages"):
            check_conversation(request.messages)
            check_media(request.messages)
        messages = with_own_ids(request.messages)
        request = request if messages is request.messages else replace(request, messages=messages)
        names = FittedNames.of(request)
        request = names.in_request(request)
        if sink is not None:
            sink.names = names
        config.use_case_named(request.use_case)
        check_mode(request, config.settings, config.catalog)
        identity, payer = identity or new_operation_id(clock.now()), Payer.of(request)
        arm = arm_of(config, request, payer, identity, moment=clock.now())
        if arm is not None and arm.asks_candidate:
            config = config.with_candidate(arm.experiment)
            snapshot = replace(snapshot, config=config)
        return cls(
            id=identity,
            request=request,
            snapshot=snapshot,
            use_case=config.use_case_of(request),
            profile=config.profile_of(request),
            payer=payer,
            started_at=clock.now(),
            deadline=Deadline.after(config.deadline_s_of(request), clock=clock),
            sink=sink,
            names=names,
            arm=arm,
        )

    @property
    def logged(self) -> LoggedRequest:
        """Return it as lines of the log name it."""
        return LoggedRequest(self.id, self.payer.tenant, self.payer.use_case)

    @property
    def recorded(self) -> Recorded:
        """Return how much is kept of it: as its caller's are, whoever pays."""
        settings = self.snapshot.config.settings.record
        return settings.of(tenant=self.request.tenant, use_case=self.request.use_case)

    @property
    def has_delivered(self) -> bool:
        """Return whether the reader of a stream has anything yet; then no other reply may follow."""
        return self.sink is not None and self.sink.has_delivered

    def hand_over(self, reply: ChatReply) -> ChatReply:
        """Return a reply that is known as a whole, after the reader of a stream got its pieces."""
        if self.sink is not None:
            self.sink.hand_over(reply)
        return reply

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        """Interrupt the block, which sends nothing, at the deadline.

        Raises:
            DeadlineExceededError: it was interrupted.
        """
        try:
            async with asyncio.timeout(self.deadline.left_s()):
                yield
        except TimeoutError:
            raise self.too_late(nothing_sent=True) from None

    def too_late(
        self, delivered: str = "", *, nothing_sent: bool = False, remark: str = ""
    ) -> DeadlineExceededError:
        """Return the error of a deadline that is over; `delivered` is what the reader of a stream has.

        `remark` is what our own parts say of the attempt that it ended.
        """
        had = f"; {len(delivered)} characters had been delivered, see partial_text" if delivered else ""
        return DeadlineExceededError(
            f"no {'whole ' if delivered else ''}answer within {self.deadline.timeout_s:g} s{had}; "
            f"{remark}{'; ' if remark else ''}"
            "allow more with deadline_s or the retry profile, or ask for less",
            partial_text=delivered,
            nothing_sent=nothing_sent,
        ).of_request(self.id)


Step = Callable[[Call], Awaitable[ChatReply]]
"""Answers a call, by itself or with the step that follows it."""
