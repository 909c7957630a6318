"""A body of many megabytes is no answer, and is left before it is read."""

from collections.abc import AsyncIterator, Iterable

import httpx
import pytest

from orchestrator.providers.litellm.body_limit import (
    LINE_BYTES_MAX,
    WHOLE_BYTES_MAX,
    BodyTooLargeError,
    limit_body,
)

FRAMES = "application/vnd.amazon.eventstream"
URL = "http://127.0.0.1/v1/chat/completions"
WHOLE, STREAM = b'{"model": "a", "messages": []}', b'{"stream":true, "messages": []}'


class Pieces(httpx.AsyncByteStream):
    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


async def read(pieces: Iterable[bytes], *, sent: bytes = WHOLE, url: str = URL, **headers: str) -> int:
    request = httpx.Request("POST", url, content=sent)
    response = httpx.Response(200, request=request, headers=headers, stream=Pieces(pieces))
    await limit_body(response)
    return len(await response.aread())


@pytest.mark.parametrize("sent", [WHOLE, STREAM])
async def test_what_an_answer_may_be_is_read_whole(sent: bytes) -> None:
    lines = [b"a" * 1000 + b"\n"] * 3000
    assert await read(lines, sent=sent) == 3_003_000


async def test_a_length_that_is_too_large_is_believed_at_once() -> None:
    with pytest.raises(BodyTooLargeError):
        await read([], **{"content-length": str(WHOLE_BYTES_MAX + 1)})


async def test_a_body_without_a_length_is_read_up_to_the_limit() -> None:
    piece = b"a" * 65_536
    given: list[bytes] = []

    def endless() -> Iterable[bytes]:
        while True:
            given.append(piece)
            yield piece

    with pytest.raises(BodyTooLargeError):
        await read(endless())
    assert sum(map(len, given)) <= WHOLE_BYTES_MAX + len(piece)


@pytest.mark.parametrize(
    ("sent", "url"), [(STREAM, URL), (WHOLE, "http://127.0.0.1/models/g:streamGenerateContent?alt=sse")]
)
async def test_a_line_of_a_stream_is_short_and_a_stream_is_long(sent: bytes, url: str) -> None:
    """LiteLLM searches what it has of a line with every piece that comes."""
    half = b"a" * (LINE_BYTES_MAX // 2)
    assert await read([half + b"\n"] * 20, sent=sent, url=url) > WHOLE_BYTES_MAX
    with pytest.raises(BodyTooLargeError):
        await read([b"data: ", half, half, b"\n"], sent=sent, url=url)


async def test_a_stream_of_frames_has_no_lines_and_is_long() -> None:
    """Thirteen thousand tokens of Bedrock's are more than a whole answer may be."""
    read_bytes = await read([b"a" * LINE_BYTES_MAX] * 10, **{"content-type": FRAMES})
    assert read_bytes > WHOLE_BYTES_MAX
