"""A reply in OpenAI's shape, its own facts beside: in `x-nextflow-*` headers and the field `nextflow`."""

from typing import Any
from urllib.parse import quote

from orchestrator.core.money import to_usd
from orchestrator.core.reply import ChatReply, ToolCall, Usage

_FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter"})
"""What OpenAI's clients know."""
_HEADER_SAFE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
_HEADER_MAX = 1000


def completion_of(reply: ChatReply, *, notices: tuple[str, ...]) -> dict[str, Any]:
    """Return a whole reply as a chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text, "refusal": None}
    if reply.reasoning.text:
        # As DeepSeek, vLLM and others of the format name it; OpenAI itself shows none.
        message["reasoning_content"] = reply.reasoning.text
    if reply.tool_calls:
        message["content"] = reply.text or None
        message["tool_calls"] = [_tool_call(call) for call in reply.tool_calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_of(reply)}
    return {
        "id": id_of(reply.request_id),
        "object": "chat.completion",
        "created": int(reply.created_at.timestamp()),
        "model": reply.model,
        "choices": [choice],
        "usage": usage_of(reply.usage),
        "nextflow": reply_facts(reply, notices=notices),
    }


def id_of(request_id: str) -> str:
    """Return the id of a completion."""
    return f"chatcmpl-{request_id}"


def finish_of(reply: ChatReply) -> str:
    """Return why a reply ended, in OpenAI's words; an apology is a text that is whole."""
    return reply.finish_reason if reply.finish_reason in _FINISH_REASONS else "stop"


def usage_of(usage: Usage) -> dict[str, Any]:
    """Return tokens as OpenAI counts them."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "audio_tokens": usage.audio_input_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.audio_output_tokens,
        },
    }


def reply_facts(reply: ChatReply, *, notices: tuple[str, ...]) -> dict[str, Any]:
    """Return what OpenAI's shape has no word for."""
    degraded = reply.degraded
    return {
        "request_id": reply.request_id,
        "deployment": reply.deployment,
        "provider": reply.provider,
        "model": reply.model,
        "cost_nusd": reply.cost_nusd,
        "cost_usd": f"{to_usd(reply.cost_nusd):f}",
        "cache": reply.cached.value,
        "attempts": len(reply.attempts),
        "degraded": None if degraded is None else [kind.value for kind in degraded.kinds],
        "degraded_reason": None if degraded is None else degraded.for_caller or degraded.text,
        "apology": reply.apology,
        "notices": [*reply.notices, *notices],
        "latency_s": round(reply.latency_s, 6),
        "queued_s": round(reply.queued_s, 6),
    }


def fact_headers(facts: dict[str, Any]) -> dict[str, str]:
    """Return facts as headers; what is not ASCII in a text is percent-encoded, and a long one is cut."""
    headers = {
        "x-request-id": facts["request_id"],
        "x-nextflow-request-id": facts["request_id"],
        "x-nextflow-deployment": facts["deployment"],
        "x-nextflow-provider": facts["provider"],
        "x-nextflow-model": facts["model"],
        "x-nextflow-cost-usd": facts["cost_usd"],
        "x-nextflow-cache": facts["cache"],
        "x-nextflow-attempts": str(facts["attempts"]),
    }
    if facts["degraded"] is not None:
        headers["x-nextflow-degraded"] = ",".join(facts["degraded"])
    if facts["notices"]:
        headers["x-nextflow-notices"] = " | ".join(facts["notices"])
    return {name: quote(value, safe=_HEADER_SAFE)[:_HEADER_MAX] for name, value in headers.items()}


def _tool_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
