"""Act 2: nothing is paid for twice, neither a repeated prompt nor many equal ones at once."""

import asyncio

from orchestrator.cli.story.act import Act, CheckedClaim, StoryEntry
from orchestrator.cli.story.stage import DemoStage
from orchestrator.core.formatting import money, seconds
from orchestrator.core.money import format_usd
from orchestrator.core.reply import CacheState, ChatReply
from orchestrator.core.request import ChatRequest

_THANKS = 'Write a friendly one-sentence reply to: "Thank you, the coffee was great!"'
_TOGETHER = 'Write a friendly one-sentence reply to: "Do you deliver on Sunday?"'
_TOGETHER_COUNT = 20
_HIT_MAX_S = 0.25
"""A cached answer takes a millisecond; this allows for a machine that is busy."""


def play(stage: DemoStage) -> Act:
    """Ask the same thing twice, then another thing twenty times at once."""
    first, again, repeat_calls = _twice(stage)
    replies, calls = _together(stage)
    joined = sum(reply.cached is not CacheState.MISS for reply in replies)
    paid = sum(reply.cost_nusd for reply in replies)
    shared = joined == len(replies) - 1 and len({reply.text for reply in replies}) == 1
    repeat = (
        f"the repeated prompt came from the cache in {seconds(again.latency_s)}, for $0, with the same words"
    )
    return Act(
        title="Nothing is paid for twice",
        intro="The cache is exact and knows no other tenant's answers; equal requests share one call.",
        parts=(
            StoryEntry(
                "the same prompt, again",
                (_timed("first", first), f"{_timed('again', again)}  (cache {again.cached})"),
            ),
            StoryEntry(
                f"{len(replies)} equal prompts at once",
                (f"{calls} sent to a provider, {joined} shared its answer, {format_usd(paid)} paid in all",),
            ),
        ),
        claims=(
            CheckedClaim(repeat, _is_free_repeat(first, again) and repeat_calls == 0),
            CheckedClaim(
                f"{len(replies)} equal requests at once made {calls} provider call", calls == 1 and shared
            ),
        ),
        facts={
            "first_latency_s": first.latency_s,
            "again_latency_s": again.latency_s,
            "again_cached": again.cached.value,
            "together": len(replies),
            "together_upstream": calls,
            "together_joined": joined,
            **money("together_cost", paid),
        },
    )


def _timed(name: str, reply: ChatReply) -> str:
    return f"{name}  {seconds(reply.latency_s):>8}  {format_usd(reply.cost_nusd)}"


def _twice(stage: DemoStage) -> tuple[ChatReply, ChatReply, int]:
    request = ChatRequest.of(
        _THANKS, use_case="customer_service", tenant="nextflow", max_tokens=96, temperature=0.0
    )
    first = stage.orchestrator.complete(request)
    before = stage.upstream_count()
    again = stage.orchestrator.complete(request)
    return first, again, stage.upstream_count() - before


def _together(stage: DemoStage) -> tuple[list[ChatReply], int]:
    request = ChatRequest.of(
        _TOGETHER, use_case="customer_service", tenant="nextflow", max_tokens=96, temperature=0.0
    )

    async def ask_all() -> list[ChatReply]:
        return await asyncio.gather(*(stage.orchestrator.acomplete(request) for _ in range(_TOGETHER_COUNT)))

    before = stage.upstream_count()
    replies = asyncio.run(ask_all())
    return replies, stage.upstream_count() - before


def _is_free_repeat(first: ChatReply, again: ChatReply) -> bool:
    fast = again.latency_s < _HIT_MAX_S
    return again.cached is CacheState.HIT and again.cost_nusd == 0 and again.text == first.text and fast
