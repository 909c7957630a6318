"""The body of a request in OpenAI's chat-completions format, for all servers that speak it."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.reasoning import REASONING_VENDOR
from orchestrator.core.request import Message
from orchestrator.providers.openrouter import token_costs_only
from orchestrator.providers.wire.conversation_checks import (
    check_sendable,
    check_unopened,
    tool_calls_of,
)
from orchestrator.providers.wire.outbound import OutboundRequest, is_openai_itself
from orchestrator.providers.wire.reasoning_turns import REASONING_LEFT_OUT, returned_reasoning
from orchestrator.providers.wire.thought_signatures import without_signature
from orchestrator.providers.wire.wire_json import arguments_text, json_text

OPENAI_PATH = "chat/completions"
CACHE_CONTROL_LEFT_OUT = "'cache_control' is not taken by this provider and was left out"
CACHE_FOR_SHORT = "'cache_control' asked for a longer life than 5m, which costs more than is held, and got 5m"

_PRICED_TTL = "5m"
"""A prompt that is kept for an hour costs twice its input; `cache_write` is the price of 5 minutes."""
_MARKS = ("cache_control", "cachePoint")
_VENDORS_WITH_MARKS = frozenset({"anthropic", "google", "qwen"})
"""Whose models OpenRouter tells of the mark: https://openrouter.ai/docs/features/prompt-caching."""

_OTHERS_FIELDS = frozenset(
    {"provider_specific_fields", "thinking_blocks", "extra_content", "images", "annotations", "index"}
)
"""Of messages and tool calls: notes of other libraries, which no server of this format takes."""
_REASONING_FIELDS = frozenset({"reasoning", "reasoning_content", "reasoning_details", REASONING_VENDOR})


def openai_body(
    outbound: OutboundRequest, parameters: Mapping[str, Any], notices: list[str]
) -> dict[str, Any]:
    """Return the body; `notices` gets what was left out.

    Raises:
        UnsendableError: the format cannot carry a part of the request; the message names it.
    """
    check_sendable(outbound.messages)
    if outbound.kind is ProviderKind.LOCAL:
        check_unopened(outbound.messages)
    is_openrouter = outbound.kind is ProviderKind.OPENROUTER
    body: dict[str, Any] = {"model": outbound.upstream}
    body["messages"] = [_message(outbound, message, notices) for message in outbound.messages]
    body |= parameters
    if "tools" in body:
        body["tools"] = _cache_marked(list(map(_marked_outside, body["tools"])), outbound, notices)
    if outbound.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    if is_openrouter:
        if (effort := body.pop("reasoning_effort", None)) is not None:
            # https://openrouter.ai/docs/use-cases/reasoning-tokens
            body["reasoning"] = {"effort": effort}
        if outbound.price_cap is not None:
            body |= token_costs_only(outbound.price_cap, outbound.preferences)
    elif outbound.service_tier is not None:
        body["service_tier"] = outbound.service_tier
    return body


def _message(outbound: OutboundRequest, message: Message, notices: list[str]) -> dict[str, Any]:
    plain = {
        name: value
        for name, value in message.items()
        if name not in _OTHERS_FIELDS
        and name not in _REASONING_FIELDS
        and (value is not None or name == "content")
    }
    if outbound.kind is ProviderKind.LOCAL and plain.get("role") == "developer":
        # Chat templates of open models do not know the role.
        plain["role"] = "system"
    plain |= _reasoning(outbound, message, notices)
    if "cache_control" in plain:
        plain = _with_mark_for(plain, outbound, notices)
    if not plain.get("content") and ("content" in plain or plain.get("role") != "assistant"):
        # OpenAI takes nothing of anybody but the assistant, and of nobody an empty list.
        plain["content"] = None if plain.get("role") == "assistant" and plain.get("content") is None else ""
    elif isinstance(plain.get("content"), list | tuple):
        parts = [
            {"type": "text", "text": part} if isinstance(part, str) else part for part in plain["content"]
        ]
        plain["content"] = _cache_marked(parts, outbound, notices)
    if plain.get("tool_calls"):
        calls = [_tool_call(call) for call in tool_calls_of(message)]
        plain["tool_calls"] = _cache_marked(calls, outbound, notices)
    elif "tool_calls" in plain:
        # OpenAI refuses an empty list.
        del plain["tool_calls"]
    if isinstance(plain.get("tool_call_id"), str):
        plain["tool_call_id"] = without_signature(plain["tool_call_id"])
    return plain


