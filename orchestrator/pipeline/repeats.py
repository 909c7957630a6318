"""Replies that were paid for already, given once more: from the cache, from a like request, under a key."""

from dataclasses import replace

from orchestrator.core.clock import Clock
from orchestrator.core.errors import UnavailableError
from orchestrator.core.money import ZERO_NUSD
from orchestrator.core.reply import CacheState, ChatReply, Degradation, DegradationKind, Usage
from orchestrator.pipeline.call import Call
from orchestrator.pipeline.degradation import instead_of

_UNITS_S = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def repeated(call: Call, reply: ChatReply, cached: CacheState) -> ChatReply:
    """Return a reply under the id of another call, which pays nothing for it."""
    return replace(
        reply,
        request_id=call.id,
        usage=Usage(),
        cost_nusd=ZERO_NUSD,
        attempts=(),
        cached=cached,
        latency_s=call.deadline.elapsed_s(),
        created_at=call.started_at,
    )


def stale_reply(call: Call, error: UnavailableError, *, clock: Clock) -> ChatReply | None:
    """Return the older answer of the cache, marked; None where there is none or it comes too late."""
    if call.stale is None or call.has_delivered:
        return None
    stale = replace(
        repeated(call, call.stale, CacheState.STALE),
        degraded=why_stale(error, age_s=age_s_of(call.stale, clock)),
        attempts=call.trace.attempts,
        cost_nusd=error.cost_nusd,
        plan=call.trace.plan,
    )
    return call.hand_over(stale)


def replayed(call: Call, reply: ChatReply) -> ChatReply:
    """Return the reply of a key once more, under the id it had first: all as it was, nothing charged."""
    replay = replace(
        reply,
        cost_nusd=ZERO_NUSD,
        attempts=(),
        plan=None,
        cached=CacheState.REPLAYED,
        latency_s=call.deadline.elapsed_s(),
    )
    return call.hand_over(replay)


def age_s_of(reply: ChatReply, clock: Clock) -> float:
    """Return how long ago the request began that paid for a reply."""
    return (clock.now() - reply.created_at).total_seconds()


def why_stale(error: UnavailableError, *, age_s: float) -> Degradation:
    """Return why a reply is an older answer, and how old it is."""
    beginning = f"an answer from {_ago(age_s)}, because nobody answers now"
    return instead_of(error, DegradationKind.OLDER_ANSWER, beginning)


def _ago(age_s: float) -> str:
    for name, unit_s in _UNITS_S:
        if age_s >= unit_s:
            count = int(age_s // unit_s)
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "less than a minute ago"
