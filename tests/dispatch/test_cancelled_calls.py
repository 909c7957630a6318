"""Whoever gives up in any step leaves nothing behind: no money, no place, no task, no open circuit."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from orchestrator import CacheUse, Orchestrator
from orchestrator.core.errors import AllProvidersFailedError
from orchestrator.practice import PracticeServer
from orchestrator.resilience.circuit_breaker import CircuitState

PRIMARY = "openrouter/gpt-6.1-sol"
PATIENCE_S = 60.0
WORDS = 3


@pytest.fixture
def full_house() -> Iterator[str]:
    """The address of a server whose queue is full: whoever connects waits for an answer."""
    with ExitStack() as sockets:
        server = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = server.getsockname()
        for _ in range(4):
            one = sockets.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(address)
        yield f"http://127.0.0.1:{address[1]}/v1"


async def until(is_so: Callable[[], bool]) -> None:
    ends_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < ends_s
        await asyncio.sleep(0.01)


def ask(orchestrator: Orchestrator, prompt: str, **wanted):
    return orchestrator.acomplete(prompt, cache=CacheUse.OFF, max_tokens=20, model=PRIMARY, **wanted)


def tasks_of(orchestrator: Orchestrator) -> set[str]:
    async def names() -> set[str]:
        return {
            repr(one.get_coro()).split(" at ")[0] for one in asyncio.all_tasks() - {asyncio.current_task()}
        }

    return orchestrator._loop.run(names())


def spent_and_held(orchestrator: Orchestrator) -> tuple[int, int]:
    found = [one for one in orchestrator.standings() if one.scope == "all" and one.window == "day"]
    return (found[0].spent, found[0].held) if found else (0, 0)


def left_nothing(orchestrator: Orchestrator, tasks_before: set[str]) -> None:
    assert spent_and_held(orchestrator)[1] == 0
    load = orchestrator._services.limiter.load
    assert (load.in_flight, load.waiting) == (0, 0)
    assert set(orchestrator.circuits().values()) <= {CircuitState.CLOSED}
    assert orchestrator.health.provider_circuit("openrouter") is CircuitState.CLOSED
    assert tasks_of(orchestrator) <= tasks_before


async def give_up(call: asyncio.Task) -> None:
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


def test_in_line_for_a_place(make_orchestrator, practice: PracticeServer) -> None:
    orchestrator = make_orchestrator({"overload": {"in_flight": 1}})
    orchestrator.warm_up()
    before = tasks_of(orchestrator)
    practice.faults.add("openrouter:silence")

    async def both() -> None:
        first = asyncio.create_task(ask(orchestrator, "Câu 1"))
        await until(lambda: len(practice.requests) == 1)
        second = asyncio.create_task(ask(orchestrator, "Câu 2"))
        await until(lambda: orchestrator._services.limiter.load.waiting == 1)
        await give_up(second)
        assert orchestrator._services.limiter.load.waiting == 0
        await give_up(first)

    asyncio.run(both())
    assert len(practice.requests) == 1
    left_nothing(orchestrator, before)


def test_in_line_for_a_providers_minute(make_orchestrator, practice: PracticeServer) -> None:
    orchestrator = make_orchestrator({"providers": {"openrouter": {"requests_per_min": 1}}})
    orchestrator.warm_up()
    before = tasks_of(orchestrator)

    async def both() -> None:
        await ask(orchestrator, "Câu 1")
        spent = spent_and_held(orchestrator)
        second = asyncio.create_task(ask(orchestrator, "Câu 2", deadline_s=600))
        await until(lambda: orchestrator._services.limiter.load.in_flight == 1)
        await give_up(second)
        assert spent_and_held(orchestrator) == spent

    asyncio.run(both())
    assert len(practice.requests) == 1
    left_nothing(orchestrator, before)


def test_while_it_connects(make_orchestrator, full_house) -> None:
    orchestrator = make_orchestrator(OPENROUTER_BASE_URL=full_house)
    orchestrator.warm_up()
    before = tasks_of(orchestrator)

    async def one() -> None:
        call = asyncio.create_task(ask(orchestrator, "Câu 1"))
        await until(lambda: spent_and_held(orchestrator)[1] > 0)
        await give_up(call)

    asyncio.run(one())
    assert spent_and_held(orchestrator) == (0, 0)
    left_nothing(orchestrator, before)


@pytest.mark.parametrize("fault", ["silence", f"stall_stream,after_chunks={WORDS}"])
def test_when_it_was_sent(make_orchestrator, practice: PracticeServer, fault) -> None:
    """What may have been billed is booked, and the next one is answered by the same model."""
    orchestrator = make_orchestrator()
    orchestrator.warm_up()
    before = tasks_of(orchestrator)
    practice.faults.add(f"openrouter:{fault}")

    async def one() -> None:
        heard: list[str] = []

        async def read() -> None:
            async for delta in orchestrator.stream("Câu 1", cache=CacheUse.OFF, max_tokens=20, model=PRIMARY):
                heard.append(delta.text)  # noqa: PERF401 -- each when it comes

        call = asyncio.create_task(read())
        await until(lambda: bool(heard) if "stream" in fault else len(practice.requests) == 1)
        await give_up(call)

    asyncio.run(one())
    assert spent_and_held(orchestrator)[0] > 0
    left_nothing(orchestrator, before)
    practice.faults.clear()
    assert asyncio.run(ask(orchestrator, "Câu 2")).deployment == PRIMARY


def test_two_hundred_at_once(make_orchestrator, practice: PracticeServer) -> None:
    """In every step at the same moment: some have a place, some wait for one, some for the minute."""
    orchestrator = make_orchestrator(
        {"overload": {"in_flight": 40}, "providers": {"openrouter": {"requests_per_min": 20}}}
    )
    orchestrator.warm_up()
    before = tasks_of(orchestrator)
    practice.faults.add("openrouter:silence")

    async def all_of_them() -> None:
        calls = [asyncio.create_task(ask(orchestrator, f"Câu {number}")) for number in range(200)]
        await until(lambda: len(practice.requests) >= 1)
        for call in calls:
            call.cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(one) for one in ended} <= {asyncio.CancelledError, AllProvidersFailedError}

    asyncio.run(all_of_them())
    left_nothing(orchestrator, before)
