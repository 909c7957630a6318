"""The time of an attempt ends it; a process that stood still reads first what has arrived."""

import asyncio
import socket
import time

import pytest

from orchestrator.core.deadline import STOOD_STILL_S
from orchestrator.dispatch.turn_timer import TurnTimer


async def test_what_takes_longer_than_it_may_is_ended() -> None:
    timer = TurnTimer()
    with pytest.raises(TimeoutError):
        async with timer:
            timer.allow(0.01)
            await asyncio.Event().wait()


async def test_a_limit_that_is_taken_away_ends_nothing() -> None:
    timer, ended = TurnTimer(), asyncio.Event()
    async with timer:
        timer.allow(0.01)
        timer.stop()
        asyncio.get_running_loop().call_later(0.03, ended.set)
        await ended.wait()


async def test_what_arrived_while_the_process_stood_still_is_read_before_its_time_is_over() -> None:
    """It was suspended, or had no processor: the answer waits in the socket, and was billed."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    timer = TurnTimer()
    with theirs:
        async with timer:
            timer.allow(0.01)
            theirs.sendall(b"the answer\n")
            time.sleep(STOOD_STILL_S + 0.1)  # noqa: ASYNC251 -- that nothing else goes on is what is tested
            assert await reader.readline() == b"the answer\n"
    writer.close()
