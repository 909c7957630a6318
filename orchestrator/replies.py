"""Replies: made from a walk, kept in the cache, repeated from it, and told to the ledger."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson

from orchestrator.calls import (
    CacheState,
    ChatReply,
    ChatRequest,
    Delta,
    Outcome,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from orchestrator.catalog import Tier
from orchestrator.config import Config
from orchestrator.errors import BudgetExceededError
from orchestrator.gateway.answers import Answer
from orchestrator.gateway.walk import Walk
from orchestrator.money import ZERO_NUSD
from orchestrator.policy.routing import Order, UseCaseSettings
from orchestrator.state.ledger import Operation


def from_walk(walk: Walk, answer: Answer, *, latency_s: float, started_at: datetime) -> ChatReply:
    """Return the reply of a walk that was answered."""
    last = walk.attempts[-1]
    candidate = next(one for one in walk.terms.plan.candidates if one.deployment == last.deployment)
    clamped = tuple(reason for reason in candidate.reasons if reason.startswith("max_tokens lowered"))
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
        degraded=walk.story,
        notices=(*clamped, *walk.notices),
        latency_s=latency_s,
        created_at=started_at,
        plan=walk.terms.plan,
    )


def degraded(config: Config, use_case: UseCaseSettings, reply: ChatReply) -> str | None:
    """Return why a reply is not what the first choice would have given, None when it is."""
    if reply.plan is None:
        return None
    first = reply.plan.candidates[0]
    # One who broke off is named in the story of the answer already.
    reasons = [reply.degraded] if reply.degraded else []
    if reply.deployment != first.deployment and not reasons:
        failed = next((one for one in reply.attempts if one.deployment == first.deployment), None)
        reasons.append(f"{first.deployment} {failed.failure if failed else 'was passed over'}")
    primary = use_case.primary.deployment
    pinned = any("asked for by name" in reason for reason in first.reasons)
    if use_case.order is Order.ROUTE and not pinned and first.deployment != primary:
        left_out = [one.reason for one in reply.plan.excluded if one.deployment == primary]
        behind = [
            reason
            for one in reply.plan.candidates
            if one.deployment == primary
            for reason in one.reasons
            if reason.startswith("max_tokens lowered")
        ]
        why = next(iter([*left_out, *behind]), "is not available")
        reasons.append(f"{primary} left out: {why}")
    model = config.catalog.models[reply.model]
    quality = model.quality.get(reply.plan.use_case, 0.0)
    if model.tier is Tier.EMERGENCY and not pinned:
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
    }
    return orjson.dumps(kept)


def unpack(packed: bytes) -> ChatReply | None:
    """Return a reply from the cache, its request filled in by whoever repeats it; None if it is no reply."""
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
            created_at=datetime.fromtimestamp(0, UTC),
        )
    except (ValueError, KeyError, TypeError):
        # A damaged entry is a miss: the model is asked, and its answer takes the entry's place.
        return None


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
) -> Operation:
    """Return the ledger's row of a request that ended; tokens are those that were paid for."""
    attempts = walk.attempts if walk is not None else []
    return Operation(
        id=request_id,
        started_at=started_at,
        tenant=request.tenant,
        use_case=request.use_case,
        user=request.user,
        tags=request.tags,
        outcome=_outcome(reply, error),
        error=type(error).__name__ if error is not None else None,
        cached=reply.cached if reply is not None else CacheState.MISS,
        degraded=reply.degraded if reply is not None else None,
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
    return Outcome.REFUSED if isinstance(error, BudgetExceededError) else Outcome.FAILED
