"""Replies that are kept: which may be, and as which bytes."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson

from orchestrator.core.embedding import EmbeddingReply
from orchestrator.core.json_answers import is_json
from orchestrator.core.money import ZERO_NUSD
from orchestrator.core.provider_answer import SHOWN_THOUGHTS
from orchestrator.core.reasoning import NO_REASONING, Reasoning
from orchestrator.core.reply import CacheState, ChatReply, ToolCall, Usage
from orchestrator.pipeline.degradation import as_kept

_WHOLE = (
    "request_id",
    "text",
    "model",
    "deployment",
    "provider",
    "usage",
    "finish_reason",
    "tool_calls",
    "degraded",
    "notices",
    "created_at",
    "reasoning",
    "served_model",
)
"""What an idempotency key gets once more."""


def may_be_kept(reply: ChatReply, *, as_json: bool) -> bool:
    """Return whether a reply may be repeated later: whole, and of the kind and quality that was asked for."""
    if reply.degraded is not None or reply.finish_reason not in {"stop", "tool_calls"}:
        return False
    if reply.tool_calls:
        return True
    return is_json(reply.text) if as_json else SHOWN_THOUGHTS not in reply.notices


def pack(reply: ChatReply) -> bytes:
    """Return a reply as bytes for the cache."""
    kept: dict[str, Any] = {
        "text": reply.text,
        "model": reply.model,
        "deployment": reply.deployment,
        "provider": reply.provider,
        "finish_reason": reply.finish_reason,
        "tool_calls": [asdict(call) for call in reply.tool_calls],
        "created_at": reply.created_at.timestamp(),
        "reasoning": asdict(reply.reasoning) if reply.reasoning else None,
        "served_model": reply.served_model,
    }
    return orjson.dumps(kept)


def unpack(packed: bytes) -> ChatReply | None:
    """Return a reply from the cache with the moment it was made; None if it is none.

    Its request is filled in where it is repeated.
    """
    try:
        kept = orjson.loads(packed)
        return ChatReply(
            request_id="",
            text=kept["text"],
            model=kept["model"],
            deployment=kept["deployment"],
            provider=kept["provider"],
            usage=Usage(),
            cost_nusd=ZERO_NUSD,
            finish_reason=kept["finish_reason"],
            tool_calls=tuple(ToolCall(**call) for call in kept["tool_calls"]),
            created_at=datetime.fromtimestamp(kept["created_at"], UTC),
            reasoning=_reasoning_of(kept.get("reasoning")),
            served_model=kept.get("served_model"),
        )
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        # A damaged entry is a miss: the model is asked, and its answer takes the entry's place.
        return None


def pack_whole(reply: ChatReply) -> bytes:
    """Return a reply as bytes for its idempotency key: all its caller was told, with usage and notices."""
    kept = {name: getattr(reply, name) for name in _WHOLE}
    if reply.degraded is not None:
        kept |= {
            "degraded": reply.degraded.text,
            "degraded_kinds": reply.degraded.kinds,
            "degraded_for_caller": reply.degraded.for_caller,
        }
    if isinstance(reply, EmbeddingReply):
        kept |= {"vectors": reply.vectors, "cached_texts": reply.cached_texts}
    return orjson.dumps(kept)


def unpack_whole(packed: bytes) -> ChatReply | None:
    """Return a reply that was kept for its idempotency key; None if it is none."""
    try:
        kept = orjson.loads(packed)
        degraded_kinds, for_caller = kept.pop("degraded_kinds", ()), kept.pop("degraded_for_caller", None)
        if "vectors" in kept:
            kept["vectors"] = tuple(map(tuple, kept["vectors"]))
        kind = EmbeddingReply if "vectors" in kept else ChatReply
        return kind(
            **{
                **kept,
                "usage": Usage(**kept["usage"]),
                "cached": CacheState.REPLAYED,
                "cost_nusd": ZERO_NUSD,
                "tool_calls": tuple(ToolCall(**call) for call in kept["tool_calls"]),
                "degraded": as_kept(kept["degraded"], degraded_kinds, for_caller=for_caller),
                "notices": tuple(kept["notices"]),
                "created_at": datetime.fromisoformat(kept["created_at"]),
                "reasoning": _reasoning_of(kept.get("reasoning")),
            }
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _reasoning_of(kept: Any) -> Reasoning:
    """Return the reasoning of a kept reply; an older version kept none."""
    if not kept:
        return NO_REASONING
    return Reasoning(kept["text"], kept["vendor"], tuple(kept["blocks"]))
