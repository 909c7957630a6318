"""The wire format of Bedrock's Converse API, whole and as a stream of Amazon's frames.

Requests become messages, tools and formats in OpenAI's shape. Cached tokens are counted beside the input, as
Anthropic does, and what is before a `cachePoint` is marked to be cached.
"""

import re
from typing import Any

import orjson

from orchestrator.core.event_frames import MEDIA_TYPE, Frame
from orchestrator.practice.answers import PracticeRequest, PracticeToolCall
from orchestrator.practice.json_types import JsonObject, JsonValue
from orchestrator.practice.prefix_errors import bedrock_error_type
from orchestrator.practice.thoughts import check_signature, signature_of
from orchestrator.practice.wire import (
    Envelope,
    WireCall,
    WireOutcome,
    decoded_arguments,
    openai_call,
    openai_turn,
)
from orchestrator.practice.wire_errors import Refusal

_PATH = re.compile(r"model/(?P<model>.+)/converse(?P<streams>-stream)?")
_FINISH = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "content_filter": "guardrail_intervened",
}
_CHOICES = {"auto": "auto", "any": "required"}
_ARGUMENT_PIECE = 24
_VENDOR = "anthropic"
"""Whose models think at Bedrock."""
_MARK = {"cache_control": {"type": "ephemeral"}}


def read_bedrock_request(path: str, body: JsonObject) -> WireCall | None:
    """Return the request of a path and a decoded body, None where the path asks for no answer.

    Raises:
        Refusal: 400, when it has no messages, no limit of output, or a thought with a false signature.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    messages, config = body.get("messages"), body.get("inferenceConfig") or {}
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise Refusal(400, "A conversation must start with a user message. Try again.")
    if not isinstance(config.get("maxTokens"), int):
        raise Refusal(400, "practice providers want inferenceConfig.maxTokens")
    tools = (body.get("toolConfig") or {}).get("tools") or ()
    choice, forced = _tool_choice((body.get("toolConfig") or {}).get("toolChoice"))
    request = PracticeRequest(
        provider="bedrock",
        model=match["model"],
        messages=(*_system(body.get("system")), *(part for each in messages for part in _read(each))),
        tools=tuple(_tool(tool["toolSpec"]) for tool in tools if "toolSpec" in tool),
        tool_choice=choice,
        forced_tool=forced,
        response_format=_response_format(body),
        max_tokens=config["maxTokens"],
        stop=tuple(config.get("stopSequences") or ()),
        temperature=config.get("temperature"),
    )
    return WireCall(request=request, stream=match["streams"] is not None, stream_type=MEDIA_TYPE)


def bedrock_reply(_: Envelope, outcome: WireOutcome) -> JsonObject:
    """Return the body of an answer in one piece."""
    content = _thought_blocks(outcome)
    content += [{"text": outcome.text}] if outcome.text else []
    content += [
        {"toolUse": {"toolUseId": call.id, "name": call.name, "input": decoded_arguments(call)}}
        for call in outcome.tool_calls
    ]
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": _FINISH.get(outcome.finish_reason, outcome.finish_reason),
        "usage": bedrock_usage(outcome),
        "metrics": {"latencyMs": 1},
    }


def bedrock_usage(outcome: WireOutcome) -> JsonObject:
    """Return the usage object: what was read from the cache or stored in it is not in `inputTokens`."""
    usage = outcome.usage
    return {
        "inputTokens": usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens,
        "cacheReadInputTokens": usage.cached_input_tokens,
        "cacheWriteInputTokens": usage.cache_write_tokens,
    }


class BedrockStream:
    """Writes a streamed reply: one frame for each event, one block of content after the other."""

    def __init__(self, _: Envelope) -> None:
        """Open no block yet."""
        self._place = -1
        self._is_open = False
        self._thought: list[str] | None = None
        """The pieces of the thought that is being written."""

    def opening(self) -> bytes:
        """Return the frame that names the role."""
        return _frame("messageStart", {"role": "assistant"})

    def waiting(self) -> bytes:
        """Return nothing: Bedrock is silent until it has something to say."""
        return b""

    def text(self, piece: str) -> bytes:
        """Return a piece of text; a block of text begins with its first piece."""
        return self._block() + self._delta({"text": piece})

    def thought(self, piece: str) -> bytes:
        """Return a piece of what the model thinks aloud; it is signed when its block is closed."""
        closed = b"" if self._thought is not None else self._next()
        self._thought = [*(self._thought or ()), piece]
        return closed + self._delta({"reasoningContent": {"text": piece}})

    def tool_call(self, call: PracticeToolCall, *, index: int) -> bytes:  # noqa: ARG002 -- blocks are numbered
        """Return the call as a block of its own, its arguments in pieces."""
        start = {"toolUse": {"toolUseId": call.id, "name": call.name}}
        frames = [
            self._next(),
            _frame("contentBlockStart", {"contentBlockIndex": self._place, "start": start}),
        ]
        for at in range(0, len(call.arguments), _ARGUMENT_PIECE):
            piece = call.arguments[at : at + _ARGUMENT_PIECE]
            frames.append(self._delta({"toolUse": {"input": piece}}))
        return b"".join((*frames, self._close()))

    def ending(self, outcome: WireOutcome) -> bytes:
        """Return the end of the open block, the finish, and the frame with the whole usage."""
        finish = {"stopReason": _FINISH.get(outcome.finish_reason, outcome.finish_reason)}
        counts = {"usage": bedrock_usage(outcome), "metrics": {"latencyMs": 1}}
        return self._close() + _frame("messageStop", finish) + _frame("metadata", counts)

    def error(self, status: int, *, body: JsonObject) -> bytes:
        """Return the error as a frame of its own kind."""
        kind = bedrock_error_type(status, in_stream=True)
        headers = {":message-type": "exception", ":exception-type": kind, ":content-type": "application/json"}
        return Frame(headers, orjson.dumps(body)).encoded()

    def malformed(self) -> bytes:
        """Return a frame with a false checksum."""
        return self._block() + self._delta({"text": "bro"})[:-1] + b"\0"

    def odd(self) -> bytes:
        """Return a frame whose text is a number."""
        return self._block() + self._delta({"text": 7})

    def _block(self) -> bytes:
        """Be in a block of text; it is begun where none is open."""
        return b"" if self._is_open and self._thought is None else self._next()

    def _next(self) -> bytes:
        closed = self._close()
        self._place += 1
        self._is_open = True
        return closed

    def _close(self) -> bytes:
        """End the open block, where one is open."""
        if not self._is_open:
            return b""
        signature = b""
        if self._thought is not None:
            signed = signature_of(_VENDOR, "".join(self._thought))
            signature = self._delta({"reasoningContent": {"signature": signed}})
        self._is_open, self._thought = False, None
        return signature + _frame("contentBlockStop", {"contentBlockIndex": self._place})

    def _delta(self, delta: JsonObject) -> bytes:
        return _frame("contentBlockDelta", {"contentBlockIndex": self._place, "delta": delta})


def _frame(kind: str, event: JsonObject) -> bytes:
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return Frame(headers, orjson.dumps(event)).encoded()


def _thought_blocks(outcome: WireOutcome) -> list[JsonObject]:
    """Return what the model thought aloud, signed."""
    text = outcome.thoughts
    if not text:
        return []
    return [{"reasoningContent": {"reasoningText": {"text": text, "signature": signature_of(_VENDOR, text)}}}]


def _system(blocks: JsonValue) -> list[JsonObject]:
    return [{"role": "system", "content": _parts(blocks)}] if blocks else []


def _read(message: JsonObject) -> list[JsonObject]:
    """Return a message in OpenAI's shape: results of tools are messages of their own."""
    blocks = [block for block in message.get("content") or () if isinstance(block, dict)]
    for block in blocks:
        _check_thought((block.get("reasoningContent") or {}).get("reasoningText"))
    results = [
        {"role": "tool", "tool_call_id": result.get("toolUseId"), "content": _result(result.get("content"))}
        for block in blocks
        if (result := block.get("toolResult")) is not None
    ]
    calls = [_call(block["toolUse"]) for block in blocks if "toolUse" in block]
    return openai_turn(message.get("role"), parts=_parts(blocks), calls=calls, results=results)


