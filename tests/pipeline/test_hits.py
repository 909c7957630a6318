"""A hit is answered on the thread that asks, and its row is written a moment later."""

import asyncio
import os
import threading
from collections.abc import Coroutine
from dataclasses import replace

import pytest

from orchestrator.core.reply import CacheState, ChatReply
from orchestrator.ledger.ledger import HoldRequest
from orchestrator.ledger.store import LedgerBusyError
from orchestrator.pipeline.caching import Caching
from orchestrator.pipeline.call import Call
from orchestrator.pipeline.hits import Hits
from tests.support.step_bench import Following


class Begun:
    """Takes the work of a background loop, and does it when the test says so."""

    def __init__(self) -> None:
        self.works: list[Coroutine] = []

    def __call__(self, work: Coroutine) -> None:
        self.works.append(work)

    async def do(self) -> None:
        while self.works:
            await self.works.pop(0)


@pytest.fixture
async def begun():
    begun = Begun()
    yield begun
    await begun.do()


@pytest.fixture
async def asked(bench) -> Call:
    """A question that was answered and kept."""
    call = bench.call()
    await Caching(bench.services, Following())(call)
    return call


async def test_a_fresh_answer_is_returned_at_once_and_its_rows_are_written_together(
    bench, begun, asked
) -> None:
    hits = Hits(bench.services, begun)
    replies = [hits.look(bench.call()) for _ in range(5)]
    assert all(isinstance(reply, ChatReply) and reply.cached is CacheState.HIT for reply in replies)
    assert len({reply.request_id for reply in replies}) == 5
    assert len(begun.works) == 1
    await begun.do()
    assert sorted(row[0] for row in bench.rows()) == sorted(reply.request_id for reply in replies)


@pytest.mark.parametrize(
    "fields",
    [
        {"cache": "off"},
        {"cache": "refresh"},
        {"tenant": "globex"},
        {"idempotency_key": "k1"},
        {"stream": True},
    ],
)
async def test_what_needs_more_than_an_answer_goes_to_the_steps(bench, begun, asked, fields) -> None:
    call = bench.call(**fields)
    onward = Hits(bench.services, begun).look(call)
    assert isinstance(onward, Call)
    assert onward.id == call.id
    assert begun.works == []


async def test_an_answer_that_is_no_longer_fresh_goes_to_the_steps_with_its_key(bench, begun, asked) -> None:
    bench.clock.advance(2 * 3_600)
    onward = Hits(bench.services, begun).look(bench.call())
    assert isinstance(onward, Call)
    assert onward.cache_key is not None
    following = Following("Chào buổi chiều")
    assert (await Caching(bench.services, following)(onward)).text == "Chào buổi chiều"
    assert following.calls[0].stale is not None


async def test_a_cache_that_is_not_open_yet_is_opened_elsewhere(bench, begun) -> None:
    call = bench.call()
    assert Hits(bench.services, begun).look(call) is call


async def test_an_answer_that_came_after_the_look_is_not_asked_for_again(bench, begun, asked) -> None:
    first = bench.call("Khi nào giao hàng?")
    onward = Hits(bench.services, begun).look(first)
    following = Following()
    step = Caching(bench.services, following)
    await step(bench.call("Khi nào giao hàng?"))
    assert (await step(onward)).cached is CacheState.HIT
    assert len(following.calls) == 1


async def test_gathered_rows_go_along_with_any_booking_and_are_written_at_the_close(
    bench, begun, asked
) -> None:
    hits = Hits(bench.services, begun)
    first = hits.look(bench.call())
    ledger = bench.services.ledger
    scopes = asked.payer.scopes("openrouter")
    hold = ledger.hold(HoldRequest("f" * 32, 1, "openrouter/m", "openrouter", "m", scopes, 1000, "p"))
    assert [row[0] for row in bench.rows()] == [first.request_id]
    ledger.store.settle_deferred(hold, replace(asked.trace.attempts[0], cost_nusd=10))
    second = hits.look(bench.call())
    ledger.close()
    assert second.request_id in {row[0] for row in bench.rows()}


async def test_while_others_hold_the_ledger_the_rows_stay_gathered_and_follow(
    bench, begun, asked, monkeypatch
) -> None:
    hits = Hits(bench.services, begun)
    hit = hits.look(bench.call())
    write, busy = bench.services.ledger.store.write_gathered, [True, True]

    def write_when_free() -> None:
        if busy:
            busy.pop()
            raise LedgerBusyError("others hold it")
        write()

    monkeypatch.setattr(bench.services.ledger.store, "write_gathered", write_when_free)
    await begun.do()
    assert (busy, [row[0] for row in bench.rows()]) == ([], [hit.request_id])


async def test_however_long_others_hold_the_ledger_a_single_writer_waits_for_it(
    bench, begun, asked, monkeypatch
) -> None:
    hits = Hits(bench.services, begun)
    hits.look(bench.call())
    write, tries, waits = bench.services.ledger.store.write_gathered, [], asyncio.Event()

    def busy_for_a_while() -> None:
        tries.append(len(begun.works))
        waits.set()
        if len(tries) <= 5:
            raise LedgerBusyError("others hold it")
        write()

    monkeypatch.setattr(bench.services.ledger.store, "write_gathered", busy_for_a_while)
    writing = asyncio.create_task(begun.works.pop(0))
    await waits.wait()
    hits.look(bench.call())
    await writing
    assert tries == [0] * 6
    assert begun.works == []
    assert len(bench.rows()) == 2


async def test_a_forked_child_writes_its_own(bench, begun, asked, monkeypatch) -> None:
    hits = Hits(bench.services, begun)
    hits.look(bench.call())
    monkeypatch.setattr(os, "getpid", lambda: -1)
    hits._write_soon()
    assert len(begun.works) == 2
    monkeypatch.undo()


async def test_threads_that_ask_at_once_lose_no_row(bench, begun, asked) -> None:
    hits = Hits(bench.services, begun)
    threads = [
        threading.Thread(target=lambda: [hits.look(bench.call()) for _ in range(20)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    await asyncio.to_thread(lambda: [thread.join() for thread in threads])
    await begun.do()
    assert len(bench.rows()) == 80
