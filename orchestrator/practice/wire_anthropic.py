"""The wire format of Anthropic's Messages API, whole and as a stream of its events.

Requests become messages, tools and formats in OpenAI's shape. Cached tokens are counted beside the input, and
thought is a block of its own.
"""

from typing import Any

import orjson

from orchestrator.practice.answers import PracticeRequest, PracticeToolCall
from orchestrator.practice.json_types import JsonObject, JsonValue
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

_FINISH = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "content_filter": "refusal",
}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_ARGUMENT_PIECE = 24
_VENDOR = "anthropic"


def read_anthropic_request(body: JsonObject, *, provider: str = "anthropic") -> WireCall:
    """Return the request in a decoded body; `provider` is Vertex AI where that carries the model.

    Raises:
        Refusal: 400, when it has no model, no messages or no limit of output.
    """
    model, messages = body.get("model"), body.get("messages")
    if not isinstance(model, str):
        raise Refusal(400, "model: Field required")
    if not isinstance(body.get("max_tokens"), int):
        raise Refusal(400, "max_tokens: Field required")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise Refusal(400, "messages: at least one message is required")
    budget = (body.get("thinking") or {}).get("budget_tokens")
    if isinstance(budget, int) and budget >= body["max_tokens"]:
        raise Refusal(400, "`max_tokens` must be greater than `thinking.budget_tokens`.")
    _check_thoughts(messages)
    choice, forced = _tool_choice(body.get("tool_choice"))
    request = PracticeRequest(
        provider=provider,
        model=model,
        messages=(*_system(body.get("system")), *(part for each in messages for part in _read(each))),
        tools=tuple(_tool(tool) for tool in body.get("tools") or ()),
        tool_choice=choice,
        forced_tool=forced,
        response_format=_response_format(body),
        max_tokens=body["max_tokens"],
        stop=tuple(body.get("stop_sequences") or ()),
        temperature=body.get("temperature"),
    )
    return WireCall(request=request, stream=bool(body.get("stream")))


def anthropic_reply(envelope: Envelope, outcome: WireOutcome) -> JsonObject:
    """Return the body of an answer in one piece."""
    content = _thought_blocks(outcome)
    content += [{"type": "text", "text": outcome.text}] if outcome.text else []
    content += [_call_block(call, decoded_arguments(call)) for call in outcome.tool_calls]
    return {
        **_head(envelope),
        "content": content,
        "stop_reason": _FINISH.get(outcome.finish_reason, outcome.finish_reason),
        "usage": anthropic_usage(outcome),
    }


def anthropic_usage(outcome: WireOutcome) -> JsonObject:
    """Return the usage object: what was read from the cache or stored in it is not in `input_tokens`."""
    usage = outcome.usage
    return {
        "input_tokens": usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
        "service_tier": "standard",
    }


class AnthropicStream:
    """Writes a streamed reply: named events, one block of content after the other."""

    def __init__(self, envelope: Envelope) -> None:
        """Open no block yet."""
        self._envelope = envelope
        self._place = -1
        self._in_text = False
        self._thought: list[str] | None = None
        """The pieces of the thought that is being written."""

    def opening(self) -> bytes:
        """Return the event with the message that is to come, and a sign of life."""
        usage = {"input_tokens": self._envelope.input_tokens, "output_tokens": 1}
        message = {**_head(self._envelope), "content": [], "stop_reason": None, "usage": usage}
        return _event({"type": "message_start", "message": message}) + self.waiting()

    def waiting(self) -> bytes:
        """Return the event that means nothing."""
        return _event({"type": "ping"})

    def text(self, piece: str) -> bytes:
        """Return a piece of text, in a block that it opens where none is open."""
        return self._text_block() + self._delta({"type": "text_delta", "text": piece})

    def thought(self, piece: str) -> bytes:
        """Return a piece of what the model thinks aloud; its block is signed when it is closed."""
        opened = b""
        if self._thought is None:
            opened = self._close() + self._open({"type": "thinking", "thinking": "", "signature": ""})
            self._thought = []
        self._thought.append(piece)
        return opened + self._delta({"type": "thinking_delta", "thinking": piece})

    def tool_call(self, call: PracticeToolCall, *, index: int) -> bytes:  # noqa: ARG002 -- blocks are numbered
        """Return the call as a block of its own, its arguments in pieces."""
        events = [self._close(), self._open(_call_block(call, {}))]
        for at in range(0, len(call.arguments), _ARGUMENT_PIECE):
            part = call.arguments[at : at + _ARGUMENT_PIECE]
            events.append(self._delta({"type": "input_json_delta", "partial_json": part}))
        events.append(_event({"type": "content_block_stop", "index": self._place}))
        return b"".join(events)

    def ending(self, outcome: WireOutcome) -> bytes:
        """Return the end of the open block, the finish with the whole usage, and the end of the message."""
        finish = {
            "stop_reason": _FINISH.get(outcome.finish_reason, outcome.finish_reason),
            "stop_sequence": None,
        }
        last = {"type": "message_delta", "delta": finish, "usage": anthropic_usage(outcome)}
        return self._close() + _event(last) + _event({"type": "message_stop"})

    def error(self, status: int, *, body: JsonObject) -> bytes:  # noqa: ARG002 -- it is in the body
        """Return the error as an event."""
        return _event(body)

    def malformed(self) -> bytes:
        """Return an event that breaks off in the middle."""
        begun = b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"bro\n\n'
        return self._text_block() + b"event: content_block_delta\n" + begun

    def odd(self) -> bytes:
        """Return an event whose text is a number."""
        return self._text_block() + self._delta({"type": "text_delta", "text": 7})

    def _text_block(self) -> bytes:
        if self._in_text:
            return b""
        opened = self._close() + self._open({"type": "text", "text": ""})
        self._in_text = True
        return opened

    def _open(self, block: JsonObject) -> bytes:
        self._place += 1
        return _event({"type": "content_block_start", "index": self._place, "content_block": block})

    def _close(self) -> bytes:
        """End the open block, where one is open."""
        signature = b""
        if self._thought is not None:
            signed = signature_of(_VENDOR, "".join(self._thought))
            signature = self._delta({"type": "signature_delta", "signature": signed})
        elif not self._in_text:
            return b""
        self._in_text, self._thought = False, None
        return signature + _event({"type": "content_block_stop", "index": self._place})

    def _delta(self, delta: JsonObject) -> bytes:
        return _event({"type": "content_block_delta", "index": self._place, "delta": delta})


