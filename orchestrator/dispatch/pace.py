"""How the words of a stream come: whether it will ever be an answer, merely stays alive, or never ends."""

from dataclasses import dataclass
from typing import Self

from orchestrator.core.reply import Delta
from orchestrator.core.visible_text import letters_seen

SLOW_CHARS_PER_S = 6.0
"""A slow model writes ten words a second, 50 characters; whoever reads along reads four."""
_LOOK_S = 5.0
"""Over so long the pace is taken; a pause of a second is none."""
_TOKEN_BYTES_MAX = 16
"""No text has so many on average: whoever wrote more for each token that it may write knows of no limit."""
_ROOM_BYTES = 4_096
"""And so many more, for the shortest of limits."""


@dataclass(slots=True)
class Pace:
    """The pace of one stream since its first words; spaces and what has no width are no words."""

    look_began_s: float
    """In monotonic seconds."""
    chars: int
    """Since then."""
    is_slow: bool = False
    """By the last look."""
    written_bytes: int = 0
    """All that came since the first words, spaces too; some vendors' limits do not count the thoughts."""

    @classmethod
    def begun_by(cls, delta: Delta | None, *, now_s: float) -> Self | None:
        """Return the pace of a stream that begins with this piece; None where it holds no words."""
        chars = _chars(delta) if delta is not None else 0
        return cls(now_s, chars, written_bytes=_written(delta)) if delta is not None and chars else None

    def count(self, delta: Delta, *, now_s: float) -> None:
        """Count a piece, and look whether the words come slowly."""
        self.chars += _chars(delta)
        self.written_bytes += _written(delta)
        passed_s = now_s - self.look_began_s
        if passed_s >= _LOOK_S:
            self.is_slow = self.chars < SLOW_CHARS_PER_S * passed_s
            self.look_began_s, self.chars = now_s, 0

    def is_endless(self, *, max_tokens: int) -> bool:
        """Return whether it has written far more than the limit that it was given allows."""
        return self.written_bytes > max_tokens * _TOKEN_BYTES_MAX + _ROOM_BYTES


def _chars(delta: Delta) -> int:
    return letters_seen(delta.text) + sum(
        len(call.name or "") + len(call.arguments or "") for call in delta.tool_calls
    )


def _written(delta: Delta) -> int:
    text = delta.text
    for call in delta.tool_calls:
        text += call.arguments or ""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
