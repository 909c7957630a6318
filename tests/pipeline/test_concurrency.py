"""A call has a slot while it runs, and waits for it no longer than its deadline."""

import asyncio
from collections.abc import Iterator

import pytest

from orchestrator.core.errors import OverloadedError, UnavailableError
from orchestrator.core.reply import ChatReply
from orchestrator.pipeline.call import Call
from orchestrator.pipeline.concurrency import Concurrency
from orchestrator.resilience.concurrency_limiter import Load
from tests.support.step_bench import Following, StepBench, reply_of


@pytest.fixture
def narrow(make_config, clock) -> Iterator[StepBench]:
    """A process that takes on one request at once."""
    bench = StepBench(make_config({"overload": {"in_flight": 1}}), clock)
    yield bench
    bench.close()


async def test_a_call_has_a_slot_to_its_end_and_the_next_one_waits(narrow: StepBench) -> None:
    following = Following()
    following.may_end.clear()
    step = Concurrency(narrow.services, following)
    first, second = (asyncio.create_task(step(narrow.call())) for _ in range(2))
    while narrow.services.limiter.load != Load(1, 1):  # noqa: ASYNC110 -- the tasks run on this loop
        await asyncio.sleep(0)
    assert len(following.calls) == 1
    following.may_end.set()
    await asyncio.gather(first, second)
    assert len(following.calls) == 2
    assert narrow.services.limiter.load == Load(0, 0)


async def test_what_a_call_waits_for_its_slot_is_known(narrow: StepBench, clock) -> None:
    """So that a slow model is told apart from a full process."""
    following = Following()
    following.may_end.clear()
    step = Concurrency(narrow.services, following)
    calls = [narrow.call(), narrow.call()]
    tasks = [asyncio.create_task(step(call)) for call in calls]
    while narrow.services.limiter.load != Load(1, 1):  # noqa: ASYNC110 -- the tasks run on this loop
        await asyncio.sleep(0)
    clock.advance(3.0)
    following.may_end.set()
    await asyncio.gather(*tasks)
    assert [call.trace.queued_s for call in calls] == [0.0, 3.0]


async def test_a_wait_for_a_slot_ends_while_there_is_time_for_an_answer(narrow: StepBench) -> None:
    following = Following()
    following.may_end.clear()
    step = Concurrency(narrow.services, following)
    first = asyncio.create_task(step(narrow.call()))
    await following.began.wait()
    with pytest.raises(OverloadedError, match=r"no slot was free within 1\.0 s; ask again in 1\.0 s"):
        await step(narrow.call(deadline_s=2))
    assert narrow.services.limiter.load == Load(1, 0)
    following.may_end.set()
    await first


async def test_the_deadline_of_this_step_does_not_interrupt_the_following(narrow: StepBench) -> None:
    """What is under way is booked as late by the step that knows what it has sent."""

    async def slow(call: Call) -> ChatReply:
        await asyncio.sleep(3 * call.deadline.timeout_s)
        return reply_of(call)

    assert (await Concurrency(narrow.services, slow)(narrow.call(deadline_s=0.01))).text


async def test_a_failure_gives_the_slot_back(narrow: StepBench) -> None:
    step = Concurrency(narrow.services, Following(UnavailableError("down")))
    with pytest.raises(UnavailableError):
        await step(narrow.call())
    assert narrow.services.limiter.load == Load(0, 0)


async def test_what_loads_with_the_first_call_takes_no_slot(narrow: StepBench) -> None:
    loads: list[Load] = []

    async def get_ready() -> None:
        loads.append(narrow.services.limiter.load)
        narrow.transport.is_ready = True

    narrow.transport.get_ready = get_ready  # type: ignore[method-assign]
    step = Concurrency(narrow.services, Following())
    await step(narrow.call())
    await step(narrow.call())
    assert loads == [Load(0, 0)]
