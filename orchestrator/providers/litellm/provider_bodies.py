"""The bodies of a provider's responses: heard, checked, and written as LiteLLM can read them.

LiteLLM leaves out an event that is not JSON, words and all, makes up an end for a stream that merely stopped,
and fails at what the readers of our wire take. So of an answer it gets what was read here, written plainly.
"""

import asyncio
import base64
import binascii
import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import httpx

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.clock import SystemClock
from orchestrator.core.event_frames import MEDIA_TYPE, Frame, FrameReader
from orchestrator.core.failures import Failure
from orchestrator.core.provider_answer import UnreadableAnswerError
from orchestrator.providers.litellm.body_limit import BodyTooLargeError, is_streamed
from orchestrator.providers.litellm.heard_streams import Ear, hear
from orchestrator.providers.litellm.provider_words import ProviderWords
from orchestrator.providers.litellm.readable_answers import (
    BEFORE_JSON,
    BEGINS_WHOLE,
    ReadableStream,
    has_words,
    readable_body,
)
from orchestrator.providers.litellm.sse_check import (
    EndedEarlyError,
    MalformedEventError,
    checked_event,
    finishes,
)
from orchestrator.providers.litellm.whole_as_events import as_piece
from orchestrator.providers.wire.body_reading import (
    ANSWER_BYTES_MAX,
    EVENTS_STEP_BYTES,
    BodyUnreadableError,
    WholeLooks,
    in_utf8,
    unpacker_of,
)
from orchestrator.providers.wire.failures import ERROR_BYTES_MAX, failure_of_reply
from orchestrator.providers.wire.http import LAST_WORD_S
from orchestrator.providers.wire.sse import EventReader, SentEvent, StreamTooLargeError, is_end_mark
from orchestrator.providers.wire.stream_letters import StreamLetters
from orchestrator.providers.wire.wire_json import read_object_or_none

_REFUSED = b'{"error": {"message": "refused"}}'
_LAST_EVENTS = frozenset({"message_stop"})
"""Behind which a stream that has no end mark says nothing more."""
_DELTAS = (dict, str, type(None))
"""What a piece of any format is."""
_Event = TypeVar("_Event", SentEvent, Frame)


class NoAnswerError(Exception):
    """What came with a status of success is in no format of answers, such as a page of HTML."""


class ProviderFailedError(Exception):
    """The provider said, with a status of success, that it failed; what it is stands in its words."""


def listen(response: httpx.Response, words: ProviderWords) -> None:
    """Let `words` hear what a response says, while it is read; for httpx's event hook."""
    request = response.request
    hear(response, Ear(_ReadableAnswer(words, path=request.url.path, in_pieces=is_streamed(request))))


async def refusal_of(response: httpx.Response) -> Failure:
    """Return what a refusal means, by its own words; LiteLLM is handed none of them.

    It would search them for secrets, for minutes where they are megabytes, and quote them in its errors.
    """
    body = bytearray()
    # The status speaks for a body that cannot be read or does not come.
    with contextlib.suppress(httpx.HTTPError, OSError, BodyUnreadableError):
        async with asyncio.timeout(LAST_WORD_S):
            await _read_beginning(response, body)
    response.headers.pop("content-encoding", None)
    with contextlib.suppress(httpx.HTTPError, OSError):
        await response.stream.aclose()  # type: ignore[union-attr]
    response.stream = httpx.ByteStream(_REFUSED)
    return failure_of_reply(response.status_code, response.headers, bytes(body), now=SystemClock().now)


async def _read_beginning(response: httpx.Response, body: bytearray) -> None:
    unpacker = unpacker_of(response.headers.get("content-encoding"))
    async for piece in response.stream:  # type: ignore[union-attr]
        for step in [piece] if unpacker is None else unpacker.steps(piece, EVENTS_STEP_BYTES):
            body += step
            if len(body) >= ERROR_BYTES_MAX:
                return


