"""The body of a request in OpenAI's chat-completions format, for all servers that speak it."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.request import Message
from orchestrator.providers.openrouter import token_costs_only
from orchestrator.providers.wire.conversation_checks import (
    call_arguments,
    check_sendable,
    check_unopened,
    tool_calls_of,
)
from orchestrator.providers.wire.outbound import OutboundRequest, is_openai_itself
from orchestrator.providers.wire.thought_signatures import without_signature
from orchestrator.providers.wire.wire_json import json_text

OPENAI_PATH = "chat/completions"
CACHE_CONTROL_LEFT_OUT = "'cache_control' is not taken by this provider and was left out"

_OTHERS_FIELDS = frozenset(
    {"provider_specific_fields", "thinking_blocks", "extra_content", "images", "annotations", "index"}
)
"""Of messages and tool calls: notes of other libraries, which no server of this format takes."""
_OPENROUTER_FIELDS = frozenset({"reasoning", "reasoning_details"})


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
    hidden = _hidden_fields(outbound)
    body["messages"] = [_message(outbound.kind, message, hidden, notices) for message in outbound.messages]
    body |= parameters
    if "tools" in body and not is_openrouter:
        body["tools"] = _without_cache_control(body["tools"], notices)
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


def _message(
    kind: ProviderKind, message: Message, hidden: frozenset[str], notices: list[str]
) -> dict[str, Any]:
    plain = {
        name: value
        for name, value in message.items()
        if name not in hidden and (value is not None or name == "content")
    }
    if kind is ProviderKind.LOCAL and plain.get("role") == "developer":
        # Chat templates of open models do not know the role.
        plain["role"] = "system"
    if kind is not ProviderKind.OPENROUTER:
        _leave_out_cache_control(plain, notices)
    if plain.get("tool_calls"):
        plain["tool_calls"] = [_tool_call(call) for call in tool_calls_of(message)]
    elif "tool_calls" in plain:
        # OpenAI refuses an empty list.
        del plain["tool_calls"]
    if isinstance(plain.get("tool_call_id"), str):
        plain["tool_call_id"] = without_signature(plain["tool_call_id"])
    return plain


def _hidden_fields(outbound: OutboundRequest) -> frozenset[str]:
    if outbound.kind is ProviderKind.OPENROUTER:
        return _OTHERS_FIELDS
    if is_openai_itself(outbound.kind, outbound.base_url):
        return _OTHERS_FIELDS | _OPENROUTER_FIELDS | {"reasoning_content"}
    # DeepSeek and others that speak this format want their `reasoning_content` back.
    return _OTHERS_FIELDS | _OPENROUTER_FIELDS


def _tool_call(call: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in call.items() if name not in _OTHERS_FIELDS}
    function = {name: value for name, value in call["function"].items() if name not in _OTHERS_FIELDS}
    # A text by the format, however the caller keeps them.
    function["arguments"] = json_text(call_arguments(call))
    plain |= {"type": "function", "function": function}
    if isinstance(plain.get("id"), str):
        plain["id"] = without_signature(plain["id"])
    return plain


def _leave_out_cache_control(message: dict[str, Any], notices: list[str]) -> None:
    if message.pop("cache_control", None) is not None:
        notices.append(CACHE_CONTROL_LEFT_OUT)
    content = message.get("content")
    if isinstance(content, list | tuple):
        message["content"] = _without_cache_control(content, notices)


def _without_cache_control(listed: Sequence[Any], notices: list[str]) -> list[Any]:
    """Return parts or tools without the mark of Anthropic's, which other servers of this format refuse."""
    plain = []
    for item in listed:
        if isinstance(item, Mapping) and "cache_control" in item:
            notices.append(CACHE_CONTROL_LEFT_OUT)
            plain.append({name: value for name, value in item.items() if name != "cache_control"})
        else:
            plain.append(item)
    return plain
