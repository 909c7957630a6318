"""The wire format of `/chat/completions`, as OpenAI and OpenRouter speak it.

Where they differ: OpenRouter's ids begin with `gen-`, it names the `provider` that answered, sends
`native_finish_reason`, comments while a stream waits, and usage with its cost in every reply;
OpenAI sends a stream's usage only when asked for it.
"""

from typing import cast

import orjson

from orchestrator.core.money import to_usd
from orchestrator.practice.answers import PracticeRequest, PracticeToolCall
from orchestrator.practice.json_types import JsonObject, JsonValue
from orchestrator.practice.odd_bills import said_of
from orchestrator.practice.thoughts import check_details, format_of, signature_of, vendor_of
from orchestrator.practice.wire import Envelope, WireCall, WireOutcome, answers_of
from orchestrator.practice.wire_errors import Refusal

UPSTREAM = "Practice"
"""The upstream provider that OpenRouter's replies name."""

_ARGUMENT_PIECE = 24
_ANSWERS_MAX = 128


def read_openai_request(body: JsonObject, *, provider: str) -> WireCall:
    """Return the request in a decoded body.

    Raises:
        Refusal: 400, when it has no model or messages, or `n` is no number of answers.
    """
    model = body.get("model") or next(iter(body.get("models") or ()), None)
    if not isinstance(model, str):
        raise Refusal(400, "you must provide a model parameter")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise Refusal(400, "Invalid value for 'messages': expected an array of at least one message.")
    check_details(messages, vendor_of(provider, model))
    choice, forced = _tool_choice(body.get("tool_choice"))
    request = PracticeRequest(
        provider=provider,
        model=model,
        messages=tuple(messages),
        tools=tuple(tool["function"] for tool in body.get("tools") or () if "function" in tool),
        tool_choice=choice,
        forced_tool=forced,
        response_format=_response_format(body.get("response_format")),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        stop=_stops(body.get("stop")),
        temperature=body.get("temperature"),
    )
    options = body.get("stream_options") or {}
    include_usage = provider == "openrouter" or bool(options.get("include_usage"))
    return WireCall(
        request=request,
        stream=bool(body.get("stream")),
        include_usage=include_usage,
        answers=answers_of(body.get("n"), "n", most=_ANSWERS_MAX),
    )


def openai_reply(envelope: Envelope, outcome: WireOutcome) -> JsonObject:
    """Return the body of an answer in one piece."""
    message: JsonObject = {"role": "assistant", "content": outcome.text, "refusal": None}
    if outcome.tool_calls:
        message["content"] = outcome.text or None
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in outcome.tool_calls
        ]
    choice: JsonObject = {
        "index": 0,
        "message": message,
        "finish_reason": outcome.finish_reason,
        "logprobs": None,
    }
    reply = openai_head(envelope, kind="chat.completion")
    if envelope.provider == "openrouter":
        choice["native_finish_reason"] = outcome.finish_reason
        message["reasoning"] = outcome.thoughts or None
        if outcome.thoughts:
            message["reasoning_details"] = [
                {**_detail(envelope, outcome.thoughts), **_signed(envelope, outcome)}
            ]
    elif outcome.thoughts:
        # OpenAI's own models show none; other servers of its format do.
        message["reasoning_content"] = outcome.thoughts
    reply["choices"] = [{**choice, "index": index} for index in range(envelope.answers)]
    reply["usage"] = openai_usage(envelope, outcome)
    return reply


def openai_usage(envelope: Envelope, outcome: WireOutcome) -> JsonObject:
    """Return the usage object; OpenRouter's has the cost in dollars."""
    usage = outcome.usage
    usage_fields: JsonObject = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
    if envelope.provider == "openrouter":
        usage_fields["cost"] = float(to_usd(outcome.cost_nusd))
        usage_fields["is_byok"] = False
        usage_fields["cost_details"] = {"upstream_inference_cost": None}
    return said_of(usage_fields, outcome.odd_bill, cost=outcome.cost_nusd)


