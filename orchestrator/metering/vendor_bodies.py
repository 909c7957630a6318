"""What the body of a vendor's own client may hold, and the most that its answers can be.

The body is read as it is about to leave, so it does not matter by which of a client's many doors a parameter
came in. What is not named here is refused: it may change the price, the size or the number of answers.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.message_parts import check_names
from orchestrator.core.request import Message
from orchestrator.providers.openrouter import TOKENS_ONLY
from orchestrator.providers.wire.openai_request import is_kept_long
from orchestrator.providers.wire.wire_json import json_text


@dataclass(frozen=True, slots=True)
class BoundedBody:
    """How large a prompt and its answers can be."""

    messages: list[Message]
    """The prompt in OpenAI's shape, as far as its size goes."""
    declared: list[Any]
    """Tools and formats that are sent along."""
    max_tokens: int
    """Of one answer: the largest of the limits that the body names."""
    answers: int
    in_pieces: bool


def bounded_body(kind: ProviderKind, upstream: str, *, path: str, body: Mapping[str, Any]) -> BoundedBody:
    """Return what bounds the cost of a body that is sent to `path`.

    Raises:
        InvalidRequestError: it is for another model or API, has no limit, or names what no bound is known of.
    """
    if kind is ProviderKind.GOOGLE:
        for method in ("generateContent", "streamGenerateContent"):
            if path.endswith(f"/models/{upstream.removeprefix('models/')}:{method}"):
                return _google(body, in_pieces=method.startswith("stream"))
    elif body.get("model") == upstream:
        for suffix, read in _OPENAI_READERS.items():
            if path.endswith(suffix):
                return read(body)
    raise InvalidRequestError(f"a metered client of '{upstream}' asks this model for chat answers alone")


def check_chat(body: Mapping[str, Any]) -> None:
    """Check that a body for `/chat/completions` names only what a bound is known of.

    Raises:
        InvalidRequestError: it names something else; the message says what.
    """
    _check_names(body, _CHAT_NAMES)
    _check_tier(body)
    _check_plugins(body)
    _check_functions(body.get("tools"))
    check_part_names(body.get("messages"))
    if is_kept_long([body.get("messages"), body.get("tools")]):
        raise InvalidRequestError(
            "'cache_control' with another 'ttl' than 5m is not taken by a metered client: it costs more than is held"
        )


def check_part_names(messages: Any) -> None:
    """Check that the parts of messages in OpenAI's shape name only what a bound is known of.

    Raises:
        InvalidRequestError: one names something else, or is of another kind; the message says what.
    """
    for place, message in enumerate(messages or ()):
        content = message.get("content") if isinstance(message, Mapping) else None
        for number, part in enumerate(content if isinstance(content, list | tuple) else ()):
            if not isinstance(part, str):
                check_names(part, f"part {number} of message {place}")


def check_responses(body: Mapping[str, Any]) -> None:
    """Check a body for OpenAI's `/responses`, as `check_chat` does.

    Raises:
        InvalidRequestError: it names something that no bound is known of.
    """
    _check_names(body, _RESPONSES_NAMES)
    _check_tier(body)
    _check_functions(body.get("tools"))
    for item in items_of(body):
        kind = item.get("type", "message") if isinstance(item, Mapping) else "message"
        if kind not in _ITEMS:
            # `item_reference` is a few bytes that stand for what the vendor has kept.
            raise InvalidRequestError(f"an item of type '{kind}' is not taken by a metered client")
        content = item.get("content") if isinstance(item, Mapping) else None
        for part in content if isinstance(content, list) else ():
            _check_names(part, _RESPONSES_PART_NAMES)


def items_of(body: Mapping[str, Any]) -> list[Any]:
    """Return what OpenAI's Responses API is asked, item by item."""
    asked = body.get("input")
    return [asked] if isinstance(asked, str) else list(asked or ())


def check_google(body: Mapping[str, Any]) -> None:
    """Check a body for Gemini, as `check_chat` does.

    Raises:
        InvalidRequestError: it names something that no bound is known of.
    """
    _check_names(body, _GOOGLE_NAMES)
    _check_names(body.get("generationConfig") or {}, _GOOGLE_CONFIG_NAMES)
    _check_names(body.get("toolConfig") or {}, frozenset({"functionCallingConfig"}))
    for tool in body.get("tools") or ():
        _check_names(tool, frozenset({"functionDeclarations"}))
    for content in [body.get("systemInstruction"), *(body.get("contents") or ())]:
        for part in google_parts(content):
            _check_names(part, _GOOGLE_PART_NAMES)


