"""The bytes of a response, unfolded, bounded, and never so many at once that the event loop waits for them.

We ask for no compression, and some servers compress all the same: gzip and deflate are unfolded here, in
steps, and what they unfold to is what counts. A gzip may have several members (RFC 1952), as of a server that
packs each piece of a stream by itself; deflate comes with zlib's header and, from some servers, without.
"""

import asyncio
import contextlib
import zlib
from collections.abc import AsyncGenerator, Iterator

import aiohttp

from orchestrator.providers.wire.wire_json import read_object_or_none

ANSWER_BYTES_MAX = 4 * 1024 * 1024
"""Of an answer in one piece: more than a million tokens of text."""
STEP_BYTES = 64 * 1024
"""After so many bytes at once the others on the event loop have their turn."""
EVENTS_STEP_BYTES = 8 * 1024
"""The same for a stream, each piece of which is work of its own: 8 KB are some sixty pieces."""

MEMBERS_MAX = 65_536
"""Of one gzip; an answer has fewer pieces."""

UTF_8 = frozenset({"utf-8", "utf8"})
_GZIP = frozenset({"gzip", "x-gzip"})
_PACKINGS = _GZIP | {"deflate"}
_UNPACKED = frozenset({"identity", ""})
_GZIP_BITS = zlib.MAX_WBITS | 16
_GZIP_BEGINS = b"\x1f"
_ZLIB_METHOD = 8
"""In the low half of the first byte of a deflate with zlib's header."""

_LOOKS_MAX = 2
"""Times the largest answer: so much is looked at for being whole, as each of many pieces may end so."""


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
    unpacker = unpacker_of(response.headers.get("content-encoding"))
    if unpacker is None:
        async for block in response.content.iter_any():
            for step in range(0, len(block), step_bytes):
                yield block[step : step + step_bytes] if len(block) > step_bytes else block
                if len(block) >= step_bytes:
                    await asyncio.sleep(0)
        return
    async for block in response.content.iter_any():
        if unpacker.is_over:
            return
        for unfolded in unpacker.steps(block, step_bytes):
            if unfolded:
                yield unfolded
            # A block of some kilobytes may unfold to many megabytes.
            await asyncio.sleep(0)


async def read_body(
    response: aiohttp.ClientResponse,
    *,
    bytes_max: int = ANSWER_BYTES_MAX,
    last_word_s: float | None = None,
) -> bytes:
    """Return a whole body.

    A JSON object that has come to its end is whole: also where its connection breaks behind it, or stays open
    for `last_word_s`, where that is said.

    Raises:
        BodyUnreadableError: it is larger than `bytes_max`, or cannot be unfolded.
        aiohttp.ClientError: the connection broke.
    """
    if (response.content_length or 0) > bytes_max:
        raise BodyUnreadableError("the body is larger than any answer")
    parts: list[bytes] = []
    size, until_s, looks = 0, None, WholeLooks()
    async with contextlib.aclosing(blocks_of(response)) as blocks:
        while True:
            try:
                async with asyncio.timeout_at(until_s):
                    block = await anext(blocks, None)
            except (aiohttp.ClientError, OSError):
                if until_s is None and not looks.find_whole(parts, size):
                    raise
                block = None
            if block is None:
                return parts[0] if len(parts) == 1 else b"".join(parts)
            parts.append(block)
            size += len(block)
            if size > bytes_max:
                raise BodyUnreadableError("the body is larger than any answer")
            if last_word_s is None or until_s is not None or response.content.is_eof():
                continue
            if looks.find_whole(parts, size):
                until_s = asyncio.get_running_loop().time() + last_word_s


