"""More requests than this process takes on: fair for every tenant, clear for whoever is refused, nothing lost."""

import asyncio
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator import CacheUse, Orchestrator
from orchestrator.core.errors import OverloadedError
from orchestrator.practice import Fault, PracticePrice, PracticeRequest, PracticeServer, Scripted
from orchestrator.resilience.concurrency_limiter import Load

LONG_S = 300
FEW = {"overload": {"in_flight": 10, "queue_per_tenant": 300}}


def outcomes(orchestrator: Orchestrator) -> Counter[tuple[str, str]]:
    path = Path(orchestrator.config.settings.ledger.path)
    with closing(sqlite3.connect(path)) as connection:
        return Counter(connection.execute("SELECT tenant, outcome FROM operations").fetchall())


class Gated(Scripted):
    """Answers the first `shut_out` requests once its gate is open, and all others at once."""

    def __init__(self, *, shut_out: int) -> None:
        super().__init__()
        self.gate, self.waits = threading.Event(), threading.Event()
        self._shut_out = shut_out

    async def answer(self, request: PracticeRequest) -> AsyncIterator[Any]:
        waits, self._shut_out = self._shut_out > 0, self._shut_out - 1
        if waits:
            self.waits.set()
        while waits and not self.gate.is_set():  # noqa: ASYNC110 -- it is opened on another thread
            await asyncio.sleep(0.001)
        async for piece in super().answer(request):
            yield piece


@contextmanager
def gated(
    prices: dict[tuple[str, str], PracticePrice], *, shut_out: int
) -> Iterator[tuple[PracticeServer, Gated]]:
    """Practice providers with a gate; it is open when the block is left."""
    answerer = Gated(shut_out=shut_out)
    with PracticeServer(answerer=answerer, prices=prices) as server:
        try:
            yield server, answerer
        finally:
            answerer.gate.set()


async def load_is(orchestrator: Orchestrator, wanted: Callable[[Load], bool]) -> None:
    async with asyncio.timeout(30):
        while not wanted(orchestrator.load()):  # noqa: ASYNC110 -- it changes on another loop
            await asyncio.sleep(0.001)


@pytest.fixture
def slow(practice: PracticeServer) -> PracticeServer:
    """Every answer takes a moment, so that slots are taken."""
    practice.faults.add(Fault.parse("*:slow_first_token,delay_s=0.1"))
    return practice


async def test_a_flood_of_one_tenant_does_not_starve_the_chat_of_another(
    make_orchestrator, slow: PracticeServer
) -> None:
    """120 of one tenant on ten slots: the other tenant's chat is among the first answers, and nothing is lost."""
    orchestrator: Orchestrator = make_orchestrator(FEW)
    orchestrator.warm_up()
    answered: list[str] = []

    async def ask(tenant: str, number: int) -> None:
        reply = await orchestrator.acomplete(
            f"Câu {number}", tenant=tenant, cache=CacheUse.OFF, profile="background", max_tokens=8
        )
        assert reply.text
        answered.append(tenant)

    flood = [asyncio.create_task(ask("globex", number)) for number in range(120)]
    await load_is(orchestrator, lambda load: load.waiting >= 100)
    chat = asyncio.create_task(ask("acme", 0))
    await asyncio.gather(*flood, chat)
    # Eight of the flood were under way before it came, and eight more may end with it.
    assert answered.index("acme") < 8 * 4
    assert orchestrator.load() == Load(0, 0)
    assert outcomes(orchestrator) == {("globex", "succeeded"): 120, ("acme", "succeeded"): 1}


