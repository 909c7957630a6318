"""Characters that a stream has cut in two: one half in this event, the other in the next.

Models write some characters, emoji above all, in two or more tokens, and servers that send each token at once
cut between the halves of a UTF-16 pair or between the bytes of UTF-8. Which texts of two events belong
together is told by the place at which they stand, so this is the same for every format.
"""

import codecs
import re
from collections.abc import Mapping
from typing import Any

_HIGH_HALF = re.compile("[\ud800-\udbff]\\Z")
_BYTES = re.compile("[\udc80-\udcff]+")
"""Of no UTF-8 by themselves, as Python's `surrogateescape` keeps them."""

_Place = tuple[str | int, ...]


class HalfCharacters:
    """The halves that one stream has brought and whose other halves are still to come."""

    def __init__(self) -> None:
        """Keep nothing back yet."""
        self._kept: dict[_Place, str] = {}

    @property
    def are_kept(self) -> bool:
        """Return whether the next event must be joined too."""
        return bool(self._kept)

    def joined(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return an event whose texts can all be written; a half at the end of one comes with the next.

        One whose other half never comes is U+FFFD before the next words of its place, and left out at the end
        of the stream.
        """
        return {valid_text(name): self._at((name,), value) for name, value in event.items()}

    def _at(self, place: _Place, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(place, value)
        if isinstance(value, dict):
            return {valid_text(name): self._at((*place, name), each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._at((*place, _index(each, at)), each) for at, each in enumerate(value)]
        return value

    def _text(self, place: _Place, text: str) -> str:
        text = self._kept.pop(place, "") + text
        if text.isascii():
            return text
        whole, half = _parted(text)
        if half:
            self._kept[place] = half
        return whole


def valid_text(text: str) -> str:
    """Return text as Unicode that can be written: half an emoji becomes U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _parted(text: str) -> tuple[str, str]:
    """Return the whole characters of a text, and the half of one at its end."""
    paired = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    half = _HIGH_HALF.search(paired)
    if half:
        return _whole(paired[: half.start()]), half[0]
    last = next((run for run in _BYTES.finditer(paired) if run.end() == len(paired)), None)
    if last is None:
        return _whole(paired), ""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoded = decoder.decode(_raw(last[0]))
    return _whole(paired[: last.start()]) + decoded, decoder.getstate()[0].decode("utf-8", "surrogateescape")


def _whole(text: str) -> str:
    return valid_text(_BYTES.sub(lambda run: _raw(run[0]).decode("utf-8", "replace"), text))


def _raw(run: str) -> bytes:
    return run.encode("utf-8", "surrogateescape")


def _index(value: Any, at: int) -> int:
    """Return the place of a part of a list: what it names, as a piece of a tool call does, or its own."""
    named = value.get("index") if isinstance(value, dict) else None
    return named if type(named) is int else at