def google_parts(content: Any) -> list[dict[str, Any]]:
    """Return the parts of one of Gemini's contents, by their documented names; with those of results."""
    parts = content.get("parts") if isinstance(content, Mapping) else None
    named = [documented(part) for part in ([parts] if isinstance(parts, Mapping) else parts or ())]
    inner = [part.get("functionResponse") for part in named]
    return named + [part for result in inner for part in google_parts(result)]


def documented(holder: Any) -> dict[str, Any]:
    """Return an object with its names as they are documented; Google takes them in both spellings.

    Raises:
        InvalidRequestError: it is no object.
    """
    if not isinstance(holder, Mapping):
        raise InvalidRequestError("a part of the request is no object")
    return {_SNAKE.sub(lambda match: match[1].upper(), str(name)): value for name, value in holder.items()}


def _chat_completions(body: Mapping[str, Any]) -> BoundedBody:
    check_chat(body)
    tools = list(body.get("tools") or ())
    return BoundedBody(
        messages=list(body.get("messages") or ()),
        declared=[*tools, *_given(body, "functions", "response_format")],
        max_tokens=_limit(body, "max_tokens", "max_completion_tokens"),
        answers=_whole(body, "n") or 1,
        in_pieces=body.get("stream") is True,
    )


def _responses(body: Mapping[str, Any]) -> BoundedBody:
    check_responses(body)
    tools = list(body.get("tools") or ())
    return BoundedBody(
        messages=[_message(item) for item in [*_given(body, "instructions"), *items_of(body)]],
        declared=[*tools, *_given(body, "text")],
        max_tokens=_limit(body, "max_output_tokens"),
        answers=1,
        in_pieces=body.get("stream") is True,
    )


def _google(body: Mapping[str, Any], *, in_pieces: bool) -> BoundedBody:
    check_google(body)
    config = body.get("generationConfig") or {}
    contents = [*_given(body, "systemInstruction"), *(body.get("contents") or ())]
    return BoundedBody(
        messages=[{"role": "user", "content": _google_parts(content)} for content in contents],
        declared=[*(body.get("tools") or ()), *_given(config, "responseSchema", "responseJsonSchema")],
        max_tokens=_limit(config, "maxOutputTokens"),
        answers=_whole(config, "candidateCount") or 1,
        in_pieces=in_pieces,
    )


