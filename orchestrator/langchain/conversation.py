"""LangChain's messages as those of the wire: every block has its place there, or is named in an error.

A tool call that LangChain could not read (`invalid_tool_calls`) stays a call, with what could not be read as
an argument; where nobody has answered it, its error is its result.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.plain_data import check_depth
from orchestrator.core.reasoning import REASONING_VENDOR, Reasoning, thinking_block
from orchestrator.core.request import Message
from orchestrator.langchain.content_blocks import parts_of_blocks

_ROLES: Mapping[type[BaseMessage], str] = {
    HumanMessage: "user",
    AIMessage: "assistant",
    ToolMessage: "tool",
    SystemMessage: "system",
}
"""Of these classes and of their chunks, which are classes of theirs with another `type`."""
_REASONING = frozenset({"thinking", "redacted_thinking", "reasoning", "reasoning_content"})
_CALLS = frozenset({"tool_call", "tool_use", "function_call"})
_PIECES = frozenset({"tool_call_chunk", "invalid_tool_call", "input_json_delta"})
"""Of calls; the message has them whole, in `tool_calls` or `invalid_tool_calls`."""
_VENDORS: Mapping[str, str] = {"google_genai": "google", "google_vertexai": "google", "xai": "x-ai"}
"""Of messages that other chat models of LangChain made, by `model_provider`, where the names differ."""
_FORMATS: Mapping[str, str] = {"anthropic": "anthropic-claude-v1", "google": "google-gemini-v1"}
"""Of signatures in LangChain's own blocks."""
_UNKNOWN_VENDOR = "unknown"


def to_wire(messages: Sequence[BaseMessage]) -> list[Message]:
    """Return LangChain messages in the OpenAI wire shape; they are not changed.

    Raises:
        InvalidRequestError: a message holds what no provider's format carries; says which block of which.
    """
    wire: list[Message] = []
    problems: dict[str, str] = {}
    """Of calls that could not be read, by their ids."""
    for place, message in enumerate(messages):
        if isinstance(message, AIMessage):
            wire.append(_of_assistant(message, place, problems))
        else:
            wire += _of_others(message, place)
    return _with_results(wire, problems) if problems else wire


def _of_others(message: BaseMessage, place: int) -> list[Message]:
    """Return a message of anybody but the model; results of tools in it, as Anthropic's, come first."""
    blocks = _blocks_of(message)
    results = [block for block in blocks if _kind(block) == "tool_result"]
    wire: list[Message] = [_result_of(block, place) for block in results]
    rest = [block for block in blocks if _kind(block) != "tool_result"]
    if rest or not results:
        wire.append({**_head(message), "content": _content(rest, place, between="\n")})
    return wire


def _of_assistant(message: AIMessage, place: int, problems: dict[str, str]) -> Message:
    blocks = _blocks_of(message)
    spoken = [block for block in blocks if _kind(block) not in _REASONING | _CALLS | _PIECES]
    calls = [_call(call["id"], call["name"], call["args"], place) for call in message.tool_calls]
    calls += _calls_in(blocks, place, known={call["id"] for call in calls})
    for number, invalid in enumerate(message.invalid_tool_calls):
        call_id = invalid.get("id") or f"invalid_{place}_{number}"
        problems[call_id] = invalid.get("error") or "the arguments of this call are not valid JSON"
        arguments = {"invalid_arguments": invalid.get("args") or ""}
        calls.append(_call(call_id, invalid.get("name") or "unknown_tool", arguments, place))
    wire = {**_head(message), "content": _content(spoken, place, between="")}
    if calls:
        wire["tool_calls"] = calls
    refusal = message.additional_kwargs.get("refusal")
    if refusal:
        wire["refusal"] = refusal
    return {**wire, **_reasoning_of(message, blocks).as_fields()}


def _with_results(wire: Sequence[Message], problems: Mapping[str, str]) -> list[Message]:
    """Return the messages with a result for each call that could not be read and that nobody has answered."""
    answered = {message.get("tool_call_id") for message in wire if message["role"] == "tool"}
    complete: list[Message] = []
    waiting: list[Message] = []
    for message in wire:
        if message["role"] != "tool":
            complete += waiting
            waiting = [
                {"role": "tool", "tool_call_id": call["id"], "content": problems[call["id"]]}
                for call in message.get("tool_calls", ())
                if call["id"] in problems and call["id"] not in answered
            ]
        complete.append(message)
    return complete + waiting


def _head(message: BaseMessage) -> dict[str, Any]:
    named = message.role if isinstance(message, ChatMessage) else message.type
    role = next((role for kind, role in _ROLES.items() if isinstance(message, kind)), named)
    extra = message.additional_kwargs
    head: dict[str, Any] = {"role": extra.get("__openai_role__", role) if role == "system" else role}
    if message.name:
        head["name"] = message.name
    if isinstance(message, ToolMessage):
        head["tool_call_id"] = message.tool_call_id
    if extra.get("cache_control"):
        head["cache_control"] = extra["cache_control"]
    return head