def _check_thought(thought: JsonValue) -> None:
    if isinstance(thought, dict):
        check_signature(thought.get("signature"), _VENDOR, str(thought.get("text")))


def _parts(blocks: JsonValue) -> list[JsonObject]:
    """Return the texts and the media of blocks; what stands before a `cachePoint` is marked."""
    parts: list[JsonObject] = []
    for block in blocks or ():
        if "text" in block:
            parts.append({"type": "text", "text": str(block["text"])})
        elif "cachePoint" in block and parts:
            parts[-1] |= _MARK
        elif block.keys() & {"image", "document", "video"}:
            parts.append({"type": "media"})
    return parts


def _result(content: JsonValue) -> str:
    texts = (
        str(block["text"]) if "text" in block else orjson.dumps(block.get("json")).decode()
        for block in content or ()
    )
    return "\n".join(texts)


def _call(block: JsonObject) -> JsonObject:
    return openai_call(block.get("toolUseId"), block.get("name"), block.get("input"))


def _tool(spec: JsonObject) -> JsonObject:
    return {
        "name": spec.get("name"),
        "description": spec.get("description") or "",
        "parameters": (spec.get("inputSchema") or {}).get("json") or {},
    }


def _tool_choice(choice: JsonValue) -> tuple[str, str | None]:
    if not isinstance(choice, dict) or not choice:
        return "auto", None
    if "tool" in choice:
        return "named", choice["tool"].get("name")
    return _CHOICES.get(next(iter(choice)), "auto"), None


def _response_format(body: JsonObject) -> JsonObject | None:
    form: Any = ((body.get("outputConfig") or {}).get("textFormat") or {}).get("structure") or {}
    schema = (form.get("jsonSchema") or {}).get("schema")
    if schema is None:
        return None
    plain = orjson.loads(schema) if isinstance(schema, str) else schema
    return {"type": "json_schema", "json_schema": {"name": "response", "schema": plain}}
