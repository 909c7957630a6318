"""Replies: made from a walk, kept in the cache, repeated from it, and told to the ledger."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from orchestrator.core.errors import BudgetExceededError, OverloadedError
from orchestrator.core.money import ZERO_NUSD
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import CacheState, ChatReply, Delta, Outcome, ToolCall, ToolCallDelta, Usage
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.dispatcher import Walk
from orchestrator.ledger.ledger import RequestRecord
from orchestrator.pipeline.degradation import as_kept, broken_off, clamped_notices

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
"""What is told once more to an idempotency key."""


def from_walk(walk: Walk, answer: ProviderAnswer, *, latency_s: float, started_at: datetime) -> ChatReply:
    """Return the reply of a walk that was answered."""
    last = walk.attempts[-1]
    candidate = next(step for step in walk.terms.plan.asked if step.deployment == last.deployment)
    return ChatReply(
        request_id=walk.terms.request_id,
        text=answer.text,
        model=last.model,
        deployment=last.deployment,
        provider=last.provider,
        usage=answer.usage,
        cost_nusd=walk.spent_nusd,
        finish_reason=answer.finish_reason,
        tool_calls=answer.tool_calls,
        attempts=tuple(walk.attempts),
        degraded=broken_off(walk.story),
        notices=(*clamped_notices(candidate), *walk.notices),
        latency_s=latency_s,
        created_at=started_at,
        plan=walk.terms.plan,
    )


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

    Its request is filled in by whoever repeats it.
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
    """Return a reply as bytes for its idempotency key: what its caller was told, usage and notices included."""
    kept = {name: getattr(reply, name) for name in _WHOLE}
    if reply.degraded is not None:
        kept |= {"degraded": reply.degraded.text, "degraded_kinds": reply.degraded.kinds}
    return orjson.dumps(kept)


def unpack_whole(packed: bytes) -> ChatReply | None:
    """Return a reply that was kept for its idempotency key; None if it is none."""
    try:
        kept = orjson.loads(packed)
        degraded_kinds = kept.pop("degraded_kinds", ())
        return ChatReply(
            **{
                **kept,
                "usage": Usage(**kept["usage"]),
                "cached": CacheState.REPLAYED,
                "cost_nusd": ZERO_NUSD,
                "tool_calls": tuple(ToolCall(**call) for call in kept["tool_calls"]),
                "degraded": as_kept(kept["degraded"], degraded_kinds),
                "notices": tuple(kept["notices"]),
                "created_at": datetime.fromisoformat(kept["created_at"]),
            }
        )
    except (ValueError, KeyError, TypeError):
        return None


def replayed(reply: ChatReply, *, latency_s: float) -> ChatReply:
    """Return a reply once more, under the id of its first telling: all as it was told, and nothing charged."""
    return replace(
        reply,
        cost_nusd=ZERO_NUSD,
        attempts=(),
        plan=None,
        cached=CacheState.REPLAYED,
        latency_s=latency_s,
    )


def handed_over(reply: ChatReply, take: Callable[[Delta], None] | None) -> ChatReply:
    """Return a reply after its pieces have gone to whoever reads it as a stream; None reads it whole."""
    if take is not None:
        for delta in pieces(reply):
            take(delta)
    return reply


def pieces(reply: ChatReply) -> Iterator[Delta]:
    """Yield a whole reply as the pieces of a stream: its text word by word, then its tool calls."""
    start = 0
    while start < len(reply.text):
        end = reply.text.find(" ", start) + 1 or len(reply.text)
        yield Delta(reply.text[start:end])
        start = end
    calls = tuple(
        ToolCallDelta(place, call.id, call.name, call.arguments)
        for place, call in enumerate(reply.tool_calls)
    )
    if calls:
        yield Delta("", calls)


def operation_of(  # noqa: PLR0913 -- the sum of a request's life
    request_id: str,
    request: ChatRequest,
    started_at: datetime,
    latency_s: float,
    *,
    walk: Walk | None,
    reply: ChatReply | None,
    error: BaseException | None,
) -> RequestRecord:
    """Return the ledger's row of a request that ended; tokens are those that were paid for."""
    attempts = walk.attempts if walk is not None else []
    return RequestRecord(
        id=request_id,
        started_at=started_at,
        tenant=request.tenant,
        use_case=request.use_case,
        user=request.user,
        tags=request.tags,
        outcome=_outcome(reply, error),
        error=type(error).__name__ if error is not None and reply is None else None,
        cached=reply.cached if reply is not None else CacheState.MISS,
        degraded=reply.degraded.text if reply is not None and reply.degraded is not None else None,
        deployment=reply.deployment if reply is not None else None,
        provider=reply.provider if reply is not None else None,
        model=reply.model if reply is not None else None,
        attempts=len(attempts),
        usage=Usage(
            input_tokens=sum(one.usage.input_tokens for one in attempts),
            output_tokens=sum(one.usage.output_tokens for one in attempts),
        ),
        cost_nusd=walk.spent_nusd if walk is not None else ZERO_NUSD,
        latency_s=latency_s,
    )


def _outcome(reply: ChatReply | None, error: BaseException | None) -> Outcome:
    if reply is not None:
        return Outcome.SUCCEEDED
    if isinstance(error, asyncio.CancelledError):
        return Outcome.CANCELLED
    refused = isinstance(error, BudgetExceededError | OverloadedError)
    return Outcome.REFUSED if refused else Outcome.FAILED