class ChatStream:
    """Writes a streamed reply of OpenAI or OpenRouter."""

    def __init__(self, envelope: Envelope) -> None:
        """Prepare the parts that are the same in every event."""
        self.envelope = envelope
        self._openrouter = envelope.provider == "openrouter"
        head = openai_head(envelope, kind="chat.completion.chunk")
        if envelope.include_usage and not self._openrouter:
            head["usage"] = None
        self._head = head
        # Every piece of text differs only in its content, so the rest is encoded once.
        pattern = self._events({"content": "\0"})
        self._around = pattern.split(orjson.dumps("\0"))

    def opening(self) -> bytes:
        """Return OpenRouter's comment, and the event that names the role."""
        return self.waiting() + self._events({"role": "assistant", "content": "", "refusal": None})

    def waiting(self) -> bytes:
        """Return OpenRouter's keep-alive comment; OpenAI sends nothing."""
        return b": OPENROUTER PROCESSING\n\n" if self._openrouter else b""

    def text(self, piece: str) -> bytes:
        """Return a piece of text."""
        return orjson.dumps(piece).join(self._around)

    def thought(self, piece: str) -> bytes:
        """Return a piece of thought, under the name that this provider has for it."""
        if not self._openrouter:
            return self._events({"reasoning_content": piece})
        details = [_detail(self.envelope, piece)]
        return self._events({"content": "", "reasoning": piece, "reasoning_details": details})

    def tool_call(self, call: PracticeToolCall, *, index: int) -> bytes:
        """Return the call's name, then its arguments in several deltas."""
        begun = {
            "index": index,
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": ""},
        }
        events = [self._events({"tool_calls": [begun]})]
        for at in range(0, len(call.arguments), _ARGUMENT_PIECE):
            part = {"arguments": call.arguments[at : at + _ARGUMENT_PIECE]}
            events.append(self._events({"tool_calls": [{"index": index, "function": part}]}))
        return b"".join(events)

    def ending(self, outcome: WireOutcome) -> bytes:
        """Return the finish reason, the usage if it is told, and `[DONE]`."""
        parts = [self._events({}, finish_reason=outcome.finish_reason)]
        if self._openrouter and outcome.thoughts:
            # The signature of a thought comes last, as a piece of its block.
            signed = {**_detail(self.envelope, ""), **_signed(self.envelope, outcome)}
            parts.insert(0, sse_event(self._chunk({"content": "", "reasoning_details": [signed]})))
        if self.envelope.include_usage:
            usage = openai_usage(self.envelope, outcome)
            # OpenRouter's last chunk has an empty delta, OpenAI's has no choices.
            last = (
                self._chunk({"role": "assistant", "content": ""})
                if self._openrouter
                else {**self._head, "choices": []}
            )
            parts.append(sse_event({**last, "usage": usage}))
        parts.append(b"data: [DONE]\n\n")
        return b"".join(parts)

    def error(self, status: int, *, body: JsonObject) -> bytes:
        """Return an error event; OpenRouter's is a chunk with finish reason `error`."""
        if not self._openrouter:
            return sse_event(body)
        return sse_event(
            {
                **self._chunk({"content": ""}, finish_reason="error"),
                "error": {**body["error"], "code": status},
            }
        )

    def malformed(self) -> bytes:
        """Return a chunk that breaks off in the middle."""
        return self._around[0] + b'"bro\n\n'

    def odd(self) -> bytes:
        """Return an event whose text is a number."""
        return b"7".join(self._around)

    def _events(self, delta: JsonObject, *, finish_reason: str | None = None) -> bytes:
        """Return an event for each of the answers that were asked for."""
        return b"".join(
            sse_event(self._chunk(delta, finish_reason=finish_reason, index=index))
            for index in range(self.envelope.answers)
        )

    def _chunk(self, delta: JsonObject, *, finish_reason: str | None = None, index: int = 0) -> JsonObject:
        choice: JsonObject = {
            "index": index,
            "delta": delta,
            "finish_reason": finish_reason,
            "logprobs": None,
        }
        if self._openrouter:
            choice["native_finish_reason"] = finish_reason
        return {**self._head, "choices": [choice]}


def _detail(envelope: Envelope, text: str) -> JsonObject:
    """Return a thought as a block of OpenRouter's."""
    vendor = vendor_of(envelope.provider, envelope.model)
    return {"type": "reasoning.text", "text": text, "format": format_of(vendor), "index": 0}


def _signed(envelope: Envelope, outcome: WireOutcome) -> JsonObject:
    vendor = vendor_of(envelope.provider, envelope.model)
    return {"signature": signature_of(vendor, outcome.thoughts)}


def openai_head(envelope: Envelope, *, kind: str) -> JsonObject:
    """Return what is the same in a reply and in every chunk of one."""
    head: JsonObject = {
        "id": envelope.reply_id,
        "object": kind,
        "created": envelope.created_s,
        "model": envelope.model,
        "system_fingerprint": None,
    }
    if envelope.provider == "openrouter":
        head["provider"] = UPSTREAM
    else:
        head["service_tier"] = envelope.service_tier
    return head


def sse_event(chunk: JsonObject) -> bytes:
    """Return a chunk as a server-sent event."""
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _tool_choice(choice: JsonValue) -> tuple[str, str | None]:
    if isinstance(choice, dict):
        name = (choice.get("function") or {}).get("name")
        return ("named", name) if isinstance(name, str) else ("auto", None)
    return ("required" if choice == "any" else choice or "auto"), None


def _response_format(value: JsonValue) -> JsonObject | None:
    if not isinstance(value, dict) or value.get("type") == "text":
        return None
    return cast("JsonObject", value)


def _stops(value: JsonValue) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else value or []
    return tuple(stop for stop in stops if stop)
