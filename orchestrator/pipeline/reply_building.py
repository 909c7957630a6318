"""Replies: made from what a dispatch brought, kept in the cache, repeated from it, and told to the ledger."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from orchestrator.catalog.catalog import ModelClass
from orchestrator.config.loader import Config
from orchestrator.core.errors import BudgetExceededError, OverloadedError
from orchestrator.core.money import ZERO_NUSD
from orchestrator.core.reply import CacheState, ChatReply, Delta, Outcome, ToolCall, ToolCallDelta, Usage
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.outcome import DispatchResult
from orchestrator.ledger.ledger import RequestRecord
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
"""What is told once more to an idempotency key."""


def from_result(result: DispatchResult, *, latency_s: float, started_at: datetime) -> ChatReply:
    """Return the reply of a dispatch that was answered."""
    answer = result.answer
    if answer is None:
        msg = "no deployment has answered"
        raise ValueError(msg)
    last, plan = result.attempts[-1], result.dispatch.plan
    candidate = next(step for step in plan.asked if step.deployment == last.deployment)
    clamped = tuple(reason for reason in candidate.reasons if reason.startswith("max_tokens lowered"))
    return ChatReply(
        request_id=result.dispatch.request_id,
        text=answer.text,
        model=last.model,
        deployment=last.deployment,
        provider=last.provider,
        usage=answer.usage,
        cost_nusd=result.spent_nusd,
        finish_reason=answer.finish_reason,
        tool_calls=answer.tool_calls,
        attempts=result.attempts,
        degraded=result.story,
        notices=(*clamped, *result.notices),
        latency_s=latency_s,
        created_at=started_at,
        plan=plan,
    )


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
    result: DispatchResult | None,
    reply: ChatReply | None,
    error: BaseException | None,
) -> RequestRecord:
    """Return the ledger's row of a request that ended; tokens are those that were paid for."""
    attempts = result.attempts if result is not None else ()
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
        degraded=reply.degraded if reply is not None else None,
        deployment=reply.deployment if reply is not None else None,
        provider=reply.provider if reply is not None else None,
        model=reply.model if reply is not None else None,
        attempts=len(attempts),
        usage=Usage(
            input_tokens=sum(one.usage.input_tokens for one in attempts),
            output_tokens=sum(one.usage.output_tokens for one in attempts),
        ),
        cost_nusd=result.spent_nusd if result is not None else ZERO_NUSD,
        latency_s=latency_s,
    )


def _outcome(reply: ChatReply | None, error: BaseException | None) -> Outcome:
    if reply is not None:
        return Outcome.SUCCEEDED
    if isinstance(error, asyncio.CancelledError):
        return Outcome.CANCELLED
    refused = isinstance(error, BudgetExceededError | OverloadedError)
    return Outcome.REFUSED if refused else Outcome.FAILED
