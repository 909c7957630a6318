"""The bodies of a provider's responses: heard while LiteLLM reads them, and of refusals read in its place."""

from collections.abc import AsyncIterator

import httpx
import orjson

from orchestrator.core.clock import SystemClock
from orchestrator.core.event_frames import MEDIA_TYPE, Frame, FrameReader
from orchestrator.core.failures import Failure
from orchestrator.core.provider_answer import UnreadableAnswerError
from orchestrator.providers.litellm.provider_words import ProviderWords
from orchestrator.providers.litellm.sse_check import checked_event
from orchestrator.providers.wire.failures import ERROR_BYTES_MAX, failure_of_reply
from orchestrator.providers.wire.half_characters import HalfCharacters
from orchestrator.providers.wire.wire_json import event_objects, json_text

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
            self._words.hear(checked_event(frame.payload))

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Heard(httpx.AsyncByteStream):
    """A body that is handed on as it comes, and read beside; characters that were cut in two come whole."""

    def __init__(self, stream: httpx.AsyncByteStream, words: ProviderWords, *, in_events: bool) -> None:
        self._stream = stream
        self._words = words
        self._in_events = in_events
        self._halves = HalfCharacters()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces: list[bytes] = []
        async for piece in self._stream:
            if not self._in_events:
                pieces.append(piece)
                yield piece
                continue
            whole, cut, rest = piece.rpartition(b"\n")
            if cut:
                lines = b"".join((*pieces, whole)).split(b"\n")
                pieces = []
                yield b"\n".join([self._heard(line) for line in lines]) + b"\n"
            pieces.append(rest)
        # LiteLLM may stop reading at the end mark; then nothing is left to be taken.
        last = b"".join(pieces)
        if self._in_events:
            yield self._heard(last)
        else:
            self._words.take(last)

    def _heard(self, line: bytes) -> bytes:
        """Take in a line of a stream of events; return it as it is handed on."""
        data = line.strip()
        if not data.startswith(b"data:"):
            return line
        data = data.removeprefix(b"data:").strip()
        if not data or data == _END_MARK:
            return line
        try:
            event, is_plain = orjson.loads(data), not self._halves.are_kept
        except orjson.JSONDecodeError:
            event, is_plain = None, False
        if not is_plain:
            try:
                (event,) = event_objects(data, self._halves)
            except UnreadableAnswerError:
                return line
            line = b"data: " + json_text(event).encode()
        self._words.hear(event)
        return line

    async def aclose(self) -> None:
        await self._stream.aclose()
