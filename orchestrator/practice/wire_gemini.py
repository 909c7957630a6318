"""The wire format of Gemini's `generateContent` and `streamGenerateContent`.

Requests are read in both spellings, `systemInstruction` (Google's clients) and
`system_instruction` (LiteLLM), and become messages, tools and formats in OpenAI's shape.
"""

import orjson

from orchestrator.practice.answers import PracticeRequest, PracticeToolCall
from orchestrator.practice.json_types import JsonObject, JsonValue
from orchestrator.practice.odd_bills import said_of
from orchestrator.practice.thoughts import check_signature, signature_of
from orchestrator.practice.tokens import count_tokens
from orchestrator.practice.wire import (
    Envelope,
    WireCall,
    WireOutcome,
    answers_of,
    decoded_arguments,
    openai_call,
)
from orchestrator.practice.wire_errors import Refusal

_ANSWERS_MAX = 8
_FINISH = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
_CHOICES = {"AUTO": "auto", "NONE": "none", "ANY": "required", "VALIDATED": "auto"}
_ROLES = {"model": "assistant", "user": "user", "function": "user", "system": "system"}


def read_gemini_request(body: JsonObject, *, model: str, stream: bool, provider: str = "google") -> WireCall:
    """Return the request in a decoded body; `provider` is Vertex AI where that carries the model.

    Raises:
        Refusal: 400, when it has no contents.
    """
    contents = body.get("contents")
    if isinstance(contents, dict):
        contents = [contents]
    if not isinstance(contents, list) or not contents or not all(isinstance(each, dict) for each in contents):
        raise Refusal(400, "* GenerateContentRequest.contents: contents is not specified")
    _check_thoughts(contents)
    config = _either(body, "generationConfig") or {}
    choice, forced = _tool_choice(body)
    request = PracticeRequest(
        provider=provider,
        model=model,
        messages=tuple(_messages(_either(body, "systemInstruction"), contents)),
        tools=tuple(_tools(body)),
        tool_choice=choice,
        forced_tool=forced,
        response_format=_response_format(config),
        max_tokens=_either(config, "maxOutputTokens"),
        stop=tuple(_either(config, "stopSequences") or ()),
        temperature=config.get("temperature"),
    )
    answers = answers_of(_either(config, "candidateCount"), "candidateCount", most=_ANSWERS_MAX)
    return WireCall(request=request, stream=stream, answers=answers)


def gemini_reply(envelope: Envelope, outcome: WireOutcome) -> JsonObject:
    """Return the body of an answer in one piece."""
    parts: list[JsonObject] = [{"text": outcome.text}] if outcome.text else []
    parts += [_call_part(call) for call in outcome.tool_calls]
    if outcome.thoughts:
        # The signature of a thought stands with the first call, or with the text where there is none.
        signed = next(
            (part for part in parts if "functionCall" in part), parts[-1] if parts else {"text": ""}
        )
        signed["thoughtSignature"] = signature_of("google", outcome.thoughts)
        parts = [{"text": outcome.thoughts, "thought": True}, *(parts or [signed])]
    return _reply(envelope, parts=parts, finish=outcome.finish_reason, usage=gemini_usage(outcome))


def gemini_usage(outcome: WireOutcome) -> JsonObject:
    """Return the usage metadata."""
    usage = outcome.usage
    usage_fields: JsonObject = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": usage.output_tokens - usage.reasoning_tokens,
        "totalTokenCount": usage.input_tokens + usage.output_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input_tokens}],
    }
    if usage.cached_input_tokens:
        usage_fields["cachedContentTokenCount"] = usage.cached_input_tokens
    if usage.reasoning_tokens:
        usage_fields["thoughtsTokenCount"] = usage.reasoning_tokens
    return said_of(usage_fields, outcome.odd_bill, cost=outcome.cost_nusd)