def _blocks_of(message: BaseMessage) -> list[Any]:
    """Return the blocks of a content, those that LangChain could not name in their own shape."""
    content = message.content
    blocks = [content] if isinstance(content, str) else content
    return [_unwrapped(block) for block in blocks if block]


def _unwrapped(block: Any) -> Any:
    if _kind(block) == "non_standard" and isinstance(block.get("value"), Mapping):
        return block["value"]
    return block


def _content(blocks: Sequence[Any], place: int, *, between: str) -> str | list[dict[str, Any]]:
    """Return parts, or one text where there is nothing but text; `between` stands between two."""
    parts = parts_of_blocks(blocks, place)
    if all(part.keys() == {"type", "text"} for part in parts):
        return between.join(part["text"] for part in parts)
    return parts


def _result_of(block: Mapping[str, Any], place: int) -> Message:
    content = block.get("content") or ""
    blocks = [content] if isinstance(content, str | Mapping) else list(content)
    return {
        "role": "tool",
        "tool_call_id": block.get("tool_use_id"),
        "content": _content([each for each in blocks if each], place, between="\n"),
    }


def _calls_in(blocks: Sequence[Any], place: int, *, known: set[Any]) -> list[dict[str, Any]]:
    """Return the calls that stand in a content alone, in Anthropic's shape, OpenAI's or LangChain's."""
    calls = []
    for block in blocks:
        if _kind(block) not in _CALLS:
            continue
        call_id = block.get("call_id") or block.get("id")
        arguments: Any = next((block[key] for key in ("args", "input", "arguments") if key in block), {})
        if call_id not in known:
            known.add(call_id)
            calls.append(_call(call_id, block.get("name"), arguments, place))
    return calls


def _call(call_id: Any, name: Any, arguments: Any, place: int) -> dict[str, Any]:
    try:
        check_depth(arguments)
        text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    except (TypeError, ValueError):
        msg = f"the arguments of tool call '{str(name)[:64]}' in message {place} are no plain data that JSON can hold"
        raise InvalidRequestError(msg) from None
    return {"type": "function", "id": call_id, "function": {"name": name, "arguments": text}}


def _reasoning_of(message: AIMessage, blocks: Sequence[Any]) -> Reasoning:
    """Return what the model thought: as our own messages keep it, or in the blocks of another's."""
    extra = message.additional_kwargs
    provider = str(message.response_metadata.get("model_provider") or _UNKNOWN_VENDOR)
    vendor = str(extra.get(REASONING_VENDOR) or _VENDORS.get(provider, provider))
    text = extra.get("reasoning_content")
    details = extra.get("reasoning_details")
    if not isinstance(details, list):
        thoughts = [block for block in blocks if _kind(block) in _REASONING]
        details = [detail for block in thoughts for detail in _details_of(block, vendor)]
        text = text or "".join(detail.get("text", "") for detail in details)
    kept = (detail for detail in details if isinstance(detail, Mapping) and _is_readable(detail))
    return Reasoning(text if isinstance(text, str) else "", vendor, tuple(kept))


def _details_of(block: Mapping[str, Any], vendor: str) -> list[dict[str, Any]]:
    """Return a block of thought in OpenRouter's shape."""
    if (known := thinking_block(block)) is not None:
        return [known]
    held = block.get("reasoning_content")
    if isinstance(held, Mapping):
        # Bedrock's, whose models that think are Anthropic's.
        return [thinking_block({**held, "type": "thinking", "thinking": held.get("text")}) or {}]
    extras = block.get("extras")
    fields = {**(extras if isinstance(extras, Mapping) else {}), **block}
    if isinstance(fields.get("encrypted_content"), str):
        sealed = {"type": "reasoning.encrypted", "data": fields["encrypted_content"], "id": fields.get("id")}
        return [{**sealed, "format": "openai-responses-v1"}]
    summary = fields.get("summary")
    summaries = [each.get("text", "") for each in summary] if isinstance(summary, list) else []
    text = fields.get("reasoning") or "".join(summaries)
    detail = {"type": "reasoning.text", "text": text}
    if isinstance(fields.get("signature"), str):
        detail |= {"signature": fields["signature"], "format": _FORMATS.get(vendor, "unknown")}
    return [detail]


def _is_readable(detail: Mapping[str, Any]) -> bool:
    """Return whether a block says more than its text, which the message has anyway."""
    return bool(detail.get("signature") or detail.get("data") or detail.get("format"))


def _kind(block: Any) -> str:
    return str(block.get("type") or "") if isinstance(block, Mapping) else ""
