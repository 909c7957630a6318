"""What comes back of a request: the reply, its attempts, its tokens, and the pieces of a stream."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from orchestrator.core.decision import Decision
from orchestrator.core.money import ZERO_NUSD, NanoUsd
from orchestrator.core.on_break import Restarted
from orchestrator.core.plan import Plan
from orchestrator.core.reasoning import NO_REASONING, Reasoning


class CacheState(StrEnum):
    """What the cache did for a reply."""

    MISS = "miss"
    HIT = "hit"
    JOINED = "joined"
    REPLAYED = "replayed"
    """Not the cache: the reply that this idempotency key got the first time."""
    STALE = "stale"
    """It had only an answer that is too old, and no model gave another."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them, or as we estimated them where it did not say."""

    input_tokens: int = 0
    """All input tokens, cached ones included."""
    output_tokens: int = 0
    """All output tokens, reasoning included."""
    cached_input_tokens: int = 0
    """Input tokens the provider read from its own cache."""
    cache_write_tokens: int = 0
    """Input tokens the provider stored in its own cache, where it charges for that."""
    reasoning_tokens: int = 0
    estimated: bool = False
    audio_input_tokens: int = 0
    """Part of the input tokens, and likewise below."""
    image_input_tokens: int = 0
    audio_output_tokens: int = 0
    """Part of the output tokens, and likewise below."""
    image_output_tokens: int = 0


class CostSource(StrEnum):
    """Where the cost of an attempt comes from."""

    PROVIDER = "provider"
    """The provider reported it."""
    PRICE_BOOK = "price_book"
    """Reported tokens times our price."""
    ESTIMATE = "estimate"
    """The share of their holds that other sends did cost, for a send whose process died."""
    BOUND = "bound"
    """It may have been billed, and how much is unknown: the whole reservation is booked."""
    NONE = "none"
    """Nothing was billed."""
    OPERATOR = "operator"
    """A person corrected it, with a reason."""


class Outcome(StrEnum):
    """How an attempt or an operation ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One send to one deployment."""

    number: int
    deployment: str
    provider: str
    model: str
    outcome: Outcome
    failure: str | None = None
    """The kind of failure, one of `core.failures.FailureKind`."""
    status: int | None = None
    latency_s: float = 0.0
    first_token_s: float | None = None
    usage: Usage = field(default_factory=Usage)
    cost_nusd: NanoUsd = ZERO_NUSD
    cost_source: CostSource = CostSource.NONE
    upstream_id: str | None = None
    """The provider's own id of the generation, to reconcile with its records."""
    price_version: str | None = None
    """The price its cost was computed with, discounts included; None: the one its money was held at."""


def spent_on(attempts: Iterable[Attempt]) -> NanoUsd:
    """Return what attempts cost together."""
    return NanoUsd(sum(attempt.cost_nusd for attempt in attempts))


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool that the model asks for; `arguments` is the JSON text as it came."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call in a stream; pieces with the same index belong together."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a streamed reply."""

    text: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    reasoning: str = ""
    """What the model thought before these words; it comes with them, for what failed before is not shown."""
    restarted: Restarted | None = None
    """Set when this piece begins a new answer and all before it is void (`on_break="restart"`)."""


class DegradationKind(StrEnum):
    """In which way an answer is not what the plan's first choice would have given."""

    BROKE_OFF = "broke_off"
    """A stream broke off; another attempt finished it or answered afresh."""
    FALLBACK = "fallback"
    """The first of the plan failed or was passed over, and another answered."""
    PRIMARY_LEFT_OUT = "primary_left_out"
    """The plan did not begin with the primary of the use case."""
    EMERGENCY_MODEL = "emergency_model"
    BELOW_QUALITY_FLOOR = "below_quality_floor"
    OLDER_ANSWER = "older_answer"
    """An older answer of the cache, because none could be had now."""
    UNCONFIRMED = "unconfirmed"
    """Its policy found no two answers alike, and no judge."""
    UNCHECKED = "unchecked"
    """No answer passed the checks of its policy."""
    NO_ANSWER = "no_answer"
    """An apology."""
    UNSPECIFIED = "unspecified"
    """Another version kept the reply, with a kind that this one does not know, or with none."""


@dataclass(frozen=True, slots=True)
class Degradation:
    """Why an answer is degraded: the kinds to decide by, and words for people. As text it is the words."""

    kinds: tuple[DegradationKind, ...]
    """What applies, in the order in which the text says it."""
    text: str
    for_caller: str | None = None
    """What callers of a server are told in the place of the words, which advise whoever runs it."""

    def __str__(self) -> str:
        """Return the words."""
        return self.text


_LONG_AGO = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class ChatReply:
    """The one standard reply, whichever model answered."""

    request_id: str
    text: str
    model: str
    """The model that answered: by our name, or by the vendor's where `openrouter/auto` and the like chose."""
    deployment: str
    """The deployment that was asked."""
    provider: str
    usage: Usage
    cost_nusd: NanoUsd
    """What this request cost: every billed attempt, 0 for a cache hit or a joined request."""
    finish_reason: str
    tool_calls: tuple[ToolCall, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    cached: CacheState = CacheState.MISS
    degraded: Degradation | None = None
    """Why the answer is not what the plan's first choice would have given; None when it is."""
    notices: tuple[str, ...] = ()
    """What was changed on the way, for example a lowered max_tokens."""
    latency_s: float = 0.0
    """From the first moment to the last; the time of each send stands in `attempts`."""
    queued_s: float = 0.0
    """Of that: what it waited for a place among the requests of this process (`overload`)."""
    created_at: datetime = _LONG_AGO
    plan: Plan | None = None
    decision: Decision | None = None
    """How a policy chose among several answers; None where the first one counted."""
    apology: bool = False
    """No model answered: the text is a message for people, and no answer to the prompt."""
    reasoning: Reasoning = NO_REASONING
    """What the model thought, apart from its answer; of a rescued stream, what the last attempt thought."""
    served_model: str | None = None
    """The model that answered, by the provider's own name; None where it does not say."""

    def as_message(self) -> dict[str, Any]:
        """Return the reply as an assistant's message, to be put into the next request with its reasoning."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text, **self.reasoning.as_fields()}
        if self.tool_calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in self.tool_calls
            ]
        return message