class GeminiStream:
    """Writes a streamed reply of Gemini: each event is a `GenerateContentResponse` with the usage so far."""

    def __init__(self, envelope: Envelope) -> None:
        """Prepare the parts that are the same in every event."""
        self._envelope = envelope
        pattern = orjson.dumps(_reply(envelope, parts=[{"text": "\0"}]))
        self._around = (b"data: " + pattern[:-1]).split(orjson.dumps("\0"))
        self._size_bytes = 0
        self._thoughts = ""
        """Those that no call has signed yet."""

    def opening(self) -> bytes:
        """Return nothing: the first event is the first piece."""
        return b""

    def waiting(self) -> bytes:
        """Return nothing: Gemini is silent until it has something to say."""
        return b""

    def text(self, piece: str) -> bytes:
        """Return a piece of text."""
        self._size_bytes += len(piece.encode())
        return self._event_of(orjson.dumps(piece))

    def thought(self, piece: str) -> bytes:
        """Return a piece of thought."""
        self._thoughts += piece
        self._size_bytes += len(piece.encode())
        return _event(_reply(self._envelope, parts=[{"text": piece, "thought": True}]))

    def tool_call(self, call: PracticeToolCall, *, index: int) -> bytes:  # noqa: ARG002 -- Gemini numbers no calls
        """Return the call in one event, the first one with the signature of the thoughts before it."""
        return _event(_reply(self._envelope, parts=[self._signed(_call_part(call))]))

    def _signed(self, part: JsonObject) -> JsonObject:
        if not self._thoughts:
            return part
        thoughts, self._thoughts = self._thoughts, ""
        return {**part, "thoughtSignature": signature_of("google", thoughts)}

    def ending(self, outcome: WireOutcome) -> bytes:
        """Return the event with the finish reason and the usage; there is no end mark."""
        parts = [self._signed({"text": ""})] if outcome.text or outcome.tool_calls else []
        return _event(
            _reply(self._envelope, parts=parts, finish=outcome.finish_reason, usage=gemini_usage(outcome))
        )

    def error(self, status: int, *, body: JsonObject) -> bytes:  # noqa: ARG002 -- it is in the body
        """Return the error as an event."""
        return _event(body)

    def malformed(self) -> bytes:
        """Return an event that breaks off in the middle."""
        return self._around[0] + b'"bro\r\n\r\n'

    def odd(self) -> bytes:
        """Return an event whose text is a number."""
        return self._event_of(b"7")

    def _event_of(self, text: bytes) -> bytes:
        input_tokens, output_tokens = self._envelope.input_tokens, count_tokens(self._size_bytes)
        output_tokens *= self._envelope.answers
        counts = (input_tokens, output_tokens, input_tokens + output_tokens)
        usage = b',"usageMetadata":{"promptTokenCount":%d,"candidatesTokenCount":%d,"totalTokenCount":%d}}'
        return text.join(self._around) + usage % counts + b"\r\n\r\n"


def _check_thoughts(contents: list[JsonObject]) -> None:
    for content in contents:
        for part in content.get("parts") or []:
            signature = _either(part, "thoughtSignature")
            if signature is not None:
                check_signature(signature, "google")


def _event(reply: JsonObject) -> bytes:
    return b"data: " + orjson.dumps(reply) + b"\r\n\r\n"


def _reply(
    envelope: Envelope, *, parts: list[JsonObject], finish: str | None = None, usage: JsonObject | None = None
) -> JsonObject:
    content: JsonObject = {"parts": parts, "role": "model"} if parts else {"role": "model"}
    candidate: JsonObject = {"content": content, "index": 0}
    if finish is not None:
        candidate["finishReason"] = _FINISH.get(finish, "OTHER")
    reply: JsonObject = {
        "candidates": [{**candidate, "index": index} for index in range(envelope.answers)],
        "modelVersion": envelope.model,
        "responseId": envelope.reply_id,
    }
    if usage is not None:
        reply["usageMetadata"] = usage
    return reply