class WholeLooks:
    """Looks whether what has come of one body is a whole JSON object, and bounds the work of looking."""

    def __init__(self) -> None:
        """Have looked at nothing."""
        self._bytes_left = _LOOKS_MAX * ANSWER_BYTES_MAX
        self._seen_bytes, self._is_whole = 0, False

    def find_whole(self, parts: list[bytes], size: int) -> bool:
        """Return whether it is one; a body that takes long to look at is left to its end."""
        if size != self._seen_bytes:
            self._seen_bytes, self._is_whole = size, self._look(parts, size)
        return self._is_whole

    def _look(self, parts: list[bytes], size: int) -> bool:
        last = next((part for part in reversed(parts) if not part.isspace()), b"")
        if size > min(ANSWER_BYTES_MAX, self._bytes_left) or not last.rstrip().endswith(b"}"):
            return False
        self._bytes_left -= size
        return read_object_or_none(b"".join(parts)) is not None


def in_utf8(text: bytes, charset: str | None) -> bytes:
    """Return a text as UTF-8, which is what JSON is written in whatever a header says of it.

    Only where it is none is it read as the header says: some servers name another by habit.

    Raises:
        BodyUnreadableError: it is neither.
    """
    if charset is None or charset.lower() in UTF_8:
        return text
    try:
        text.decode()
    except UnicodeDecodeError:
        try:
            return text.decode(charset).encode()
        except (LookupError, UnicodeError):
            raise BodyUnreadableError(
                "the body is not written in the letters that its header names"
            ) from None
    return text


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


def unpacker_of(encoding: str | None) -> "Unpacker | None":
    """Return what unfolds a body of this content encoding, None where it is not packed.

    Raises:
        BodyUnreadableError: it is packed in none of the ways that we know.
    """
    named = (encoding or "").strip().lower()
    if named in _UNPACKED:
        return None
    if named not in _PACKINGS:
        raise BodyUnreadableError("the body is packed in a way that was not asked for")
    return Unpacker(is_gzip=named in _GZIP)


class Unpacker:
    """Unfolds a body as its bytes come."""

    def __init__(self, *, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._member: zlib._Decompress | None = None
        self._members = 0
        self.is_over = False
        """What follows is none of it."""

    def steps(self, block: bytes, step_bytes: int) -> Iterator[bytes]:
        """Yield what a block unfolds to, in steps of at most `step_bytes`; some are empty.

        Raises:
            BodyUnreadableError: it is not packed as its header says, or in more members than any answer.
        """
        is_full = False
        try:
            # Of a full step zlib may keep something back though all bytes were taken.
            while block or is_full:
                unfolded, block = self._unfold(block, step_bytes)
                is_full = len(unfolded) == step_bytes
                yield unfolded
        except zlib.error:
            raise BodyUnreadableError("the body is not packed as its header says") from None

    def _unfold(self, block: bytes, bytes_max: int) -> tuple[bytes, bytes]:
        """Return the next bytes, at most `bytes_max`, and what of the block is still to be unfolded."""
        member, block = self._member_of(block)
        if member is None:
            return b"", b""
        unfolded = member.decompress(block, bytes_max)
        return unfolded, member.unused_data if member.eof else member.unconsumed_tail

    def _member_of(self, block: bytes) -> "tuple[zlib._Decompress | None, bytes]":
        """Return what unfolds a block, and the bytes of the block that are its own; None at the end."""
        if self._member is not None and not self._member.eof:
            return self._member, block
        if self._member is not None:
            # Zeros fill a gzip up, and whatever else stands behind it is left alone, as gunzip does.
            block = block.lstrip(b"\0")
            self.is_over = bool(block) and not (self._is_gzip and block.startswith(_GZIP_BEGINS))
        if not block or self.is_over:
            return None, b""
        self._members += 1
        if self._members > MEMBERS_MAX:
            raise BodyUnreadableError("the body is packed in more members than any answer")
        plain = zlib.MAX_WBITS if block[0] & 0x0F == _ZLIB_METHOD else -zlib.MAX_WBITS
        self._member = zlib.decompressobj(_GZIP_BITS if self._is_gzip else plain)
        return self._member, block
