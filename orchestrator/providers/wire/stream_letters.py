"""Events of a stream in UTF-8, whatever its header says of its letters.

Some servers name another charset by habit, and cut characters of UTF-8 in two. One half by itself is a letter
of that charset, so what follows must tell: the other half comes next, or it does not.
"""

import codecs
import re

from orchestrator.providers.wire.body_reading import UTF_8, in_utf8
from orchestrator.providers.wire.sse import SentEvent

_NO_UTF_8 = re.compile("[\udc80-\udcff]+")
"""Bytes of no UTF-8 by themselves, as Python's `surrogateescape` keeps them."""


class StreamLetters:
    """Reads the events of one stream, and keeps one back whose last letter may be half a character."""

    def __init__(self, charset: str | None) -> None:
        """Expect UTF-8, or what the header names."""
        self._charset = None if charset is None or charset.lower() in UTF_8 else charset
        self._kept: list[SentEvent] = []
        self._half = b""

    def read(self, events: list[SentEvent], *, ends: bool) -> list[SentEvent]:
        """Return events, and those kept back before them, as soon as it is known how they are written.

        Raises:
            BodyUnreadableError: one is neither UTF-8 nor what the header names.
        """
        if self._charset is None and not self._kept:
            return events
        known = [ready for event in events for ready in self._ready_with(event)]
        return known + self._as_named() if ends else known

    def _ready_with(self, event: SentEvent) -> list[SentEvent]:
        self._kept.append(event)
        text = event.data.decode("utf-8", "surrogateescape")
        if self._charset is None or not _NO_UTF_8.sub("", text).isascii():
            return self._as_utf_8()
        half = "".join(_NO_UTF_8.findall(text)).encode("utf-8", "surrogateescape")
        self._half += half
        if not half:
            return self._as_named()
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            decoder.decode(self._half)
        except UnicodeDecodeError:
            return self._as_named()
        return [] if decoder.getstate()[0] else self._as_utf_8()

    def _as_utf_8(self) -> list[SentEvent]:
        self._charset = None
        return self._taken()

    def _as_named(self) -> list[SentEvent]:
        return [SentEvent(in_utf8(data, self._charset), name) for data, name in self._taken()]

    def _taken(self) -> list[SentEvent]:
        kept, self._kept, self._half = self._kept, [], b""
        return kept
