"""The step that answers once for a key, alone: what follows it is asked once, and again when it failed."""

import asyncio

import pytest

from orchestrator.core.errors import BudgetExceededError, DeadlineExceededError, IdempotencyConflictError
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import CacheState
from orchestrator.pipeline.idempotency import Idempotency
from tests.support.step_bench import Following

KEY = "order-17"
REFUSED = BudgetExceededError(
    scope="all", window="day", limit=NanoUsd(1), left=NanoUsd(0), needed=NanoUsd(1), resets_at=None
)


async def test_without_a_key_every_call_goes_on(bench) -> None:
    following = Following()
    step = Idempotency(bench.services, following)
    await step(bench.call())
    await step(bench.call())
    assert len(following.calls) == 2
    assert not bench.services.kept_replies.path.exists()


async def test_a_repeated_call_gets_the_first_reply_and_goes_no_further(bench) -> None:
    following = Following()
    step = Idempotency(bench.services, following)
    first = await step(bench.call(idempotency_key=KEY))
    again = await step(bench.call(idempotency_key=KEY, stream=True))
    assert (again.request_id, again.text, again.usage) == (first.request_id, first.text, first.usage)
    assert (again.cached, again.cost_nusd) == (CacheState.REPLAYED, 0)
    assert "".join(delta.text for delta in bench.pieces) == first.text
    assert len(following.calls) == 1


async def test_another_request_under_the_key_goes_no_further(bench) -> None:
    following = Following()
    step = Idempotency(bench.services, following)
    first = await step(bench.call(idempotency_key=KEY))
    with pytest.raises(IdempotencyConflictError) as caught:
        await step(bench.call("Tạm biệt", idempotency_key=KEY))
    assert caught.value.request_id == first.request_id
    assert len(following.calls) == 1


async def test_a_call_that_failed_frees_its_key(bench) -> None:
    following = Following(REFUSED)
    step = Idempotency(bench.services, following)
    with pytest.raises(BudgetExceededError):
        await step(bench.call(idempotency_key=KEY))
    assert (await step(bench.call(idempotency_key=KEY))).cached is CacheState.MISS


async def test_a_call_that_joins_waits_no_longer_than_its_own_deadline(bench) -> None:
    following = Following()
    following.may_end.clear()
    step = Idempotency(bench.services, following)
    first = asyncio.create_task(step(bench.call(idempotency_key=KEY)))
    await following.began.wait()
    joining = bench.call(idempotency_key=KEY, deadline_s=0.01)
    with pytest.raises(DeadlineExceededError, match=r"still under way after 0\.01 s") as caught:
        await step(joining)
    assert caught.value.request_id == joining.id
    following.may_end.set()
    assert (await first).cached is CacheState.MISS
