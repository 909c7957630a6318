"""An answer on its way to LiteLLM or to a vendor's client: heard, and written as they can read it.

LiteLLM turns a count of `true` or "7" into a number and a null into 0, so the bill is read from the bytes;
those of a packed answer are unfolded first. A stream that has finished its answer ends for its reader though
its connection stays open: as on our wire, it has some seconds for a last word.
"""

import asyncio
import contextlib
import math
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol

import httpx

from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import UnavailableError
from orchestrator.providers.wire.body_reading import (
    EVENTS_STEP_BYTES,
    STEP_BYTES,
    BodyUnreadableError,
    Unpacker,
    unpacker_of,
)
from orchestrator.providers.wire.http import LAST_WORD_S

REST_S = 0.5
"""So long a connection may take to end behind the end mark, so that it can be used again."""


class PassingAnswer(Protocol):
    """One answer as its bytes come, and as they are handed on to who reads it."""

    in_pieces: bool
    """It comes as a stream."""
    pieces: int
    """Events that have brought words or calls."""

    @property
    def has_finished(self) -> bool:
        """Return whether a whole answer has come, behind which a server has a last word at most."""
        ...

    @property
    def is_over(self) -> bool:
        """Return whether its end mark has come, behind which nothing counts."""
        ...

    def begin(self, status: int, headers: httpx.Headers) -> None:
        """Note the status and the headers."""
        ...

    def feed(self, block: bytes) -> bytes:
        """Take in the next bytes; return those that are read by now."""
        ...

    def rest(self) -> bytes:
        """Return what is left to be read once all bytes have come."""
        ...


class Ear:
    """Hears one answer; what is to be done at its end is a child's."""

    def __init__(self, answer: PassingAnswer) -> None:
        """Expect its first byte."""
        self.answer = answer
        self._has_ended = False

    def hear(self, block: bytes) -> bytes:
        """Take in the next bytes; return what is read of them.

        Raises:
            UnavailableError: its end mark has come, behind which no client reads on, and it is not whole.
        """
        shown = self.feed(block)
        if self.answer.is_over:
            self.end()
        return shown

    def end(self) -> None:
        """Hear that nothing more of it is to come.

        Raises:
            UnavailableError: it is no whole answer, and its reader would not see that.
        """
        if not self._has_ended:
            self._has_ended = True
            self.finish()
            self.check()

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
        # Google's client and LiteLLM's reader of Bedrock's streams take no other for an answer.
        response.status_code = httpx.codes.OK
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
        length = response.headers.get("content-length", "")
        self._bytes_left = int(length) if re.fullmatch("[0-9]{1,15}", length) else math.inf

    def may_wait_behind(self, block: bytes) -> bool:
        """Return whether there may be more to wait for behind a block that came."""
        self._bytes_left -= len(block)
        return self._bytes_left > 0

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
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _cut(block: bytes, step: int) -> Iterator[bytes]:
    return (block[at : at + step] for at in range(0, len(block), step))


class _Impatience:
    """Hangs up on a finished answer that has no more to say: a read in a thread ends by nothing else."""

    def __init__(self, hang_up: Callable[[], None]) -> None:
        self._hang_up = hang_up
        self._clock = SystemClock()
        self._until_s: float | None = None
        self._left_s = LAST_WORD_S
        self._pieces = -1
        self._is_over = threading.Event()
        self._ending = threading.Lock()

    def look(self, answer: PassingAnswer) -> None:
        """Wait while what may come behind a finished answer is read, and anew behind words that came."""
        if not answer.has_finished:
            return
        if answer.pieces != self._pieces:
            self._pieces, self._left_s = answer.pieces, LAST_WORD_S
        with self._ending:
            begins, self._until_s = self._until_s is None, self._clock.monotonic_s() + self._left_s
        if begins:
            threading.Thread(target=self._wait, name="orchestrator-last-word", daemon=True).start()

    def rest(self) -> None:
        """Hold on where a block has come: how long its reader takes with it is no silence."""
        with self._ending:
            if self._until_s is not None:
                self._left_s, self._until_s = self._until_s - self._clock.monotonic_s(), math.inf

    def end(self) -> None:
        """Wait no more: from now on the connection may carry another answer."""
        with self._ending:
            self._is_over.set()

    def _wait(self) -> None:
        wait_s = LAST_WORD_S
        while not self._is_over.wait(wait_s):
            with self._ending:
                wait_s = min(LAST_WORD_S, (self._until_s or 0.0) - self._clock.monotonic_s())
                if wait_s <= 0 and not self._is_over.is_set():
                    self._hang_up()
                    return
                if self._until_s == math.inf:
                    # Its reader takes long, or has left it: who reads on has another thread.
                    self._until_s = None
                    return


class _HeardInThread(httpx.SyncByteStream):
    """A body that is read in a thread."""

    def __init__(self, stream: httpx.SyncByteStream, ear: Ear, body: _Body) -> None:
        self._stream = stream
        self._ear = ear
        self._body = body
        self._impatience = _Impatience(body.hang_up)

    def __iter__(self) -> Iterator[bytes]:
        try:
            for block in self._blocks():
                for part in self._body.unfolded(block, in_pieces=self._ear.answer.in_pieces):
                    if shown := self._ear.hear(part):
                        yield shown
            rest = self._ear.answer.rest()
        except GeneratorExit:
            # Not every client closes an answer that its reader lets go of; Google's does not.
            self._ear.let_go()
            raise
        except BaseException as exc:
            self._ear.fail(exc)
            if isinstance(exc, UnavailableError):
                # What has no end goes on, and is billed, until its connection ends.
                self._stream.close()
            raise
        self._ear.end()
        if rest:
            yield rest

    def _blocks(self) -> Iterator[bytes]:
        blocks, answer, impatience = iter(self._stream), self._ear.answer, self._impatience
        # A refusal is clear before its body.
        impatience.look(answer)
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
                impatience.rest()
                yield block
                if self._body.may_wait_behind(block):
                    impatience.look(answer)
        finally:
            impatience.end()

    def close(self) -> None:
        self._impatience.end()
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
                    if shown := self._ear.hear(part):
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
            if isinstance(exc, UnavailableError):
                # What has no end goes on, and is billed, until its connection ends.
                await self._stream.aclose()
            raise
        self._ear.end()
        if rest:
            yield rest

    async def _blocks(self) -> AsyncIterator[bytes]:
        blocks, answer, pieces = aiter(self._stream), self._ear.answer, -1
        # A refusal is clear before its body.
        clock_s, left_s = asyncio.get_running_loop().time, LAST_WORD_S if answer.has_finished else None
        while True:
            began_s = clock_s()
            try:
                async with asyncio.timeout(left_s):
                    block = await anext(blocks, None)
            except (httpx.HTTPError, TimeoutError):
                if not answer.has_finished:
                    raise
                block = None
            if block is None:
                return
            if left_s is not None:
                # How long its reader takes with a block is no silence.
                left_s -= clock_s() - began_s
            yield block
            if not self._body.may_wait_behind(block) or not answer.has_finished:
                continue
            if answer.pieces != pieces:
                left_s, pieces = LAST_WORD_S, answer.pieces
            if answer.is_over:
                left_s = min(REST_S, LAST_WORD_S if left_s is None else left_s)

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._ear.leave()
