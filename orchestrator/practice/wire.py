"""What every wire format must be able to do, and the nouns they share."""

from dataclasses import dataclass
from typing import Protocol

import orjson

from orchestrator.core.money import NanoUsd
from orchestrator.practice.answers import PracticeRequest, PracticeToolCall
from orchestrator.practice.bill import PracticeUsage
from orchestrator.practice.fault_kinds import VectorFault
from orchestrator.practice.json_types import JsonObject, JsonValue
from orchestrator.practice.odd_bills import OddBill
from orchestrator.practice.wire_errors import Refusal


@dataclass(frozen=True, slots=True)
class WireCall:
    """A request as it was read from the wire."""

    request: PracticeRequest
    stream: bool
    include_usage: bool = True
    """Whether a stream says its usage at the end."""
    embeds: bool = False
    """Vectors are asked for; there is no output then."""
    stream_type: str = "text/event-stream; charset=utf-8"
    """The media type of a stream."""
    answers: int = 1
    """How many are asked for; practice models give the same one again."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is the same in every part of one reply."""

    reply_id: str
    created_s: int
    """Seconds since 1970."""
    provider: str
    model: str
    include_usage: bool = True
    input_tokens: int = 0
    answers: int = 1
    service_tier: str = "default"


@dataclass(frozen=True, slots=True)
class WireOutcome:
    """A finished answer with its usage and cost."""

    text: str
    tool_calls: tuple[PracticeToolCall, ...]
    finish_reason: str
    usage: PracticeUsage
    cost_nusd: NanoUsd
    thoughts: str = ""
    """What the model thought aloud."""
    vector_fault: VectorFault | None = None
    odd_bill: OddBill | None = None


def answers_of(asked: JsonValue, name: str, *, most: int) -> int:
    """Return how many answers are asked for.

    Raises:
        Refusal: 400, it is no number of answers.
    """
    if asked is None:
        return 1
    if type(asked) is not int or not 0 < asked <= most:
        raise Refusal(400, f"Invalid value for '{name}': expected a whole number from 1 to {most}.")
    return asked


class WireStream(Protocol):
    """Writes one streamed reply; every method returns whole events."""

    def opening(self) -> bytes:
        """Return what comes before the first piece."""
        ...

    def waiting(self) -> bytes:
        """Return what the provider sends while nothing is ready yet; may be empty."""
        ...

    def text(self, piece: str) -> bytes:
        """Return a piece of text."""
        ...

    def thought(self, piece: str) -> bytes:
        """Return a piece of what the model thinks aloud; may be empty."""
        ...

    def tool_call(self, call: PracticeToolCall, *, index: int) -> bytes:
        """Return a whole tool call, in as many events as the provider would use."""
        ...

    def ending(self, outcome: WireOutcome) -> bytes:
        """Return the finish, the usage where it belongs, and the end mark."""
        ...

    def error(self, status: int, *, body: JsonObject) -> bytes:
        """Return an error event; `body` is the provider's error body."""
        ...

    def malformed(self) -> bytes:
        """Return an event that is not valid JSON."""
        ...

    def odd(self) -> bytes:
        """Return an event whose text is a number."""
        ...


def decoded_arguments(call: PracticeToolCall) -> JsonValue:
    """Return the arguments of a call, for a format that sends them decoded: broken ones cannot be shown."""
    try:
        return orjson.loads(call.arguments)
    except orjson.JSONDecodeError:
        return {}


def openai_call(call_id: JsonValue, name: JsonValue, arguments: JsonValue) -> JsonObject:
    """Return a call of a history in OpenAI's shape, from decoded arguments."""
    function = {"name": name, "arguments": orjson.dumps(arguments or {}).decode()}
    return {"id": call_id or "", "type": "function", "function": function}


def openai_turn(
    role: JsonValue, *, parts: list[JsonObject], calls: list[JsonObject], results: list[JsonObject]
) -> list[JsonObject]:
    """Return a message in OpenAI's shape, the results of tools before it as messages of their own."""
    turn: JsonObject = {"role": role, "content": parts}
    if calls:
        turn["tool_calls"] = calls
    return [*results, turn] if parts or calls or not results else results