def _thought_blocks(outcome: WireOutcome) -> list[JsonObject]:
    """Return what the model thought: aloud and signed, or unseen."""
    text = outcome.thoughts
    if text:
        return [{"type": "thinking", "thinking": text, "signature": signature_of(_VENDOR, text)}]
    unseen = {"type": "redacted_thinking", "data": signature_of(_VENDOR, "")}
    return [unseen] if outcome.usage.reasoning_tokens else []


def _check_thoughts(messages: list[JsonObject]) -> None:
    """Check the signatures of thoughts that come back.

    Raises:
        Refusal: 400, as for `check_signature`.
    """
    for message in messages:
        content = message.get("content")
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict) and block.get("type") == "thinking":
                check_signature(block.get("signature"), _VENDOR, str(block.get("thinking")))
            elif isinstance(block, dict) and block.get("type") == "redacted_thinking":
                check_signature(block.get("data"), _VENDOR)


def _head(envelope: Envelope) -> JsonObject:
    return {
        "id": envelope.reply_id,
        "type": "message",
        "role": "assistant",
        "model": envelope.model,
        "stop_sequence": None,
    }


def _event(event: JsonObject) -> bytes:
    return b"event: " + str(event["type"]).encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n"


def _call_block(call: PracticeToolCall, arguments: Any) -> JsonObject:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


def _system(value: JsonValue) -> list[JsonObject]:
    if not value:
        return []
    content = value if isinstance(value, str) else [_text_part(block) for block in value]
    return [{"role": "system", "content": content}]


def _read(message: JsonObject) -> list[JsonObject]:
    """Return a message in OpenAI's shape: results of tools are messages of their own."""
    content = message.get("content")
    if isinstance(content, str):
        return [{"role": message.get("role"), "content": content}]
    blocks = [block for block in content or () if isinstance(block, dict)]
    results = [
        {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": _result(block.get("content"))}
        for block in blocks
        if block.get("type") == "tool_result"
    ]
    calls = [_call(block) for block in blocks if block.get("type") == "tool_use"]
    parts = [_text_part(block) for block in blocks if block.get("type") in {"text", "image", "document"}]
    return openai_turn(message.get("role"), parts=parts, calls=calls, results=results)


def _text_part(block: JsonObject) -> JsonObject:
    if block.get("type") != "text":
        return {"type": "media"}
    marked = {name: value for name, value in block.items() if name == "cache_control"}
    return {"type": "text", "text": str(block.get("text")), **marked}


def _result(content: JsonValue) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(block.get("text")) for block in content or () if isinstance(block, dict))


def _call(block: JsonObject) -> JsonObject:
    return openai_call(block.get("id"), block.get("name"), block.get("input"))


def _tool(tool: JsonObject) -> JsonObject:
    return {
        "name": tool.get("name"),
        "description": tool.get("description") or "",
        "parameters": tool.get("input_schema") or {},
    }


def _tool_choice(choice: JsonValue) -> tuple[str, str | None]:
    if not isinstance(choice, dict):
        return "auto", None
    if choice.get("type") == "tool":
        return "named", choice.get("name")
    return _CHOICES.get(str(choice.get("type")), "auto"), None


def _response_format(body: JsonObject) -> JsonObject | None:
    form = body.get("output_format") or (body.get("output_config") or {}).get("format")
    if not isinstance(form, dict) or form.get("type") != "json_schema":
        return None
    return {"type": "json_schema", "json_schema": {"name": "response", "schema": form.get("schema")}}
