"""A body is read up to its bound, whatever it is packed in, in steps that leave the loop to others."""

import gzip
import zlib
from typing import Any

import pytest

from orchestrator.providers.wire import body_reading
from orchestrator.providers.wire.body_reading import (
    STEP_BYTES,
    BodyUnreadableError,
    WholeLooks,
    blocks_of,
    read_beginning,
    read_body,
)


class _Content:
    def __init__(self, blocks: list[bytes]) -> None:
        self._blocks = blocks

    async def iter_any(self):
        for block in self._blocks:
            yield block


class _Response:
    """As much of aiohttp's response as is read; `test_http` meets real ones."""

    def __init__(self, *blocks: bytes, encoding: str = "", length: int | None = None) -> None:
        self.content = _Content(list(blocks))
        self.headers = {"content-encoding": encoding} if encoding else {}
        self.content_length = length


def response(*blocks: bytes, **fields: Any) -> Any:
    return _Response(*blocks, **fields)


async def test_blocks_come_as_they_arrive_and_large_ones_in_steps() -> None:
    blocks = [block async for block in blocks_of(response(b"a", b"b" * (STEP_BYTES * 2 + 1)))]
    assert [len(block) for block in blocks] == [1, STEP_BYTES, STEP_BYTES, 1]


async def test_what_unfolds_to_much_comes_in_steps_too() -> None:
    packed = gzip.compress(b"a" * (STEP_BYTES * 3))
    blocks = [block async for block in blocks_of(response(packed[:20], packed[20:], encoding="gzip"))]
    assert (sum(map(len, blocks)), max(map(len, blocks))) == (STEP_BYTES * 3, STEP_BYTES)


async def test_a_body_has_its_bound_by_its_header_and_by_its_bytes() -> None:
    assert await read_body(response(b"ab", b"cd"), bytes_max=4) == b"abcd"
    for body in (response(b"abcd", length=5), response(b"ab", b"cde")):
        with pytest.raises(BodyUnreadableError, match="larger than any answer"):
            await read_body(body, bytes_max=4)


async def test_the_beginning_of_a_body_is_no_more_than_was_asked_for() -> None:
    assert await read_beginning(response(b"ab", b"cd", b"ef"), bytes_max=3) == b"abc"
    assert await read_beginning(response(), bytes_max=3) == b""


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
async def test_a_packing_that_was_not_asked_for_and_is_not_known_is_unreadable(encoding) -> None:
    with pytest.raises(BodyUnreadableError, match="not asked for"):
        await read_body(response(b"a", encoding=encoding))


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


@pytest.mark.parametrize("cut", [1, 7, 10_000])
@pytest.mark.parametrize(
    ("encoding", "packed", "body"),
    [
        ("gzip", _gzip(b"abc") + _gzip(b"") + _gzip(b"def"), b"abcdef"),
        ("gzip", _gzip(b"x" * 9_000) + _gzip(b"y" * 9_001), b"x" * 9_000 + b"y" * 9_001),
        ("x-gzip", _gzip(b"abc") + bytes(20) + _gzip(b"d"), b"abcd"),
        ("gzip", _gzip(b"abc") + b"what stands behind it", b"abc"),
        ("gzip", _gzip(b""), b""),
        ("deflate", zlib.compress(b"abc") + zlib.compress(b"def"), b"abc"),
        ("deflate", _raw_deflate(b'{"a":1}' * 300), b'{"a":1}' * 300),
    ],
    ids=["members", "long members", "padded", "garbage behind", "empty", "zlib twice", "raw deflate"],
)
async def test_members_and_both_kinds_of_deflate_are_unfolded_however_they_arrive(
    encoding, packed, body, cut
) -> None:
    blocks = [packed[start : start + cut] for start in range(0, len(packed), cut)]
    assert await read_body(response(*blocks, encoding=encoding)) == body


async def test_members_have_a_bound_and_each_must_be_one(monkeypatch) -> None:
    monkeypatch.setattr(body_reading, "MEMBERS_MAX", 3)
    with pytest.raises(BodyUnreadableError, match="more members"):
        await read_body(response(gzip.compress(b"") * 4, encoding="gzip"))
    for broken in (gzip.compress(b"abc") + b"\x1f\x8bno", gzip.compress(b"abc")[:-8] + bytes(8), b"abc"):
        with pytest.raises(BodyUnreadableError, match="not packed as"):
            await read_body(response(broken, encoding="gzip"))


def test_a_body_in_many_pieces_that_each_end_as_an_answer_is_looked_at_within_bounds(monkeypatch):
    """It was read anew behind each of 4,000 pieces: 16 s of CPU."""
    read, real = [], body_reading.read_object_or_none
    monkeypatch.setattr(
        body_reading, "read_object_or_none", lambda body: read.append(len(body)) or real(body)
    )
    looks, parts = WholeLooks(), [b'{"a":"']
    for _ in range(3000):
        parts.append(b"x" * 1023 + b"}")
        assert not looks.find_whole(parts, sum(map(len, parts)))
    assert sum(read) <= 8 * 1024 * 1024
    small = [b'{"a":1}', b" \n"]
    assert WholeLooks().find_whole(small, 9)
