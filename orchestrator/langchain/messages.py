"""Replies as LangChain's messages, and LangChain's tools as those of the wire."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, InvalidToolCall
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import ToolCall as LangChainToolCall
from langchain_core.messages.tool import ToolCallChunk
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from orchestrator.core.decision import plain_decision
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.money import to_usd
from orchestrator.core.reasoning import REASONING_VENDOR
from orchestrator.core.reply import ChatReply, Delta, ToolCall, Usage
from orchestrator.routing.explaining import plain_choice

Tool = Mapping[str, Any] | type | Callable[..., Any] | BaseTool


_FUNCTION_TYPES = (None, "function", "object")
"""A schema of JSON says `object`."""


def to_wire_tools(tools: Sequence[Tool], *, strict: bool | None) -> list[dict[str, Any]]:
    """Return tools of any kind LangChain knows as JSON schemas in the OpenAI wire shape.

    Raises:
        InvalidRequestError: one is a vendor's own, as a search is: LangChain would take it for a function.
    """
    for tool in tools:
        kind = tool.get("type") if isinstance(tool, Mapping) else None
        if kind not in _FUNCTION_TYPES:
            raise InvalidRequestError(
                f"a tool of type '{kind}' is a vendor's own and billed by use: only functions are taken"
            )
    return [_marked(convert_to_openai_tool(tool, strict=strict), tool) for tool in tools]


def _marked(wire: dict[str, Any], tool: Tool) -> dict[str, Any]:
    """Return a tool with the mark of caching that stands in it or in its `extras`."""
    extras = tool if isinstance(tool, Mapping) else getattr(tool, "extras", None)
    mark = extras.get("cache_control") if isinstance(extras, Mapping) else None
    return {**wire, "cache_control": mark} if mark else wire


def to_wire_choice(choice: Any, tools: Sequence[Mapping[str, Any]]) -> str | dict[str, Any]:
    """Return a tool choice (`auto`, `any`, a tool's name, True, a dictionary) in the OpenAI wire shape.

    Raises:
        InvalidRequestError: the choice names a tool that is not offered.
    """
    names = [str(tool.get("function", {}).get("name")) for tool in tools]
    if isinstance(choice, Mapping):
        return dict(choice)
    if choice is True or choice == "any":
        return "required"
    if choice is False:
        return "none"
    if choice in {"auto", "none", "required"}:
        return str(choice)
    if choice in names:
        return {"type": "function", "function": {"name": choice}}
    msg = f"tool_choice '{choice}' is no tool that was bound; bound are: {', '.join(names)}"
    raise InvalidRequestError(msg)


def to_message(reply: ChatReply) -> AIMessage:
    """Return a reply as LangChain's message, with usage and where it came from."""
    calls, invalid = _parsed(reply.tool_calls)
    return AIMessage(
        content=reply.text,
        additional_kwargs={**_thoughts(reply.reasoning.text), **_signed_thoughts(reply)},
        tool_calls=calls,
        invalid_tool_calls=invalid,
        usage_metadata=to_usage_metadata(reply.usage),
        response_metadata=to_response_metadata(reply),
    )


def to_chunk(delta: Delta) -> AIMessageChunk:
    """Return a piece of a stream as LangChain's chunk."""
    return AIMessageChunk(
        content=delta.text,
        additional_kwargs=_thoughts(delta.reasoning),
        tool_call_chunks=[
            ToolCallChunk(
                name=call.name, args=call.arguments, id=call.id, index=call.index, type="tool_call_chunk"
            )
            for call in delta.tool_calls
        ],
    )


def to_last_chunk(reply: ChatReply) -> AIMessageChunk:
    """Return the end of a stream: no text, but usage and where it came from."""
    return AIMessageChunk(
        content="",
        # The thoughts themselves came piece by piece.
        additional_kwargs=_signed_thoughts(reply),
        usage_metadata=to_usage_metadata(reply.usage),
        response_metadata=to_response_metadata(reply),
        chunk_position="last",
    )


def _thoughts(text: str) -> dict[str, Any]:
    """Return a text of thoughts where LangChain's `content_blocks` find it."""
    return {"reasoning_content": text} if text else {}


def _signed_thoughts(reply: ChatReply) -> dict[str, Any]:
    """Return what the next turn hands back to the vendor, with whose it is."""
    if not reply.reasoning:
        return {}
    blocks = [dict(block) for block in reply.reasoning.blocks]
    note = {REASONING_VENDOR: reply.reasoning.vendor}
    return {**note, "reasoning_details": blocks} if blocks else note


def to_usage_metadata(usage: Usage) -> UsageMetadata:
    """Return usage as LangChain counts it; a reply from the cache counts nothing."""
    return UsageMetadata(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        input_token_details=InputTokenDetails(
            cache_read=usage.cached_input_tokens, cache_creation=usage.cache_write_tokens
        ),
        output_token_details=OutputTokenDetails(reasoning=usage.reasoning_tokens),
    )


def to_response_metadata(reply: ChatReply) -> dict[str, Any]:
    """Return what the orchestrator says of a reply, as plain data."""
    return {
        "model_name": reply.model,
        "model": reply.model,
        "served_model": reply.served_model,
        "model_provider": "nextflow-orchestrator",
        "provider": reply.provider,
        "deployment": reply.deployment,
        "finish_reason": reply.finish_reason,
        "cost_nusd": reply.cost_nusd,
        "cost_usd": str(to_usd(reply.cost_nusd)),
        "attempts": [
            {
                "deployment": attempt.deployment,
                "outcome": attempt.outcome.value,
                "failure": attempt.failure,
                "cost_nusd": attempt.cost_nusd,
            }
            for attempt in reply.attempts
        ],
        "cached": reply.cached.value,
        "degraded": None if reply.degraded is None else reply.degraded.text,
        "degraded_kinds": [] if reply.degraded is None else [kind.value for kind in reply.degraded.kinds],
        "apology": reply.apology,
        "notices": list(reply.notices),
        "latency_s": reply.latency_s,
        "queued_s": reply.queued_s,
        "decision": None if reply.decision is None else plain_decision(reply.decision),
        "explain": None if reply.plan is None else plain_choice(reply.plan, reply.deployment),
        "request_id": reply.request_id,
    }


def _parsed(calls: Sequence[ToolCall]) -> tuple[list[LangChainToolCall], list[InvalidToolCall]]:
    good: list[LangChainToolCall] = []
    bad: list[InvalidToolCall] = []
    for call in calls:
        try:
            arguments = json.loads(call.arguments or "{}", strict=False)
        except (ValueError, RecursionError) as exc:  # also for a number of 5,000 digits, and 1,000 brackets
            arguments, problem = None, f"the arguments are not JSON: {exc}"
        else:
            problem = "the arguments are not a JSON object"
        if isinstance(arguments, dict):
            good.append(LangChainToolCall(name=call.name, args=arguments, id=call.id, type="tool_call"))
        else:
            bad.append(
                InvalidToolCall(
                    name=call.name, args=call.arguments, id=call.id, error=problem, type="invalid_tool_call"
                )
            )
    return good, bad
