"""How much of a provider's answer is read: a body of many megabytes is none, and must not stop the loop.

Measured with LiteLLM 1.106.2: 20 MB in one line of a stream kept the event loop busy for 185 s, every
request of the process with it, because what has arrived is searched again with every piece.
"""

import re
from collections.abc import AsyncIterator

import httpx

from orchestrator.core.event_frames import MEDIA_TYPE
from orchestrator.providers.wire.wire_json import read_object_or_none

WHOLE_BYTES_MAX = 4 * 1024 * 1024
"""Of an answer in one piece: more than a million tokens of text."""
LINE_BYTES_MAX = 512 * 1024
"""Of one line of a stream."""
STREAM_BYTES_MAX = 64 * 1024 * 1024

_STREAMS = ("streamGenerateContent", "converse-stream", "with-response-stream")
"""In paths of Google's and Amazon's; other vendors are asked in the body."""
_STREAMED = re.compile(rb'"stream":\s*true')


class BodyTooLargeError(Exception):
    """The provider sent more than any answer is long; LiteLLM hands on no more of it than its words."""

    def __init__(self) -> None:
        """Say its own name."""
        super().__init__(type(self).__name__)


async def limit_body(response: httpx.Response) -> None:
    """Let a response be read up to its limit; for httpx's event hook, before anything of it is read.

    Raises:
        BodyTooLargeError: its own headers say that it is too large; else the reading raises it.
    """
    # Frames have no lines, and their reader has a limit to each.
    in_frames = response.headers.get("content-type", "").startswith(MEDIA_TYPE)
    in_lines = is_streamed(response.request) and not in_frames
    most = STREAM_BYTES_MAX if in_lines or in_frames else WHOLE_BYTES_MAX
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise BodyTooLargeError
    if isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _Limited(response.stream, most, LINE_BYTES_MAX if in_lines else most)


def is_streamed(request: httpx.Request) -> bool:
    """Return whether a request itself asks for a stream: a tool or a call's arguments may say so too."""
    if any(word in request.url.path for word in _STREAMS):
        return True
    if _STREAMED.search(request.content) is None:
        return False
    body = read_object_or_none(request.content)
    return body is not None and body.get("stream") is True


class _Limited(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, bytes_max: int, line_bytes_max: int) -> None:
        self._stream = stream
        self._bytes_left = bytes_max
        self._line_bytes_max = line_bytes_max
        self._line_bytes = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            self._bytes_left -= len(piece)
            newline = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
            self._line_bytes = len(piece) - newline - 1 + (self._line_bytes if newline < 0 else 0)
            if self._bytes_left < 0 or self._line_bytes > self._line_bytes_max:
                raise BodyTooLargeError
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
