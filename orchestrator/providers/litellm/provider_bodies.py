"""The bodies of a provider's responses: heard while LiteLLM reads them, and of refusals read in its place."""

from collections.abc import AsyncIterator

import httpx

from orchestrator.core.clock import SystemClock
from orchestrator.core.event_frames import MEDIA_TYPE, Frame, FrameReader
from orchestrator.core.failures import Failure
from orchestrator.providers.litellm.provider_words import ProviderWords
from orchestrator.providers.litellm.sse_check import check_event
from orchestrator.providers.wire.failures import ERROR_BYTES_MAX, failure_of_reply

_EVENT_STREAM = "text/event-stream"
_JSON = "application/json"
_ANSWERS = frozenset({_EVENT_STREAM, _JSON, MEDIA_TYPE})
_OK = 200
_REFUSED = b'{"error": {"message": "refused"}}'
_END_MARK = b"[DONE]"


class NoAnswerError(Exception):
    """What came with status 200 is in no format of answers, such as a page of HTML."""


def listen(response: httpx.Response, words: ProviderWords) -> None:
    """Let `words` hear what a response says, while it is read; for httpx's event hook.

    Raises:
        NoAnswerError: it is of a kind that no answer is of.
    """
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code == _OK and kind not in _ANSWERS:
        raise NoAnswerError
    if response.headers.get("content-encoding", "identity") != "identity":
        return
    if not isinstance(response.stream, httpx.AsyncByteStream):
        return
    if kind == MEDIA_TYPE:
        response.stream = _HeardFrames(response.stream, words)
    elif kind in {_EVENT_STREAM, _JSON}:
        response.stream = _Heard(response.stream, words, in_events=kind == _EVENT_STREAM)


async def refusal_of(response: httpx.Response) -> Failure:
    """Return what a refusal means, by its own words; LiteLLM is handed none of them.

    It would search them for secrets, for minutes where they are megabytes, and quote them in its errors.
    """
    stream, body = response.stream, b""
    if isinstance(stream, httpx.AsyncByteStream):
        async for piece in stream:
            body += piece
            if len(body) > ERROR_BYTES_MAX:
                break
        await stream.aclose()
    response.headers.pop("content-encoding", None)
    response.stream = httpx.ByteStream(_REFUSED)
    return failure_of_reply(response.status_code, response.headers, body, now=SystemClock().now)


class _HeardFrames(httpx.AsyncByteStream):
    """A body of Amazon's frames that is handed on as it comes, and read beside."""

    def __init__(self, stream: httpx.AsyncByteStream, words: ProviderWords) -> None:
        self._stream = stream
        self._words = words

    async def __aiter__(self) -> AsyncIterator[bytes]:
        reader = FrameReader()
        async for piece in self._stream:
            for frame in reader.read(piece):
                self._take(frame)
            yield piece

    def _take(self, frame: Frame) -> None:
        if frame.headers.get(":message-type", "event") != "event":
            self._words.fail()
        else:
            check_event(frame.payload)
            self._words.take(frame.payload)

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Heard(httpx.AsyncByteStream):
    """A body that is handed on as it comes, and read beside."""

    def __init__(self, stream: httpx.AsyncByteStream, words: ProviderWords, *, in_events: bool) -> None:
        self._stream = stream
        self._words = words
        self._in_events = in_events

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces: list[bytes] = []
        async for piece in self._stream:
            pieces.append(piece)
            if self._in_events and b"\n" in piece:
                *lines, rest = b"".join(pieces).split(b"\n")
                pieces = [rest]
                self._take(lines)
            yield piece
        # LiteLLM may stop reading at the end mark; then nothing is left to be taken.
        self._take([b"".join(pieces)])

    def _take(self, lines: list[bytes]) -> None:
        for line in lines:
            data = line.strip()
            if self._in_events:
                if not data.startswith(b"data:"):
                    continue
                data = data.removeprefix(b"data:").strip()
            if data and data != _END_MARK:
                self._words.take(data)

    async def aclose(self) -> None:
        await self._stream.aclose()
