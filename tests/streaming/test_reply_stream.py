"""A stream can be read by anyone, left at any time, and whoever leaves it has it booked."""

import asyncio
import gc
import itertools
import logging
import threading
import time
from concurrent.futures import CancelledError
from datetime import UTC, datetime

import pytest

from orchestrator.core.background_loop import BackgroundLoop
from orchestrator.core.errors import ClosedError, UnavailableError
from orchestrator.core.reply import ChatReply, Delta, Usage
from orchestrator.streaming.reply_stream import ReplyStream

WORDS = ("Xin ", "chào ", "anh ", "Nam")


def whole(text: str) -> ChatReply:
    return ChatReply("id", text, "m", "p/m", "p", Usage(1, 4), 5, "stop", created_at=datetime.now(UTC))  # type: ignore[arg-type]


class Call:
    """A call that says some words, and then ends, fails, or waits until it is left."""

    def __init__(self, *, words=WORDS, then: BaseException | str = "end", at_once: bool = True) -> None:
        self.words, self.then, self.at_once = words, then, at_once
        self.booked = threading.Event()
        """Set when the call has settled, whatever became of it."""

    async def __call__(self, emit) -> ChatReply:
        try:
            for word in self.words:
                emit(Delta(word))
                if not self.at_once:
                    await asyncio.sleep(0.005)
            if isinstance(self.then, BaseException):
                raise self.then
            if self.then == "wait":
                await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.02)
            self.booked.set()
        return whole("".join(self.words))


@pytest.fixture
def loop():
    background = BackgroundLoop("test-streams")
    yield background
    background.close()


@pytest.fixture(params=[True, False], ids=["at-once", "slowly"])
def at_once(request):
    return request.param


async def read_async(stream) -> list[str]:
    return [delta.text async for delta in stream]


def test_a_synchronous_reader_gets_every_piece_in_order_and_then_the_reply(loop, at_once):
    stream = ReplyStream(loop, Call(at_once=at_once))
    assert [delta.text for delta in stream] == list(WORDS)
    assert stream.reply.text == "Xin chào anh Nam"


def test_an_asynchronous_reader_gets_every_piece_in_order_and_then_the_reply(loop, at_once):
    stream = ReplyStream(loop, Call(at_once=at_once))
    assert asyncio.run(read_async(stream)) == list(WORDS)
    assert stream.reply.text == "Xin chào anh Nam"


def test_a_slow_reader_loses_nothing(loop):
    call = Call()
    stream = ReplyStream(loop, call)
    assert call.booked.wait(300), "the call goes on without its reader"
    assert [delta.text for delta in stream] == list(WORDS)


async def test_other_tasks_run_while_a_reader_waits(loop):
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    task = asyncio.create_task(others())
    await read_async(ReplyStream(loop, Call(at_once=False)))
    task.cancel()
    assert turns > 3


async def test_a_burst_that_waits_leaves_other_tasks_of_the_reader_their_turn(loop):
    words = [f"{number} " for number in range(2_000)]
    stream = ReplyStream(loop, Call(words=words))
    await asyncio.wait_for(asyncio.to_thread(stream._job.future.result), 60)
    read, turns = [], []

    async def others():
        while True:
            turns.append(len(read))
            await asyncio.sleep(0)

    busy = asyncio.create_task(others())
    async for delta in stream:
        read.append(delta.text)  # noqa: PERF401 -- others look at it meanwhile
    busy.cancel()
    assert read == words
    assert max(later - earlier for earlier, later in itertools.pairwise(turns)) <= 64


def test_many_streams_do_not_mix(loop):
    async def read_all() -> list[list[str]]:
        streams = [ReplyStream(loop, Call(words=(f"{n}a", f"{n}b"), at_once=False)) for n in range(20)]
        return await asyncio.gather(*(read_async(stream) for stream in streams))

    assert asyncio.run(read_all()) == [[f"{n}a", f"{n}b"] for n in range(20)]


def test_an_error_comes_after_the_pieces_that_came_before_it(loop):
    error = UnavailableError("broke off")
    stream = ReplyStream(loop, Call(words=WORDS[:2], then=error))
    read = []
    with pytest.raises(UnavailableError) as caught:
        read.extend(delta.text for delta in stream)
    assert caught.value is error
    assert read == list(WORDS[:2])
    with pytest.raises(UnavailableError):
        _ = stream.reply


def test_an_asynchronous_reader_gets_the_error_after_the_pieces(loop):
    read = []

    async def main() -> None:
        async for delta in ReplyStream(loop, Call(words=WORDS[:2], then=UnavailableError("broke off"))):
            read.append(delta.text)  # noqa: PERF401 -- what came before the error must stay

    with pytest.raises(UnavailableError, match="broke off"):
        asyncio.run(main())
    assert read == list(WORDS[:2])