_OPENAI_READERS: Mapping[str, Callable[[Mapping[str, Any]], BoundedBody]] = {
    "/chat/completions": _chat_completions,
    "/responses": _responses,
}
_COMMON_NAMES = frozenset(
    {
        *("model", "temperature", "top_p", "tools", "tool_choice", "parallel_tool_calls", "stream"),
        *("user", "safety_identifier", "metadata", "store", "service_tier", "prompt_cache_key"),
    }
)
_CHAT_NAMES = _COMMON_NAMES | {
    *("messages", "max_tokens", "max_completion_tokens", "n", "stop", "seed", "presence_penalty"),
    *("frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "response_format", "functions"),
    *("function_call", "reasoning_effort", "verbosity", "stream_options", "provider"),
    # Thoughts count within the limit; the others change neither size nor price.
    *("plugins", "usage", "thinking", "safety_settings"),
}
_RESPONSES_NAMES = _COMMON_NAMES | {
    *("input", "instructions", "max_output_tokens", "text", "reasoning", "include", "truncation"),
}
_ITEMS = frozenset({"message", "function_call", "function_call_output", "reasoning"})
_GOOGLE_NAMES = frozenset(
    {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings"}
)
_GOOGLE_PART_NAMES = frozenset(
    {
        *(
            "text",
            "thought",
            "thoughtSignature",
            "inlineData",
            "fileData",
            "functionCall",
            "functionResponse",
        ),
        # A file counts for all that a model reads, however closely it is looked at.
        *("videoMetadata", "mediaResolution", "executableCode", "codeExecutionResult"),
    }
)
_RESPONSES_PART_NAMES = frozenset(
    {
        *(
            "type",
            "text",
            "refusal",
            "annotations",
            "logprobs",
            "image_url",
            "detail",
            "file_id",
            "file_data",
        ),
        *("filename", "file_url"),
    }
)
_SNAKE = re.compile("_([a-z])")
_PLAIN_BASE64 = str.maketrans("-_", "+/")
"""Google's client writes what goes into an address too; a picture in it did not tell its size."""
_GOOGLE_CONFIG_NAMES = frozenset(
    {
        *("temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "seed"),
        *("presencePenalty", "frequencyPenalty", "responseMimeType", "responseSchema"),
        *("responseJsonSchema", "thinkingConfig", "mediaResolution", "responseLogprobs", "logprobs"),
    }
)


def _check_names(holder: Any, known: frozenset[str]) -> None:
    if not isinstance(holder, Mapping):
        raise InvalidRequestError("a part of the request is no object")
    for name, value in holder.items():
        if name not in known and value is not None:
            raise InvalidRequestError(
                f"'{name}' is not taken by a metered client: no bound is known of what it may cost"
            )


def _check_tier(body: Mapping[str, Any]) -> None:
    if body.get("service_tier") not in (None, "default"):
        raise InvalidRequestError(
            "'service_tier' is not taken by a metered client: money is held for 'default'"
        )


def _check_plugins(body: Mapping[str, Any]) -> None:
    if body.get("plugins") not in (None, list(TOKENS_ONLY)):
        raise InvalidRequestError(
            "'plugins' is not taken by a metered client: OpenRouter bills what they do beside tokens"
        )


def _check_functions(tools: Any) -> None:
    for tool in tools or ():
        if not isinstance(tool, Mapping) or tool.get("type") != "function":
            raise InvalidRequestError("a metered client takes function tools alone: others are billed by use")


def _given(holder: Mapping[str, Any], *names: str) -> list[Any]:
    return [holder[name] for name in names if holder.get(name)]


def _limit(holder: Mapping[str, Any], *names: str) -> int:
    limit = max(_whole(holder, name) for name in names)
    if not limit:
        raise InvalidRequestError(f"'{names[0]}' must be given: without a limit there is nothing to hold")
    return limit


def _whole(holder: Mapping[str, Any], name: str) -> int:
    value = holder.get(name)
    if value is None:
        return 0
    if type(value) is not int or value <= 0:
        raise InvalidRequestError(f"'{name}' must be a whole number greater than 0, got {value!r}")
    return value


def _message(item: Any) -> Message:
    """Return an item of OpenAI's Responses API as a message of its size."""
    content = item.get("content") if isinstance(item, Mapping) else None
    kinds = (
        {part.get("type") for part in content if isinstance(part, Mapping)}
        if isinstance(content, list)
        else set()
    )
    if kinds - {"input_text", "output_text", "refusal"} or is_kept_thought(item):
        return {"role": "user", "content": [{"type": "file", "file": {}}]}
    return {"role": "user", "content": item if isinstance(item, str) else json_text(item)}


def is_kept_thought(item: Any) -> bool:
    """Return whether an item of the Responses API names thoughts that the vendor has kept, of any length."""
    return isinstance(item, Mapping) and item.get("type") == "reasoning" and not item.get("encrypted_content")


def _google_parts(content: Any) -> list[dict[str, Any]]:
    """Return the parts of one of Gemini's contents as parts of a message of their size."""
    return [_google_part(part) for part in google_parts(content)]


def _google_part(part: Mapping[str, Any]) -> dict[str, Any]:
    inline = part.get("inlineData")
    if isinstance(inline, Mapping):
        # Google's client writes this one as it was given.
        inline = documented(inline)
        return inline_part(str(inline.get("mimeType")), inline.get("data"))
    if part.get("fileData"):
        return {"type": "file", "file": {}}
    if isinstance(part.get("functionResponse"), Mapping):
        # Its parts are counted beside it.
        result = dict(part["functionResponse"])
        result.pop("parts", None)
        part = {**part, "functionResponse": result}
    text = part.get("text")
    return {
        "type": "text",
        "text": text if isinstance(text, str) and set(part) == {"text"} else json_text(part),
    }


def inline_part(mime_type: str, data: Any) -> dict[str, Any]:
    """Return a file that is sent along, in base64 of either alphabet, as a part of a message."""
    address = f"data:{mime_type};base64,{str(data).translate(_PLAIN_BASE64)}"
    if mime_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": address}}
    return {"type": "file", "file": {"file_data": address}}
