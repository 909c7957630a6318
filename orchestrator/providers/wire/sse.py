"""Server-sent events: bytes in, events out, however the bytes were cut on their way.

By https://html.spec.whatwg.org/multipage/server-sent-events.html: a line ends at CR, LF or CRLF and nowhere
else (U+2028 is text), a blank line ends an event, several `data:` lines are one text. Unlike a browser we
also take a last event that no blank line ends: a cut one is no JSON, so it is not believed anyway.

A browser also skips a line that is no field. Words may stand in it, behind a byte order mark in the middle of
a stream, a space, or without `data:` at all, and an answer that lacks them would pass for whole. So it is
data.
"""

import re
from typing import NamedTuple

EVENT_BYTES_MAX = 512 * 1024
"""Of one line, and of the data of one event."""
EVENTS_BYTES_MAX = 64 * 1024 * 1024
"""Of a whole stream."""

_LINE_END = re.compile(rb"\r\n|\r|\n")
_CR, _LF = 13, 10
_FIELD = re.compile(rb"[A-Za-z0-9_.-]*\Z")
"""The name of a field, known or not; that of a comment is empty."""
_BEGINNING = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:data|event|id|retry)?:")
_AROUND_MARK = b" \t\n\"'"
_END_MARK_BYTES_MAX = 32
_NOTHING = b" \t\0\xef\xbb\xbf"
"""Spaces, zeros and byte order marks around a line."""


class SentEvent(NamedTuple):
    """One event; `name` is its `event:` field, empty when it has none."""

    data: bytes
    name: bytes = b""


class StreamTooLargeError(Exception):
    """A line, an event or the stream is longer than any answer."""


def is_stray(line: bytes) -> bool:
    """Return whether a line is no field of an event and no comment, so that words may stand in it."""
    field = line.partition(b":")[0]
    return bool(line.strip(_NOTHING)) and (
        not _FIELD.match(field) or (field != b"data" and field.lower() == b"data")
    )


def begins_stream(body: bytes) -> bool:
    """Return whether a body begins as a stream does: JSON and HTML do not."""
    return _BEGINNING.match(body) is not None


def is_end_mark(data: bytes) -> bool:
    """Return whether the data of an event is OpenAI's `[DONE]`; some servers write it in quotes or small."""
    return len(data) <= _END_MARK_BYTES_MAX and data.strip(_AROUND_MARK).lower() == b"[done]"


class EventReader:
    """Reads one stream; what it returns depends on the bytes alone, not on how they were cut."""

    def __init__(
        self, *, line_bytes_max: int = EVENT_BYTES_MAX, stream_bytes_max: int = EVENTS_BYTES_MAX
    ) -> None:
        """Expect the first byte of a stream."""
        self._line_bytes_max = line_bytes_max
        self._bytes_left = stream_bytes_max
        self._tail: list[bytes] = []
        self._tail_bytes = 0
        self._after_cr = False
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._name = b""

    def feed(self, block: bytes) -> list[SentEvent]:
        """Return the events that end in `block`.

        Raises:
            StreamTooLargeError: more has come than a line, an event or the stream may have.
        """
        self._bytes_left -= len(block)
        if self._bytes_left < 0:
            raise StreamTooLargeError
        if self._after_cr and block:
            self._after_cr = False
            block = block[1:] if block[0] == _LF else block
        if not block:
            return []
        if b"\r" in block:
            self._after_cr = block[-1] == _CR
            lines = _LINE_END.split(block)
        else:
            lines = block.split(b"\n")
        tail = lines.pop()
        if lines and self._tail:
            # Joined once for a line: a long one that comes in small pieces must not be copied with each.
            lines[0] = b"".join((*self._tail, lines[0]))
            self._tail, self._tail_bytes = [], 0
        if tail:
            self._tail.append(tail)
            self._tail_bytes += len(tail)
        if self._tail_bytes > self._line_bytes_max:
            raise StreamTooLargeError
        return self._events(lines)

    def close(self) -> list[SentEvent]:
        """Return the event that the end of the stream has cut off from its blank line, if there is one."""
        rest, self._tail, self._tail_bytes = b"".join(self._tail), [], 0
        return self._events([rest, b""] if rest else [b""])

    def _events(self, lines: list[bytes]) -> list[SentEvent]:
        events: list[SentEvent] = []
        for line in lines:
            if line:
                self._take(line)
                continue
            if self._data_bytes:
                data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                events.append(SentEvent(data, self._name))
            if self._data or self._name:
                self._data, self._data_bytes, self._name = [], 0, b""
        return events

    def _take(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        if len(line) > self._line_bytes_max:
            raise StreamTooLargeError
        if field == b"data":
            self._take_data(value.removeprefix(b" "))
        elif field == b"event":
            self._name = value.removeprefix(b" ")
        elif is_stray(line):
            self._take_stray(line)
        # The rest, `id:`, `retry:`, comments and what no standard knows, says nothing about an answer.

    def _take_data(self, value: bytes) -> None:
        self._data.append(value)
        self._data_bytes += len(value)
        if self._data_bytes > self._line_bytes_max:
            raise StreamTooLargeError

    def _take_stray(self, line: bytes) -> None:
        line = line.strip(_NOTHING)
        field, _, value = line.partition(b":")
        name = field.strip(_NOTHING)
        if name and not _FIELD.match(name):
            self._take_data(line)
        elif name.lower() == b"data":
            self._take_data(value.removeprefix(b" "))
        elif name == b"event":
            self._name = value.removeprefix(b" ")