def test_an_error_before_the_first_piece_is_raised_by_the_reading_and_not_before(loop):
    call = Call(words=(), then=UnavailableError("nobody"))
    stream = ReplyStream(loop, call)
    assert call.booked.wait(300)
    with pytest.raises(UnavailableError, match="nobody"):
        next(iter(stream))


def test_the_reply_is_not_there_before_the_end(loop):
    with (
        ReplyStream(loop, Call(then="wait")) as stream,
        pytest.raises(RuntimeError, match="read it to its end"),
    ):
        _ = stream.reply


def test_a_reader_that_breaks_off_ends_the_call_and_waits_until_it_is_booked(loop):
    call = Call(then="wait")
    for delta in ReplyStream(loop, call):
        assert delta.text == "Xin "
        break
    assert call.booked.wait(300)


def test_close_returns_when_the_call_is_booked(loop):
    call = Call(then="wait")
    stream = ReplyStream(loop, call)
    next(iter(stream))
    stream.close()
    assert call.booked.is_set()
    stream.close()
    with pytest.raises(CancelledError):
        _ = stream.reply


def test_aclose_returns_when_the_call_is_booked_and_leaves_no_complaint(loop, caplog):
    call = Call(then="wait")

    async def main() -> None:
        stream = ReplyStream(loop, call)
        async for _ in stream:
            break
        await stream.aclose()
        assert call.booked.is_set()
        await stream.aclose()

    with caplog.at_level(logging.DEBUG, logger="asyncio"):
        asyncio.run(main())
        gc.collect()
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_an_asynchronous_reader_that_breaks_off_ends_the_call(loop):
    call = Call(then="wait")

    async def main() -> None:
        async for _ in ReplyStream(loop, call):
            break
        assert await asyncio.to_thread(call.booked.wait, 5)

    asyncio.run(main())


def test_a_cancelled_reader_ends_the_call_and_waits_until_it_is_booked(loop):
    call = Call(then="wait")

    async def main() -> None:
        reader = asyncio.create_task(read_async(ReplyStream(loop, call)))
        await asyncio.sleep(0.05)
        reader.cancel()
        await asyncio.wait({reader})
        assert reader.cancelled()
        assert call.booked.is_set()

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_leaving_the_with_block_ends_the_call(loop, kind):
    call = Call(then="wait")
    if kind == "sync":
        with ReplyStream(loop, call):
            time.sleep(0.02)
    else:

        async def main() -> None:
            async with ReplyStream(loop, call):
                await asyncio.sleep(0.02)

        asyncio.run(main())
    assert call.booked.is_set()


@pytest.mark.parametrize("read", [0, 1])
def test_a_dropped_stream_is_collected_and_its_call_ended(loop, read):
    call = Call(then="wait")
    stream = ReplyStream(loop, call)
    if read:
        next(iter(stream))
    else:
        time.sleep(0.02)
    del stream
    gc.collect()
    assert call.booked.wait(300)


def test_a_stream_that_has_ended_is_not_touched_by_closing_it(loop):
    stream = ReplyStream(loop, Call())
    assert len(list(stream)) == 4
    stream.close()
    assert stream.reply.text == "Xin chào anh Nam"


def test_reading_again_repeats_nothing(loop):
    stream = ReplyStream(loop, Call())
    assert len(list(stream)) == 4
    assert list(stream) == []
    assert asyncio.run(read_async(stream)) == []


def test_a_reader_is_told_when_the_orchestrator_is_closed_under_it(loop):
    call = Call(then="wait")
    stream = ReplyStream(loop, call)
    pieces = iter(stream)
    next(pieces)
    loop.close()
    assert call.booked.is_set()
    with pytest.raises(ClosedError):
        list(pieces)


def test_no_stream_begins_on_a_closed_orchestrator(loop):
    loop.close()
    with pytest.raises(ClosedError, match="make a new one"):
        ReplyStream(loop, Call())


async def test_a_stream_has_started_when_its_first_piece_is_there_which_is_then_read(loop) -> None:
    stream = ReplyStream(loop, Call(then="wait"))
    await stream.started()
    pieces = aiter(stream)
    assert (await anext(pieces)).text == "Xin "
    await stream.aclose()


async def test_what_fails_before_its_first_piece_is_raised_by_started(loop) -> None:
    failing = ReplyStream(loop, Call(words=(), then=UnavailableError("nobody")))
    with pytest.raises(UnavailableError, match="nobody"):
        await failing.started()


async def test_what_fails_later_has_started_and_is_raised_when_it_is_read(loop) -> None:
    failing = ReplyStream(loop, Call(then=UnavailableError("nobody")))
    await failing.started()
    with pytest.raises(UnavailableError):
        [piece async for piece in failing]


async def test_a_reply_without_a_piece_has_started_when_it_has_ended(loop) -> None:
    empty = ReplyStream(loop, Call(words=()))
    await empty.started()
    assert [piece async for piece in empty] == []