def _reasoning(outbound: OutboundRequest, message: Message, notices: list[str]) -> dict[str, Any]:
    """Return the fields of a message with its reasoning, as this server takes it back."""
    if not any(message.get(name) for name in (*_REASONING_FIELDS, "thinking_blocks")):
        return {}
    text, blocks, is_left_out = returned_reasoning(message, outbound.vendor)
    if outbound.kind is ProviderKind.OPENROUTER:
        fields: dict[str, Any] = {"reasoning": text, "reasoning_details": blocks}
    elif is_openai_itself(outbound.kind, outbound.base_url):
        # Chat completions keep no reasoning from one turn to the next.
        fields, is_left_out = {}, is_left_out or bool(text or blocks)
    else:
        # DeepSeek and others that speak this format want their `reasoning_content` back.
        fields = {"reasoning_content": text}
    if is_left_out:
        notices.append(REASONING_LEFT_OUT)
    return {name: value for name, value in fields.items() if value}


def _tool_call(call: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in call.items() if name not in _OTHERS_FIELDS}
    # Nothing else: OpenAI's SDK notes `parsed_arguments` there, which OpenAI refuses. A text by the format,
    # however the caller keeps them.
    function = {
        "name": call["function"]["name"],
        "arguments": _arguments_of(call["function"].get("arguments")),
    }
    plain |= {"type": "function", "function": function}
    if isinstance(plain.get("id"), str):
        plain["id"] = without_signature(plain["id"])
    return plain


def _arguments_of(arguments: Any) -> str:
    if isinstance(arguments, str):
        # As they stand wherever they are JSON: a number of 22 digits, read and written anew, is another one.
        return arguments_text(arguments) or "{}"
    return json_text(arguments or {})


def is_kept_long(value: Any) -> bool:
    """Return whether a part of a request is marked to be cached for longer than the price book knows."""
    if isinstance(value, Mapping):
        marks = [mark for name in _MARKS if isinstance(mark := value.get(name), Mapping)]
        is_long = any(mark.get("ttl", _PRICED_TTL) != _PRICED_TTL for mark in marks)
        return is_long or any(map(is_kept_long, value.values()))
    return isinstance(value, list) and any(map(is_kept_long, value))


def _marked_outside(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a tool with its mark of caching beside its function, where LiteLLM takes it in it as well."""
    function = tool["function"]
    if "cache_control" not in function:
        return tool
    plain = {name: value for name, value in function.items() if name != "cache_control"}
    return {"cache_control": function["cache_control"], **tool, "function": plain}


def _cache_marked(listed: Sequence[Any], outbound: OutboundRequest, notices: list[str]) -> list[Any]:
    """Return messages, parts or tools with marks of caching that this server reads; others refuse them."""
    return [
        _with_mark_for(item, outbound, notices)
        if isinstance(item, Mapping) and "cache_control" in item
        else item
        for item in listed
    ]


def _with_mark_for(item: Mapping[str, Any], outbound: OutboundRequest, notices: list[str]) -> dict[str, Any]:
    plain = {name: value for name, value in item.items() if name != "cache_control"}
    mark = item["cache_control"]
    if mark is None:
        return plain
    if outbound.kind is not ProviderKind.OPENROUTER or outbound.vendor not in _VENDORS_WITH_MARKS:
        notices.append(CACHE_CONTROL_LEFT_OUT)
        return plain
    if is_kept_long({"cache_control": mark}):
        notices.append(CACHE_FOR_SHORT)
        mark = {name: value for name, value in mark.items() if name != "ttl"}
    return {**plain, "cache_control": mark}
