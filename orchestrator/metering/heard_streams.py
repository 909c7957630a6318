"""An answer on its way to LiteLLM or to a vendor's client: heard, and written as they can read it.

LiteLLM turns a count of `true` or "7" into a number and a null into 0, so the bill is read from the bytes;
those of a packed answer are unfolded first. A stream that has finished its answer ends for its reader though
its connection stays open: as on our wire, it has some seconds for a last word.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import httpx

from orchestrator.metering.vendor_answers import VendorAnswer
from orchestrator.providers.wire.body_reading import (
    EVENTS_STEP_BYTES,
    STEP_BYTES,
    BodyUnreadableError,
    Unpacker,
    unpacker_of,
)
from orchestrator.providers.wire.http import LAST_WORD_S


class Ear:
    """Hears one answer; what is to be done at its end is a child's."""

    def __init__(self, answer: VendorAnswer) -> None:
        """Expect its first byte."""
        self.answer = answer

    def feed(self, block: bytes) -> bytes:
        """Take in the next bytes; return what is read of them."""
        return self.answer.feed(block)

    def finish(self) -> None:
        """Hear that the answer has come to its end."""

    def check(self) -> None:
        """Raise where what has come to its end is no whole answer, and its reader would not see that."""

    def fail(self, error: BaseException) -> None:
        """Hear that reading it failed."""

    def leave(self) -> None:
        """Hear that no more of it is read."""

    def let_go(self) -> None:
        """Hear that its reader is gone, wherever Python collected it."""


def hear(response: httpx.Response, ear: Ear) -> None:
    """Let `ear` hear a response while it is read; whoever reads it gets what the ear hands on."""
    ear.answer.begin(response.status_code, response.headers)
    packed = response.headers.get("content-encoding")
    try:
        unpacker, fault = unpacker_of(packed), None
    except BodyUnreadableError as exc:
        unpacker, fault = None, str(exc)
    if packed is not None:
        # It is unfolded here, and nobody is to do it once more.
        del response.headers["content-encoding"]
    if response.is_success:
        # Whatever it came in, so it is written.
        response.encoding = "utf-8"
    body = _Body(response, unpacker, fault)
    if isinstance(response.stream, httpx.SyncByteStream):
        response.stream = _HeardInThread(response.stream, ear, body)
    elif isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _HeardInTask(response.stream, ear, body)


class _Body:
    """How the bytes of one response arrive."""

    def __init__(self, response: httpx.Response, unpacker: Unpacker | None, fault: str | None) -> None:
        self._unpacker = unpacker
        self._fault = fault
        self._network = response.extensions.get("network_stream")
        # Over HTTP/2 a connection carries the answers of others too.
        self._is_alone = response.http_version.startswith("HTTP/1")

    def unfolded(self, block: bytes, *, in_pieces: bool) -> Iterator[bytes]:
        """Yield the bytes of a block as they were before they were packed, in steps; small ones of a stream.

        Raises:
            httpx.DecodingError: they are not packed as is said.
        """
        if self._fault is not None:
            raise httpx.DecodingError(self._fault)
        step = EVENTS_STEP_BYTES if in_pieces else STEP_BYTES
        if self._unpacker is None:
            yield from [block] if len(block) <= step else _cut(block, step)
            return
        try:
            yield from self._unpacker.steps(block, step)
        except BodyUnreadableError as exc:
            raise httpx.DecodingError(str(exc)) from None

    def hang_up(self) -> None:
        """End the connection under the thread that reads from it."""
        connection = self._network.get_extra_info("socket") if self._network and self._is_alone else None
        if connection is not None:
            # It may have ended by itself.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _cut(block: bytes, step: int) -> Iterator[bytes]:
    return (block[at : at + step] for at in range(0, len(block), step))


class _Impatience:
    """Hangs up on a finished answer that has no more to say: a read in a thread ends by nothing else."""

    def __init__(self, hang_up: Callable[[], None]) -> None:
        self._hang_up = hang_up
        self._timer: threading.Timer | None = None
        self._pieces = -1

    def look(self, answer: VendorAnswer) -> None:
        """Begin to wait once an answer has finished, and anew where words come behind its end."""
        if answer.has_finished and answer.pieces != self._pieces:
            self.end()
            self._pieces = answer.pieces
            self._timer = threading.Timer(LAST_WORD_S, self._hang_up)
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        """Wait no more."""
        if self._timer is not None:
            self._timer.cancel()


class _HeardInThread(httpx.SyncByteStream):
    """A body that is read in a thread."""

    def __init__(self, stream: httpx.SyncByteStream, ear: Ear, body: _Body) -> None:
        self._stream = stream
        self._ear = ear
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        try:
            for block in self._blocks():
                for part in self._body.unfolded(block, in_pieces=self._ear.answer.in_pieces):
                    if shown := self._ear.feed(part):
                        yield shown
            rest = self._ear.answer.rest()
        except GeneratorExit:
            # Not every client closes an answer that its reader lets go of; Google's does not.
            self._ear.let_go()
            raise
        except BaseException as exc:
            self._ear.fail(exc)
            raise
        self._ear.finish()
        self._ear.check()
        if rest:
            yield rest

    def _blocks(self) -> Iterator[bytes]:
        blocks, answer, impatience = iter(self._stream), self._ear.answer, _Impatience(self._body.hang_up)
        try:
            while True:
                try:
                    block = next(blocks, None)
                except httpx.HTTPError:
                    if not answer.has_finished:
                        raise
                    block = None
                if block is None:
                    return
                yield block
                impatience.look(answer)
        finally:
            impatience.end()

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._ear.leave()


class _HeardInTask(httpx.AsyncByteStream):
    """A body that is read on an event loop."""

    def __init__(self, stream: httpx.AsyncByteStream, ear: Ear, body: _Body) -> None:
        self._stream = stream
        self._ear = ear
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for block in self._blocks():
                for part in self._body.unfolded(block, in_pieces=self._ear.answer.in_pieces):
                    if shown := self._ear.feed(part):
                        yield shown
                    if part is not block:
                        # A block may unfold to many megabytes, and have hundreds of events in it.
                        await asyncio.sleep(0)
            rest = self._ear.answer.rest()
        except GeneratorExit:
            # Not every client closes an answer that its reader lets go of; Google's does not.
            self._ear.let_go()
            raise
        except BaseException as exc:
            self._ear.fail(exc)
            raise
        self._ear.finish()
        self._ear.check()
        if rest:
            yield rest

    async def _blocks(self) -> AsyncIterator[bytes]:
        blocks, answer, until_s, pieces = aiter(self._stream), self._ear.answer, None, -1
        while True:
            try:
                async with asyncio.timeout_at(until_s):
                    block = await anext(blocks, None)
            except (httpx.HTTPError, TimeoutError):
                if not answer.has_finished:
                    raise
                block = None
            if block is None:
                return
            yield block
            if answer.has_finished and answer.pieces != pieces:
                until_s, pieces = asyncio.get_running_loop().time() + LAST_WORD_S, answer.pieces

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._ear.leave()