def _call_part(call: PracticeToolCall) -> JsonObject:
    return {"functionCall": {"name": call.name, "args": decoded_arguments(call)}}


def _either(value: JsonObject, camel: str) -> JsonValue:
    if camel in value:
        return value[camel]
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in camel)
    return value.get(snake)


def _messages(system: JsonObject | None, contents: list[JsonObject]) -> list[JsonObject]:
    messages: list[JsonObject] = []
    if isinstance(system, dict) and _texts(system.get("parts")):
        messages.append({"role": "system", "content": _texts(system.get("parts"))})
    for content in contents:
        messages.extend(_message(content))
    return messages


def _message(content: JsonObject) -> list[JsonObject]:
    parts = content.get("parts") or []
    role = _ROLES.get(content.get("role", "user"), "user")
    results = [_result(response) for part in parts if (response := _either(part, "functionResponse"))]
    calls = [_call(call) for part in parts if (call := _either(part, "functionCall"))]
    media = [{"type": "media"} for part in parts if _either(part, "inlineData") or _either(part, "fileData")]
    text = _texts(parts)
    message: JsonObject = {
        "role": role,
        "content": [{"type": "text", "text": text}, *media] if media else text,
    }
    if calls:
        message["tool_calls"] = calls
    return [*results, message] if text or calls or media or not results else results


def _texts(parts: list[JsonObject] | JsonObject | None) -> str:
    listed = [parts] if isinstance(parts, dict) else parts or []
    return "\n".join(
        part["text"] for part in listed if isinstance(part.get("text"), str) and not part.get("thought")
    )


def _result(function_response: JsonObject) -> JsonObject:
    response = function_response.get("response")
    value = response
    if isinstance(response, dict) and len(response) == 1:
        value = next(iter(response.values()))
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return {
        "role": "tool",
        "name": function_response.get("name"),
        "tool_call_id": function_response.get("id") or "",
        "content": text,
    }


def _call(call: JsonObject) -> JsonObject:
    return openai_call(call.get("id"), call.get("name"), call.get("args"))


def _tools(body: JsonObject) -> list[JsonObject]:
    tools = []
    for group in body.get("tools") or ():
        for tool in _either(group, "functionDeclarations") or ():
            parameters = _either(tool, "parametersJsonSchema") or tool.get("parameters") or {}
            tools.append(
                {
                    "name": tool.get("name"),
                    "description": tool.get("description", ""),
                    "parameters": plain_schema(parameters),
                }
            )
    return tools


def _tool_choice(body: JsonObject) -> tuple[str, str | None]:
    config = _either(_either(body, "toolConfig") or {}, "functionCallingConfig") or {}
    choice = _CHOICES.get(str(config.get("mode", "AUTO")).upper(), "auto")
    allowed = _either(config, "allowedFunctionNames") or []
    if choice == "required" and len(allowed) == 1:
        return "named", allowed[0]
    return choice, None


def _response_format(config: JsonObject) -> JsonObject | None:
    schema = _either(config, "responseJsonSchema") or _either(config, "responseSchema")
    if schema:
        return {"type": "json_schema", "json_schema": {"name": "response", "schema": plain_schema(schema)}}
    return {"type": "json_object"} if _either(config, "responseMimeType") == "application/json" else None


def plain_schema(schema: JsonValue) -> JsonValue:
    """Return Gemini's OpenAPI schema as JSON schema: type names in lower case, nullable as a type."""
    if isinstance(schema, list):
        return [plain_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {
        key: plain_schema(value) for key, value in schema.items() if key not in {"type", "nullable", "enum"}
    }
    if "enum" in schema:
        plain["enum"] = schema["enum"]
    kind = schema.get("type")
    if isinstance(kind, dict):
        plain["type"] = plain_schema(kind)
    elif isinstance(kind, str):
        plain["type"] = [kind.lower(), "null"] if schema.get("nullable") else kind.lower()
    elif kind is not None:
        plain["type"] = kind
    return plain
