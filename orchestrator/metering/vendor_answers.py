"""An answer on its way to a vendor's own client, read for its bill as our wire would read it."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import httpx

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.clock import Clock
from orchestrator.core.errors import UnavailableError
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import AttemptFailedError, ProviderAnswer, UnreadableAnswerError
from orchestrator.core.reply import Delta, Usage
from orchestrator.dispatch.pace import Written
from orchestrator.metering.responses_answers import ResponsesReader
from orchestrator.metering.several_answers import SeveralReader
from orchestrator.providers.litellm.readable_answers import (
    BEFORE_JSON,
    BEGINS_WHOLE,
    ReadableStream,
    readable_body,
)
from orchestrator.providers.wire import gemini_format, openai_format
from orchestrator.providers.wire.answer_checks import is_success, unreadable
from orchestrator.providers.wire.body_reading import (
    ANSWER_BYTES_MAX,
    BodyUnreadableError,
    WholeLooks,
    in_utf8,
)
from orchestrator.providers.wire.failures import failure_of_reply
from orchestrator.providers.wire.sse import EventReader, SentEvent, StreamTooLargeError
from orchestrator.providers.wire.stream_letters import StreamLetters
from orchestrator.providers.wire.wire_json import read_object_or_none


@dataclass(frozen=True, slots=True)
class AskedAnswer:
    """What was asked for."""

    max_tokens: int
    """Of one answer."""
    answers: int = 1
    in_pieces: bool = False


class _Reader(Protocol):
    """What reads the answer of one API."""

    @property
    def has_content(self) -> bool:
        """Return whether the provider has begun to answer."""
        ...

    @property
    def upstream_id(self) -> str | None:
        """Return what the provider calls it, as soon as it has said so."""
        ...

    @property
    def is_complete(self) -> bool:
        """Return whether nothing more is to come."""
        ...

    @property
    def has_finished(self) -> bool:
        """Return whether it was said why the answer ends."""
        ...

    def take(self, event: SentEvent) -> list[Delta]:
        """Take in an event of a stream; return what words or calls it brings."""
        ...

    def read(self, body: bytes) -> ProviderAnswer:
        """Return the answer in a whole body."""
        ...

    def whole(self) -> ProviderAnswer:
        """Return the finished answer of a stream."""
        ...


class VendorAnswer:
    """One answer as its bytes come, and as they are handed on to who reads it."""

    def __init__(self, kind: ProviderKind, order: AskedAnswer, *, path: str, clock: Clock) -> None:
        """Expect its status."""
        in_pieces, answers = order.in_pieces, order.answers
        self.in_pieces = in_pieces
        """It comes as a stream; what is no stream where one was asked for is known by its first byte."""
        self.pieces = 0
        """Events that have brought words or calls."""
        self._kind, self._path = kind, path
        self._reader = _reader_of(kind, path=path, answers=answers if in_pieces else 1)
        self._readable = ReadableStream(kind, path=path)
        self._clock = clock
        self._status = 0
        self._headers: Mapping[str, str] = {}
        self._charset: str | None = None
        self._letters = StreamLetters(None)
        self._events = EventReader()
        self._max_tokens = order.max_tokens * answers
        self._written = Written()
        self._is_too_large = self._has_begun = False
        self._body: list[bytes] = []
        self._looks = WholeLooks()
        self._was_asked_in_pieces = in_pieces
        self._bytes_left = ANSWER_BYTES_MAX
        self._failed: UnreadableAnswerError | None = None
        self._was_read = False
        self._wrong: UnreadableAnswerError | None = None

    @property
    def has_content(self) -> bool:
        """Return whether a part of an answer has come."""
        return self._reader.has_content

    @property
    def upstream_id(self) -> str | None:
        """Return what the provider calls a stream, by which a broken one is found in its records."""
        return self._reader.upstream_id

    @property
    def is_complete(self) -> bool:
        """Return whether nothing more is to come, though its connection may stay open."""
        return self.in_pieces and self._reader.is_complete and self._failed is None

    @property
    def has_finished(self) -> bool:
        """Return whether a whole answer has come, or a refusal, which is clear by its status, or none.

        Behind it a server has a last word at most.
        """
        if self.in_pieces:
            return self._reader.has_finished or self._failed is not None
        return not is_success(self._status) or self._looks.find_whole(
            self._body, ANSWER_BYTES_MAX - self._bytes_left
        )

    @property
    def is_over(self) -> bool:
        """Return whether who reads it reads no more, though its connection may stay open."""
        return self._readable.is_over

    @property
    def is_broken(self) -> bool:
        """Return whether it has brought what is no answer, so that nothing behind it counts."""
        return self._failed is not None or self._bytes_left < 0

    @property
    def overrun(self) -> UnreadableAnswerError | None:
        """Return the failure of a stream that ignores its limit of output, and what it may have used."""
        failed = self._failed
        return failed if failed is not None and failed.failure.kind is FailureKind.ENDLESS else None

    def begin(self, status: int, headers: httpx.Headers) -> None:
        """Note the status and the headers."""
        self._status, self._headers = status, headers
        kind = headers.get("content-type", "")
        self.in_pieces = self.in_pieces and is_success(status)
        if "=" in kind:
            self._charset = httpx.Response(status, headers={"content-type": kind}).charset_encoding
            self._letters = StreamLetters(self._charset)

    def feed(self, block: bytes) -> bytes:
        """Take in the next bytes; return those that are read by now. A whole answer is read at its end.

        Raises:
            UnavailableError: it has brought what is no answer, is too large, or writes on past its limit.
        """
        if not self._has_begun and (begun := block.lstrip(BEFORE_JSON)):
            # Some servers send a stream as JSON by name, or a body as a stream.
            self._has_begun, self.in_pieces = True, self.in_pieces and begun[:1] not in BEGINS_WHOLE
        if self.in_pieces:
            return self._told(self._take(block))
        self._bytes_left -= len(block)
        if self._bytes_left < 0:
            self._wrong = _too_large()
            self.check()
        self._body.append(block)
        return b"" if is_success(self._status) else block

    def rest(self) -> bytes:
        """Return what is left to be read once all bytes have come.

        Raises:
            UnavailableError: a stream has brought what is no answer.
        """
        if self.in_pieces:
            return self._told(self._take(None))
        if not is_success(self._status) or self._bytes_left < 0:
            return b""
        body = b"".join(self._body)
        try:
            text = in_utf8(body, self._charset)
        except BodyUnreadableError:
            return body
        if self._was_asked_in_pieces and read_object_or_none(text) is None:
            # Objects a line, and no answer in one.
            self.in_pieces = True
            return self._told(self._take(text) + self._take(None))
        return readable_body(self._kind, self._path, text, in_pieces=self._was_asked_in_pieces)

    def whole(self) -> ProviderAnswer:
        """Return the answer, all of whose bytes have come.

        Raises:
            AttemptFailedError: it is a refusal, or none that can be read; what it used comes along.
        """
        self._was_read = True
        try:
            return self._read()
        except UnreadableAnswerError as exc:
            self._wrong = exc
            raise

    def check(self) -> None:
        """Check that a message which others make of what `whole` refused tells what is wrong.

        Of an error, of a blocked prompt, of half a stream and of half a tool call some make a message like
        any other. One without a word is for its reader, where it has a finish of its own that tells of no
        calls: it may have what our wire does not ask for.

        Raises:
            UnavailableError: it does not.
        """
        if not self._was_read:
            with contextlib.suppress(AttemptFailedError):
                self.whole()
        wrong = self._wrong
        if wrong is None:
            return
        ends = wrong.answer is not None and wrong.answer.finish_reason not in {"", "tool_calls"}
        if not ends or wrong.failure.kind is not FailureKind.EMPTY:
            raise UnavailableError(
                f"what came with status {self._status} is no answer, or half of one: {wrong}"
            )

    def _read(self) -> ProviderAnswer:
        if self.in_pieces:
            self._take(None)
            if self._failed is not None:
                raise self._failed
            return self._reader.whole()
        body = b"".join(self._body)
        if is_success(self._status) and self._bytes_left < 0:
            raise _too_large()
        if not is_success(self._status):
            raise AttemptFailedError(failure_of_reply(self._status, self._headers, body, now=self._clock.now))
        try:
            return self._reader.read(in_utf8(body, self._charset))
        except BodyUnreadableError as exc:
            raise unreadable(FailureKind.MALFORMED, str(exc)) from None

    def _told(self, shown: bytes) -> bytes:
        """Return what came before a stream broke; behind it say so: its reader may go on, or stop at it.

        Raises:
            UnavailableError: nothing came before.
        """
        if self._failed is not None and (not shown or self._is_too_large or self.overrun is not None):
            self.check()
        return shown

    def _take(self, block: bytes | None) -> bytes:
        """Take in the next bytes of a stream, None at their end; return those that are read by now."""
        if self._failed is not None:
            return b""
        try:
            ended = self._events.close() if block is None else self._events.feed(block)
            events = self._letters.read(ended, ends=block is None)
        except StreamTooLargeError:
            self._is_too_large = True
            self._break(unreadable(FailureKind.MALFORMED, "the stream is larger than any answer"))
            return b""
        except BodyUnreadableError as exc:
            self._break(unreadable(FailureKind.MALFORMED, str(exc)))
            return b""
        return b"".join(map(self._heard, events))

    def _heard(self, event: SentEvent) -> bytes:
        if self._failed is not None:
            return b""
        if not self._hear(event):
            return self._readable.error(event)
        return self._readable.written(event, is_whole=self._reader.has_finished)

    def _hear(self, event: SentEvent) -> bool:
        """Take in an event; return whether it is one of an answer."""
        try:
            deltas = self._reader.take(event)
        except UnreadableAnswerError as exc:
            self._break(exc)
            return False
        self.pieces += bool(deltas)
        for delta in deltas:
            self._written.count(delta)
        if self._written.is_endless(max_tokens=self._max_tokens):
            usage = Usage(0, self._written.billed_bytes, estimated=True)
            used = ProviderAnswer("", (), "", usage, None, self.upstream_id)
            detail = "it writes on past its limit of output tokens, and was ended; all that came is booked"
            self._break(UnreadableAnswerError(Failure(FailureKind.ENDLESS), used, detail=detail))
        return True

    def _break(self, failure: UnreadableAnswerError) -> None:
        self._failed = self._failed or failure


def _too_large() -> UnreadableAnswerError:
    return unreadable(FailureKind.MALFORMED, "the body is larger than any answer")


def _reader_of(kind: ProviderKind, *, path: str, answers: int) -> _Reader:
    if path.endswith("/responses"):
        return ResponsesReader()
    if answers > 1 and kind is not ProviderKind.GOOGLE:
        return SeveralReader(answers, reports_cost=kind is ProviderKind.OPENROUTER)
    return _WireReader(kind, answers)


class _WireReader:
    """Chat completions and Gemini's answers, by the readers of our wire."""

    def __init__(self, kind: ProviderKind, answers: int) -> None:
        self._answers = answers
        self._is_google = kind is ProviderKind.GOOGLE
        self._reports_cost = kind is ProviderKind.OPENROUTER
        self._stream: gemini_format.GeminiReader | openai_format.OpenAiReader = (
            gemini_format.GeminiReader()
            if self._is_google
            else openai_format.OpenAiReader(reports_cost=self._reports_cost)
        )

    @property
    def has_content(self) -> bool:
        return self._stream.draft.has_content

    @property
    def upstream_id(self) -> str | None:
        return self._stream.draft.upstream_id

    @property
    def is_complete(self) -> bool:
        return self._answers == 1 and self._stream.is_complete

    @property
    def has_finished(self) -> bool:
        return self._answers == 1 and self._stream.has_finished

    def take(self, event: SentEvent) -> list[Delta]:
        return self._stream.take(event)

    def read(self, body: bytes) -> ProviderAnswer:
        if self._is_google:
            return gemini_format.read_gemini_answer(body)
        return openai_format.read_openai_answer(body, reports_cost=self._reports_cost)

    def whole(self) -> ProviderAnswer:
        return self._stream.whole()
