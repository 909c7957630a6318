"""How fast the words of a stream come: whether it will ever be an answer, or merely stays alive."""

from dataclasses import dataclass
from typing import Self

from orchestrator.core.reply import Delta
from orchestrator.core.visible_text import letters_seen

SLOW_CHARS_PER_S = 6.0
"""A slow model writes ten words a second, 50 characters; whoever reads along reads four."""
_LOOK_S = 5.0
"""Over so long the pace is taken; a pause of a second is none."""


@dataclass(slots=True)
class Pace:
    """The pace of one stream since its first words; spaces and what has no width are no words."""

    look_began_s: float
    """In monotonic seconds."""
    chars: int
    """Since then."""
    is_slow: bool = False
    """By the last look."""

    @classmethod
    def begun_by(cls, delta: Delta | None, *, now_s: float) -> Self | None:
        """Return the pace of a stream that begins with this piece; None where it holds no words."""
        chars = _chars(delta) if delta is not None else 0
        return cls(now_s, chars) if chars else None

    def count(self, delta: Delta, *, now_s: float) -> None:
        """Count a piece, and look whether the words come slowly."""
        self.chars += _chars(delta)
        passed_s = now_s - self.look_began_s
        if passed_s >= _LOOK_S:
            self.is_slow = self.chars < SLOW_CHARS_PER_S * passed_s
            self.look_began_s, self.chars = now_s, 0


def _chars(delta: Delta) -> int:
    return letters_seen(delta.text) + sum(
        len(call.name or "") + len(call.arguments or "") for call in delta.tool_calls
    )
