"""The walk that LiteLLM's Router makes for us in this task: what its hooks and its HTTP client report to."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.failures import Billing, Failure, FailureKind
from orchestrator.dispatch.transport import AttemptSource
from orchestrator.providers.litellm.destination import Destination
from orchestrator.providers.litellm.error_mapping import failure_of
from orchestrator.providers.litellm.provider_words import ProviderWords
from orchestrator.providers.local.model import LocalModel


@dataclass(frozen=True, slots=True)
class Means:
    """What LiteLLM sends with."""

    local_model: LocalModel
    client: Any = None
    """The `SendOnceClient` of this event loop."""


@dataclass(slots=True)
class Sending:
    """One call of LiteLLM's Router: a source of attempts, and what LiteLLM sends them with."""

    source: AttemptSource
    means: Means | None = None
    """None where the attempts are sent by a wire of ours: LiteLLM itself may send nothing then."""
    outer_error: BaseException | None = None
    """What was being handled when the current attempt began: the failure of the attempt before it.

    LiteLLM's Router sends a fallback inside the `except` of the failure before, which Python notes as the
    context of every later error. Beyond this one nothing is the current attempt's own.
    """

    bridged: int = 0
    """The number of the attempt that LiteLLM has carried to another API; it does so once."""
    left: int = 0
    """The number of the latest attempt whose request was handed to an HTTP client."""
    last_status: int | None = None
    """The status of the last response to this attempt."""
    refusal: Failure | None = None
    """What the current attempt's refusal means, by the provider's own words."""
    words: ProviderWords | None = None
    """What the provider says itself, where that is read beside LiteLLM."""
    heard: ProviderWords | None = None
    """What was heard of the current attempt's answer; of a wire of ours its errors alone."""
    asked_for: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that LiteLLM was handed for the current attempt, to be compared with what it sends."""
    destination: Destination | None = None
    """Where the current attempt may go, and with whose key."""
    notices: list[str] = field(default_factory=list)
    """What was left out of the current attempt's request, for people."""
    error: Exception | None = None
    """What ends the walk, such as a ledger that cannot be written, so that no attempt is admitted."""

    @property
    def has_left(self) -> bool:
        """Return whether the current attempt's request is with an HTTP client, which may reach nobody."""
        attempt = self.source.current
        return attempt is not None and self.left == attempt.number

    def fail(self, error: BaseException) -> None:
        """Tell the current attempt that it failed; without one nothing happens."""
        attempt = self.source.current
        if attempt is not None:
            counted = None if self.words is None else self.words.counted_answer()
            attempt.fail(self.failure_of(error), billed=counted)

    def failure_of(self, error: BaseException) -> Failure:
        """Return what an error of the current attempt means, read from the attempt's own errors alone."""
        attempt = self.source.current
        if self.words is not None and self.refusal is not None:
            return self.refusal
        if self.heard is not None and self.heard.failure is not None:
            return self.heard.failure
        was_sent = attempt is None or self.has_left
        failure = failure_of(error, outer=self.outer_error, was_sent=was_sent)
        if was_sent and failure.kind is FailureKind.VETOED:
            # What the guard stopped came after a send, which may be billed.
            return Failure(FailureKind.UNKNOWN)
        if attempt is not None and attempt.was_sent and failure.kind is FailureKind.NOT_SENT:
            # What could not be written or read came after the first byte.
            return Failure(FailureKind.MALFORMED)
        left = attempt is not None and attempt.was_sent
        if (
            self.words is not None
            and left
            and failure.status is None
            and failure.policy.billing is Billing.NO
        ):
            # LiteLLM makes a status up for what it cannot read; what has left may be billed.
            return Failure(FailureKind.MALFORMED)
        return failure


CURRENT_SENDING: ContextVar[Sending | None] = ContextVar("orchestrator_sending", default=None)
"""The send of this task; LiteLLM's hooks and HTTP client run in it."""


@contextmanager
def in_this_task(sending: Sending) -> Iterator[None]:
    """Let LiteLLM's hooks of this task find `sending`."""
    before = CURRENT_SENDING.set(sending)
    try:
        yield
    finally:
        CURRENT_SENDING.reset(before)
