"""Equal questions are asked once: while an answer is fresh, and while one is on its way."""

import asyncio
from dataclasses import replace

import pytest

from orchestrator.core.errors import BudgetExceededError, DeadlineExceededError, UnavailableError
from orchestrator.core.money import NanoUsd
from orchestrator.core.provider_answer import SHOWN_THOUGHTS
from orchestrator.core.reply import CacheState
from orchestrator.pipeline.caching import Caching
from tests.support.step_bench import COST, Following

HOUR_S = 3_600.0


async def test_a_fresh_answer_is_repeated_under_an_id_of_its_own_and_recorded(bench) -> None:
    following = Following()
    step = Caching(bench.services, following)
    first = await step(bench.call())
    bench.clock.advance(60)
    again = await step(bench.call())
    assert (again.text, again.cached, again.cost_nusd) == (first.text, CacheState.HIT, 0)
    assert len(following.calls) == 1
    assert bench.rows() == [(again.request_id, "succeeded", None, "hit", 0, 0)]


async def test_an_answer_that_is_no_longer_fresh_goes_along_for_the_case_that_there_is_no_other(
    bench,
) -> None:
    following = Following("Chào buổi sáng", "Chào buổi chiều")
    step = Caching(bench.services, following)
    first = await step(bench.call())
    assert following.calls[0].stale is None
    bench.clock.advance(2 * HOUR_S)
    assert (await step(bench.call())).text == "Chào buổi chiều"
    stale = following.calls[1].stale
    assert stale is not None
    assert (stale.text, stale.created_at) == (first.text, first.created_at)


@pytest.mark.parametrize(
    ("fields", "asked"),
    [({"cache": "off"}, 2), ({"cache": "refresh"}, 2), ({"tenant": "globex"}, 2), ({}, 1)],
)
async def test_what_may_not_be_repeated_is_asked_anew(bench, fields, asked) -> None:
    following = Following()
    step = Caching(bench.services, following)
    await step(bench.call())
    await step(bench.call(**fields))
    assert len(following.calls) == asked


@pytest.mark.parametrize(("said", "asked"), [('{"a": 1}', 1), ('{"a": 1', 2), ("Sure! Here it is", 2)])
async def test_what_is_no_json_where_that_was_asked_for_is_not_kept(bench, said, asked) -> None:
    following = Following(said, said)
    step = Caching(bench.services, following)
    for _ in range(2):
        await step(bench.call(response_format={"type": "json_object"}))
    assert len(following.calls) == asked


async def test_an_answer_that_was_shown_with_its_thoughts_is_not_kept(bench) -> None:
    following = Following()

    async def thinking(call):
        return replace(await following(call), notices=(SHOWN_THOUGHTS,))

    step = Caching(bench.services, thinking)
    for _ in range(2):
        await step(bench.call())
    assert len(following.calls) == 2


async def test_a_stream_gets_an_answer_of_the_cache_in_pieces(bench) -> None:
    step = Caching(bench.services, Following())
    await step(bench.call())
    reply = await step(bench.call(stream=True))
    assert [delta.text for delta in bench.pieces] == ["Chào ", "anh ", "Nam"]
    assert reply.cached is CacheState.HIT


async def test_equal_questions_at_once_are_asked_once_and_one_of_them_pays(bench) -> None:
    following = Following()
    following.may_end.clear()
    step = Caching(bench.services, following)
    tasks = [asyncio.create_task(step(bench.call())) for _ in range(3)]
    await following.began.wait()
    following.may_end.set()
    replies = await asyncio.gather(*tasks)
    assert [reply.cached for reply in replies] == [CacheState.MISS, CacheState.JOINED, CacheState.JOINED]
    assert sum(reply.cost_nusd for reply in replies) == COST
    assert len({reply.request_id for reply in replies}) == 3
    assert len(following.calls) == 1


async def test_a_call_whose_leader_failed_asks_on_its_own_terms(bench) -> None:
    refused = BudgetExceededError(
        scope="user:lan", window="day", limit=NanoUsd(1), left=NanoUsd(0), needed=NanoUsd(1), resets_at=None
    )
    following = Following(refused)
    step = Caching(bench.services, following)
    leader = asyncio.create_task(step(bench.call(user="lan")))
    joining = asyncio.create_task(step(bench.call(user="mai")))
    with pytest.raises(BudgetExceededError):
        await leader
    assert (await joining).cached is CacheState.MISS


async def test_a_call_that_joined_waits_no_longer_than_its_own_deadline_and_is_recorded(bench) -> None:
    following = Following()
    following.may_end.clear()
    step = Caching(bench.services, following)
    leader = asyncio.create_task(step(bench.call(deadline_s=30)))
    await following.began.wait()
    joining = bench.call(deadline_s=0.01)
    with pytest.raises(DeadlineExceededError, match=r"no answer within 0\.01 s") as caught:
        await step(joining)
    assert caught.value.request_id == joining.id
    assert bench.rows() == [(joining.id, "failed", "DeadlineExceededError", "miss", 0, 0)]
    following.may_end.set()
    assert (await leader).cached is CacheState.MISS


async def test_a_call_that_asks_meets_its_deadline_in_its_own_work_alone(bench) -> None:
    """Also on a loop that stood still: the work knows what it has spent, and this step does not."""
    call = bench.call(deadline_s=0.01)
    own = call.too_late()

    async def slow_to_settle(call):
        for _ in range(3):
            await asyncio.sleep(0)
        raise own

    bench.clock.advance(1.0)
    with pytest.raises(DeadlineExceededError) as caught:
        await Caching(bench.services, slow_to_settle)(call)
    assert caught.value is own


async def test_a_call_that_joined_in_vain_gets_the_older_answer(bench) -> None:
    following = Following()
    step = Caching(bench.services, following)
    await step(bench.call())
    bench.clock.advance(2 * HOUR_S)
    following.began.clear()
    following.may_end.clear()
    leader = asyncio.create_task(step(bench.call(deadline_s=30)))
    await following.began.wait()
    reply = await step(bench.call(deadline_s=0.01))
    assert reply.cached is CacheState.STALE
    assert "2 hours ago" in str(reply.degraded)
    leader.cancel()
    await asyncio.gather(leader, return_exceptions=True)


async def test_a_failure_is_not_kept(bench) -> None:
    following = Following(UnavailableError("everything is down"))
    step = Caching(bench.services, following)
    with pytest.raises(UnavailableError):
        await step(bench.call())
    assert (await step(bench.call())).cached is CacheState.MISS
