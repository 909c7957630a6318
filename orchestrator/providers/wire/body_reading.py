"""The bytes of a response, unfolded, bounded, and never so many at once that the event loop waits for them.

We ask for no compression, and some servers compress all the same: gzip and deflate are unfolded here, in
steps, and what they unfold to is what counts.
"""

import asyncio
import contextlib
import zlib
from collections.abc import AsyncGenerator, AsyncIterator

import aiohttp

ANSWER_BYTES_MAX = 4 * 1024 * 1024
"""Of an answer in one piece: more than a million tokens of text."""
STEP_BYTES = 64 * 1024
"""After so many bytes at once the others on the event loop have their turn."""
EVENTS_STEP_BYTES = 8 * 1024
"""The same for a stream, each piece of which is work of its own: 8 KB are some sixty pieces."""

_WINDOW_BITS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


class BodyUnreadableError(Exception):
    """A body is larger than any answer, or packed in a way that it may not be."""


async def blocks_of(
    response: aiohttp.ClientResponse, *, step_bytes: int = STEP_BYTES
) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a response as they arrive, unfolded, in blocks of at most `step_bytes`.

    Raises:
        BodyUnreadableError: its content encoding is none that we know, or it is not packed by it.
        aiohttp.ClientError: the connection broke.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in {"identity", ""}:
        async for block in response.content.iter_any():
            for step in range(0, len(block), step_bytes):
                yield block[step : step + step_bytes] if len(block) > step_bytes else block
                if len(block) >= step_bytes:
                    await asyncio.sleep(0)
        return
    if encoding not in _WINDOW_BITS:
        raise BodyUnreadableError("the body is packed in a way that was not asked for")
    unpacker = zlib.decompressobj(_WINDOW_BITS[encoding])
    async for block in response.content.iter_any():
        async for unfolded in _unfolded(unpacker, block, step_bytes):
            yield unfolded


async def read_body(response: aiohttp.ClientResponse, *, bytes_max: int = ANSWER_BYTES_MAX) -> bytes:
    """Return a whole body.

    Raises:
        BodyUnreadableError: it is larger than `bytes_max`, or cannot be unfolded.
        aiohttp.ClientError: the connection broke.
    """
    if (response.content_length or 0) > bytes_max:
        raise BodyUnreadableError("the body is larger than any answer")
    body = await read_beginning(response, bytes_max=bytes_max + 1)
    if len(body) > bytes_max:
        raise BodyUnreadableError("the body is larger than any answer")
    return body


async def read_beginning(response: aiohttp.ClientResponse, *, bytes_max: int) -> bytes:
    """Return the first `bytes_max` bytes of a body, all of it where it is shorter.

    Raises:
        BodyUnreadableError: it cannot be unfolded.
        aiohttp.ClientError: the connection broke.
    """
    parts: list[bytes] = []
    size = 0
    async with contextlib.aclosing(blocks_of(response)) as blocks:
        async for block in blocks:
            parts.append(block)
            size += len(block)
            if size >= bytes_max:
                break
    return parts[0][:bytes_max] if len(parts) == 1 else b"".join(parts)[:bytes_max]


async def _unfolded(unpacker: "zlib._Decompress", block: bytes, step_bytes: int) -> AsyncIterator[bytes]:
    try:
        while block:
            unfolded = unpacker.decompress(block, step_bytes)
            block = unpacker.unconsumed_tail
            if unfolded:
                yield unfolded
            # A block of some kilobytes may unfold to many megabytes.
            await asyncio.sleep(0)
    except zlib.error:
        raise BodyUnreadableError("the body is not packed as its header says") from None