class _ReadableAnswer:
    """One answer as its bytes come, and as LiteLLM is handed them."""

    def __init__(self, words: ProviderWords, *, path: str, in_pieces: bool) -> None:
        """Expect its status."""
        self.in_pieces = self._was_asked_in_pieces = in_pieces
        self.pieces = 0
        self._words, self._path = words, path
        self._kind = ProviderKind.GOOGLE if "generatecontent" in path.lower() else ProviderKind.LITELLM
        self._readable = ReadableStream(self._kind, path=path, hear=self._take)
        self._frames: FrameReader | None = None
        self._charset: str | None = None
        self._letters, self._events, self._looks = StreamLetters(None), EventReader(), WholeLooks()
        self._body: list[bytes] = []
        self._size = 0
        self._texts: list[str] = []
        self._fault: Exception | None = None
        self._has_begun = self._is_finished = self._has_ended = self._is_error = False

    @property
    def has_finished(self) -> bool:
        """Return whether it was said why the answer ends, or a whole one has come."""
        return (
            self._is_finished or self.is_over
            if self.in_pieces
            else self._looks.find_whole(self._body, self._size)
        )

    @property
    def is_over(self) -> bool:
        """Return whether the last event has come, or one behind which nothing counts."""
        return self._has_ended or self._readable.is_over or self._fault is not None

    def begin(self, status: int, headers: httpx.Headers) -> None:
        """Note what kind of body it is."""
        kind = headers.get("content-type", "").lower()
        if kind.startswith(MEDIA_TYPE):
            self._frames, self.in_pieces = FrameReader(), True
        if "=" in kind:
            self._charset = httpx.Response(status, headers={"content-type": kind}).charset_encoding
            self._letters = StreamLetters(self._charset)

    def feed(self, block: bytes) -> bytes:
        """Take in the next bytes; return those that are read by now. A whole answer is read at its end.

        Raises:
            MalformedEventError: an event cannot be read; its words would be lost.
            ProviderFailedError: it is an error.
            BodyTooLargeError: more has come than any answer has.
        """
        if self._frames is not None:
            return self._shown(self._frame, self._frames.read(block))
        if not self._has_begun and (begun := block.lstrip(BEFORE_JSON)):
            # Some servers send a stream as JSON by name, or a body as a stream.
            self._has_begun, self.in_pieces = True, self.in_pieces and begun[:1] not in BEGINS_WHOLE
        if self.in_pieces:
            return b"" if self.is_over else self._written(block)
        self._body.append(block)
        self._size += len(block)
        if self._size > ANSWER_BYTES_MAX:
            raise BodyTooLargeError
        return b""

    def rest(self) -> bytes:
        """Return what is left to be read once all bytes have come.

        Raises:
            EndedEarlyError: a stream has not said why its answer ends.
            NoAnswerError: a body is no JSON object.
            MalformedEventError: the text in it is no text.
        """
        if self._fault is not None:
            raise self._fault
        if not self.in_pieces:
            return self._whole()
        shown = b"" if self._frames is not None or self.is_over else self._written(None)
        if not self._is_finished:
            raise EndedEarlyError
        return shown

    def _whole(self) -> bytes:
        try:
            text = in_utf8(b"".join(self._body), self._charset)
        except BodyUnreadableError:
            raise NoAnswerError from None
        value = read_object_or_none(text)
        if value is None and self._was_asked_in_pieces:
            # Objects a line, and no answer in one.
            self.in_pieces = True
            return self._written(text) + self.rest()
        if value is None:
            raise NoAnswerError
        self._hear(value)
        finishes(as_piece(value))
        return readable_body(self._kind, self._path, text, in_pieces=self._was_asked_in_pieces)

    def _written(self, block: bytes | None) -> bytes:
        """Return the events that end in a block, None for the end of all, as they are read."""
        try:
            ended = self._events.close() if block is None else self._events.feed(block)
            return self._shown(self._event, self._letters.read(ended, ends=block is None))
        except StreamTooLargeError:
            raise BodyTooLargeError from None
        except (BodyUnreadableError, UnreadableAnswerError):
            raise MalformedEventError from None

    def _shown(self, write: Callable[[_Event], bytes], events: Iterable[_Event]) -> bytes:
        """Return events as they are read, up to one at which reading fails: that is told behind them."""
        shown = b""
        try:
            for event in events:
                shown += write(event)
        except (MalformedEventError, UnreadableAnswerError, ProviderFailedError, EndedEarlyError) as exc:
            self._fault = MalformedEventError() if isinstance(exc, UnreadableAnswerError) else exc
            if not shown:
                raise self._fault from None
        return shown

    def _event(self, event: SentEvent) -> bytes:
        if self.is_over:
            return b""
        if is_end_mark(event.data) and not self._is_finished:
            raise EndedEarlyError
        self._is_error = event.name == b"error"
        return self._readable.written(event, is_whole=self._is_finished)

    def _frame(self, frame: Frame) -> bytes:
        event = checked_event(_unwrapped(frame.payload))
        if frame.headers.get(":message-type", "event") != "event":
            named = frame.headers.get(":exception-type") or frame.headers.get(":error-code")
            self._words.fail({**event, "type": named})
        self._take(event)
        return frame.encoded()

    def _take(self, event: Mapping[str, Any]) -> None:
        """Hear an event of a stream.

        Raises:
            MalformedEventError: its words stand where nobody reads them.
            ProviderFailedError: it is an error.
        """
        self.pieces += 1
        if not isinstance(event.get("type"), str | None) or not isinstance(event.get("delta"), _DELTAS):
            # LiteLLM leaves it out.
            raise MalformedEventError
        if self._is_error:
            self._words.fail(event.get("error") or event)
        self._hear(event)
        # An answer that ends as none that is known has ended too.
        self._is_finished = finishes(event) or self._words.finish is not None or self._is_finished
        self._has_ended = event.get("type") in _LAST_EVENTS
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if choice is not None:
                self._check_place(choice)

    def _hear(self, event: Mapping[str, Any]) -> None:
        self._words.hear(event)
        if self._words.failure is not None:
            raise ProviderFailedError

    def _check_place(self, choice: Any) -> None:
        """Check that a piece has its words in its delta, or says again at the end what was said."""
        if not isinstance(choice, Mapping):
            raise MalformedEventError
        delta, message = choice.get("delta"), choice.get("message")
        if isinstance(delta, Mapping) and isinstance(delta.get("content"), str):
            self._texts.append(delta["content"])
        if has_words(delta):
            return
        whole = message.get("content") if isinstance(message, Mapping) else None
        says_more = bool(whole) and bool(self._texts) and whole != "".join(self._texts)
        if says_more or choice.get("text") or (whole and not choice.get("finish_reason")):
            raise MalformedEventError


def _unwrapped(payload: bytes) -> bytes:
    """Return the event in a frame; that of a model's own format is wrapped once more."""
    wrapped = read_object_or_none(payload) or {}
    inner = wrapped.get("bytes")
    if not isinstance(inner, str):
        return payload
    try:
        return base64.b64decode(inner, validate=True)
    except binascii.Error:
        raise MalformedEventError from None