async def test_what_no_queue_holds_is_refused_clearly_and_booked(make_orchestrator, listed_prices) -> None:
    """No slot is free again before the last of a hundred was refused."""
    refused: list[str] = []

    async def ask(orchestrator: Orchestrator, number: int, door: Gated) -> str:
        try:
            await orchestrator.acomplete(f"Câu {number}", tenant="globex", cache=CacheUse.OFF, max_tokens=8)
        except OverloadedError as error:
            assert error.request_id
            assert error.waiting == 10
            assert "10 requests of tenant 'globex' wait already" in str(error)
            refused.append(error.request_id)
            if len(refused) == 80:
                door.gate.set()
            return "refused"
        return "succeeded"

    with gated(listed_prices, shut_out=100) as (server, door):
        orchestrator: Orchestrator = make_orchestrator(
            {"overload": {"in_flight": 10, "queue_per_tenant": 10}},
            OPENROUTER_BASE_URL=server.base_url("openrouter"),
        )
        orchestrator.warm_up()
        ends = Counter(await asyncio.gather(*(ask(orchestrator, number, door) for number in range(100))))
        assert ends == {"succeeded": 20, "refused": 80}
        assert len(server.requests) == 20
    assert outcomes(orchestrator) == {("globex", "succeeded"): 20, ("globex", "refused"): 80}
    assert orchestrator.load() == Load(0, 0)
    assert all(one.held == 0 for one in orchestrator.standings())


async def test_answers_that_are_there_already_take_no_place(make_orchestrator, slow: PracticeServer) -> None:
    """A cache hit, and those who join a request under way, pass by the queue."""
    orchestrator: Orchestrator = make_orchestrator({"overload": {"in_flight": 1, "queue_per_tenant": 0}})
    joined = await asyncio.gather(*(orchestrator.acomplete("Giờ mở cửa?") for _ in range(5)))
    assert len({reply.text for reply in joined}) == 1
    under_way = asyncio.create_task(orchestrator.acomplete("Địa chỉ?"))
    await load_is(orchestrator, lambda load: load.in_flight == 1)
    assert (await orchestrator.acomplete("Giờ mở cửa?")).cached == "hit"
    with pytest.raises(OverloadedError):
        await orchestrator.acomplete("Số điện thoại?")
    await under_way


async def test_whoever_gives_up_waiting_leaves_at_once(make_orchestrator, slow: PracticeServer) -> None:
    orchestrator: Orchestrator = make_orchestrator({"overload": {"in_flight": 1}})
    orchestrator.warm_up()
    slow.faults.add(Fault.parse("*:silence"))
    waiting = [asyncio.create_task(orchestrator.acomplete(f"Câu {number}")) for number in range(50)]
    await load_is(orchestrator, lambda load: load == Load(1, 49))
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert orchestrator.load() == Load(0, 0)
    assert outcomes(orchestrator) == {("default", "cancelled"): 50}
    assert all(one.held == 0 for one in orchestrator.standings())


async def test_a_stream_has_its_place_until_it_ends(make_orchestrator, practice: PracticeServer) -> None:
    practice.faults.add(Fault.parse("*:stall_stream=3,times=1"))
    orchestrator: Orchestrator = make_orchestrator({"overload": {"in_flight": 1, "queue_per_tenant": 0}})
    async with orchestrator.stream("Kể một câu chuyện dài") as stream:
        async for delta in stream:
            assert delta.text
            with pytest.raises(OverloadedError):
                await orchestrator.acomplete("Xin chào")
            break
    assert orchestrator.load() == Load(0, 0)
    assert (await orchestrator.acomplete("Xin chào", deadline_s=20)).text


@pytest.mark.parametrize("prompt", ["Câu khác", "Xin chào"], ids=["a slot", "a shared call"])
def test_a_forked_child_waits_for_nothing_that_its_parent_has_under_way(
    make_orchestrator, listed_prices, prompt: str
) -> None:
    """Neither for the one slot that the parent has taken, nor for the call that it would share."""
    with gated(listed_prices, shut_out=1) as (server, door):
        orchestrator = make_orchestrator(
            {"overload": {"in_flight": 1}, "local_model": {"enabled": False}},
            OPENROUTER_BASE_URL=server.base_url("openrouter"),
        )
        orchestrator.warm_up()
        parent = threading.Thread(target=orchestrator.complete, args=("Xin chào",))
        parent.start()
        assert door.waits.wait(LONG_S)
        child = os.fork()
        if child == 0:
            ended = 1
            try:
                ended = 0 if orchestrator.complete(prompt, deadline_s=30).cached == "miss" else 2
            finally:
                os._exit(ended)
        _, status = os.waitpid(child, 0)
        assert orchestrator.load() == Load(1, 0), "the parent's request is under way until now"
        door.gate.set()
        parent.join()
    assert os.waitstatus_to_exitcode(status) == 0
    assert orchestrator.load() == Load(0, 0)
