"""A reply that arrives in pieces, for synchronous and asynchronous readers alike.

The pieces come from the background loop without waiting for the reader, so that a slow reader
never makes a provider's connection stall. A reader that stops, by `break`, `close`, an error or by
dropping the stream, ends the call, and what it cost is booked.
"""

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from itertools import count
from types import TracebackType
from typing import Any, Self

from orchestrator.core.background_loop import BackgroundLoop, Job
from orchestrator.core.fitted_names import NO_NAMES_CHANGED
from orchestrator.core.reply import ChatReply, Delta, ToolCallDelta

_SETTLE_TIMEOUT_S = 5.0
_TURN_PIECES = 64
"""After so many pieces that were waiting, the others on the reader's event loop have their turn."""


class _Pieces:
    """What has arrived and was not read yet; filled by one thread, read by another."""

    def __init__(self) -> None:
        self.waiting: deque[Delta] = deque()
        self.ended = False
        self.changed = threading.Condition()
        self._wake: Callable[[], None] | None = None
        self._is_awake = False

    def add(self, delta: Delta) -> None:
        with self.changed:
            self.waiting.append(delta)
            self._notify()

    def end(self, _: object = None) -> None:
        with self.changed:
            self.ended = True
            self._notify()

    def wake_with(self, wake: Callable[[], None] | None) -> None:
        with self.changed:
            self._wake, self._is_awake = wake, False
            if wake is not None and (self.waiting or self.ended):
                self._is_awake = True
                wake()

    def wake_again(self) -> None:
        """Wake the reader with the next piece: it is about to look at those that wait."""
        with self.changed:
            self._is_awake = False

    def _notify(self) -> None:
        self.changed.notify_all()
        if self._wake is not None and not self._is_awake:
            # Once for all pieces until the reader looks: each call crosses to another event loop.
            self._is_awake = True
            self._wake()


class StreamSink:
    """Takes the pieces of one reply for its reader, and knows whether the reader has any."""

    def __init__(self, take: Callable[[Delta], None]) -> None:
        """Hand pieces to `take`; nothing has been yet."""
        self.has_delivered = False
        self.request_id: str | None = None
        """Of the request whose pieces they are, once it has begun."""
        self.names = NO_NAMES_CHANGED
        """The caller's names of the tools that are called."""
        self._take = take

    def __call__(self, delta: Delta) -> None:
        """Hand over a piece."""
        self.has_delivered = True
        self._take(self.names.in_piece(delta))

    def hand_over(self, reply: ChatReply) -> None:
        """Hand over a whole reply piece by piece: its reasoning, its text word by word, its tool calls."""
        if reply.reasoning.text:
            self(Delta(reasoning=reply.reasoning.text))
        start = 0
        while start < len(reply.text):
            end = reply.text.find(" ", start) + 1 or len(reply.text)
            self(Delta(reply.text[start:end]))
            start = end
        calls = tuple(
            ToolCallDelta(index, call.id, call.name, call.arguments)
            for index, call in enumerate(reply.tool_calls)
        )
        if calls:
            self(Delta("", calls))


class ReplyStream:
    """Iterate over it, with `for` or `async for`, for the pieces; `reply` is the whole in the end."""

    def __init__(
        self, loop: BackgroundLoop, start: Callable[[StreamSink], Coroutine[Any, Any, ChatReply]]
    ) -> None:
        """Start the call; `start` gets what takes its pieces."""
        self._pieces = _Pieces()
        self._sink = StreamSink(self._pieces.add)
        self._job: Job[ChatReply] = loop.submit(start(self._sink))
        self._job.future.add_done_callback(self._pieces.end)
        # The job must not refer to this object, or a dropped stream would never be collected.
        self._finalizer = weakref.finalize(self, _cancel, self._job)

    @property
    def request_id(self) -> str | None:
        """Return the id of the request, None until it has begun; with the first piece it has."""
        return self._sink.request_id

    @property
    def reply(self) -> ChatReply:
        """Return the whole reply, with usage, cost and attempts.

        Raises:
            RuntimeError: the stream has not been read to its end.
        """
        if not self._job.future.done():
            msg = "the stream has not ended; read it to its end before asking for the reply"
            raise RuntimeError(msg)
        return self._job.future.result()

    async def started(self) -> None:
        """Return when the first piece is there, and leave it to be read; await it once, before reading.

        So a web server can still answer with an error status. Returns too when the reply has ended without
        a piece. Raises what `complete` raises, if the request fails before anything of it was delivered.
        """
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(arrived.set)

        self._pieces.wake_with(wake)
        try:
            await arrived.wait()
        finally:
            self._pieces.wake_with(None)
        if not self._pieces.waiting:
            self._job.future.result()

    def __iter__(self) -> Iterator[Delta]:
        """Yield the pieces as they come."""
        try:
            while True:
                with self._pieces.changed:
                    while not self._pieces.waiting and not self._pieces.ended:
                        self._pieces.changed.wait()
                    if not self._pieces.waiting:
                        break
                    delta = self._pieces.waiting.popleft()
                yield delta
            self._job.future.result()
        finally:
            self.close()

    async def __aiter__(self) -> AsyncIterator[Delta]:
        """Yield the pieces as they come."""
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(arrived.set)

        self._pieces.wake_with(wake)
        try:
            while True:
                arrived.clear()
                self._pieces.wake_again()
                for number in count(1):
                    if not self._pieces.waiting:
                        break
                    yield self._pieces.waiting.popleft()
                    if number % _TURN_PIECES == 0:
                        await asyncio.sleep(0)
                if self._pieces.ended and not self._pieces.waiting:
                    break
                await arrived.wait()
            self._job.future.result()
        finally:
            self._pieces.wake_with(None)
            await self.aclose()

    def close(self) -> None:
        """Stop the call if it still runs, and wait until it is booked."""
        if not self._job.future.done():
            self._job.cancel()
            ended = threading.Event()
            self._job.future.add_done_callback(lambda _: ended.set())
            ended.wait(_SETTLE_TIMEOUT_S)

    async def aclose(self) -> None:
        """Stop the call if it still runs, and wait until it is booked."""
        if not self._job.future.done():
            self._job.cancel()
            await self._job.ended()

    def __enter__(self) -> Self:
        """Return the stream."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the stream."""
        self.close()

    async def __aenter__(self) -> Self:
        """Return the stream."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the stream."""
        await self.aclose()


def _cancel(job: Job[ChatReply]) -> None:
    if not job.future.done():
        job.cancel()
