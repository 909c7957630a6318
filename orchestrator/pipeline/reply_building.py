"""Replies: why one is degraded, which may be kept, and as which bytes."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson

from orchestrator.catalog.catalog import ModelClass
from orchestrator.config.loader import Config
from orchestrator.core.money import ZERO_NUSD
from orchestrator.core.reply import CacheState, ChatReply, ToolCall, Usage
from orchestrator.routing.ranking import RouteOrder, UseCaseSettings

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
)
"""What an idempotency key gets once more."""


def degraded(config: Config, use_case: UseCaseSettings, reply: ChatReply) -> str | None:
    """Return why a reply is not what the first choice would have given, None when it is."""
    if reply.plan is None:
        return None
    first = reply.plan.asked[0]
    # One who broke off is named in the story of the answer already.
    reasons = [reply.degraded] if reply.degraded else []
    if reply.deployment != first.deployment and not reasons:
        failed = next((one for one in reply.attempts if one.deployment == first.deployment), None)
        reasons.append(f"{first.deployment} {failed.failure if failed else 'was passed over'}")
    primary = use_case.primary.deployment
    pinned = any("asked for by name" in reason for reason in first.reasons)
    if use_case.order is RouteOrder.ROUTE and not pinned and first.deployment != primary:
        left_out = [one.reason for one in reply.plan.excluded if one.deployment == primary]
        behind = [
            reason
            for one in reply.plan.asked
            if one.deployment == primary
            for reason in one.reasons
            if reason.startswith("max_tokens lowered")
        ]
        why = next(iter([*left_out, *behind]), "is not available")
        reasons.append(f"{primary} left out: {why}")
    model = config.catalog.models[reply.model]
    quality = model.quality.get(reply.plan.use_case, 0.0)
    if model.tier is ModelClass.EMERGENCY and not pinned:
        reasons.append("answered by the emergency model")
    elif quality < use_case.quality_floor and not pinned:
        reasons.append(f"quality {quality:g} is below the floor {use_case.quality_floor:g}")
    return "; ".join(reasons) or None


def may_be_kept(reply: ChatReply) -> bool:
    """Return whether a reply may be repeated later: whole, and of the quality that was asked for."""
    return reply.degraded is None and reply.finish_reason in {"stop", "tool_calls"}


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
        )
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        # A damaged entry is a miss: the model is asked, and its answer takes the entry's place.
        return None


def pack_whole(reply: ChatReply) -> bytes:
    """Return a reply as bytes for its idempotency key: all its caller was told, with usage and notices."""
    return orjson.dumps({name: getattr(reply, name) for name in _WHOLE})


def unpack_whole(packed: bytes) -> ChatReply | None:
    """Return a reply that was kept for its idempotency key; None if it is none."""
    try:
        kept = orjson.loads(packed)
        return ChatReply(
            **{
                **kept,
                "usage": Usage(**kept["usage"]),
                "cached": CacheState.REPLAYED,
                "cost_nusd": ZERO_NUSD,
                "tool_calls": tuple(ToolCall(**call) for call in kept["tool_calls"]),
                "notices": tuple(kept["notices"]),
                "created_at": datetime.fromisoformat(kept["created_at"]),
            }
        )
    except (ValueError, KeyError, TypeError):
        return None
