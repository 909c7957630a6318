"""How the words of a stream come: whether it will ever be an answer, merely stays alive, or never ends."""

from dataclasses import dataclass, field
from typing import Self

from orchestrator.core.reply import Delta
from orchestrator.core.visible_text import letters_seen

SLOW_CHARS_PER_S = 6.0
"""A slow model writes ten words a second, 50 characters; whoever reads along reads four."""
_LOOK_S = 5.0
"""Over so long the pace is taken; a pause of a second is none."""
TOKEN_BYTES_MAX = 16
"""No text has so many on average: whoever wrote more for each token that it may write knows of no limit."""
_ROOM_BYTES = 4_096
"""And so many more, for the shortest of limits."""
_PIECE_CHARS = 3
"""A piece of so many is no part of a token, but where a server cuts its text at every few characters."""
_PIECES_A_TOKEN = 2
"""Which makes fewer pieces of a token than these: on average a token has less than six characters."""
_ROOM_PIECES = 256
THOUGHT_BYTES_MAX = 1 << 20
"""And so many of thoughts, which some limits leave out: of no model are more than 128,000 tokens known."""


@dataclass(slots=True)
class Written:
    """What has come of a stream against its limit of output; thoughts have room of their own beside it."""

    bytes: int = 0
    pieces: int = 0
    """Those of some characters at least: most servers send a piece for each token."""
    thought_bytes: int = 0

    @property
    def billed_bytes(self) -> int:
        """Return how many bytes of output may be billed: a token is at least a byte, of thoughts too."""
        return self.bytes + self.thought_bytes

    def count(self, delta: Delta) -> None:
        """Count a piece: its words, spaces too, and the arguments of its tool calls."""
        text = delta.text
        for call in delta.tool_calls:
            text += call.arguments or ""
        self.pieces += len(text) >= _PIECE_CHARS
        self.bytes += _bytes_of(text)
        if delta.reasoning:
            self.thought_bytes += _bytes_of(delta.reasoning)

    def is_endless(self, *, max_tokens: int) -> bool:
        """Return whether it is far more than `max_tokens` tokens can be."""
        return (
            self.bytes > max_tokens * TOKEN_BYTES_MAX + _ROOM_BYTES
            or self.pieces > max_tokens * _PIECES_A_TOKEN + _ROOM_PIECES
            or self.thought_bytes > max_tokens * TOKEN_BYTES_MAX + THOUGHT_BYTES_MAX
        )


@dataclass(slots=True)
class Pace:
    """The pace of one stream since its first words; spaces and what has no width are no words."""

    look_began_s: float
    """In monotonic seconds."""
    chars: int
    """Since then."""
    is_slow: bool = False
    """By the last look."""
    written: Written = field(default_factory=Written)
    """All that came since the first words."""

    @classmethod
    def begun_by(cls, delta: Delta | None, *, now_s: float) -> Self | None:
        """Return the pace of a stream that begins with this piece; None where it holds no words."""
        chars = _chars(delta) if delta is not None else 0
        if delta is None or not chars:
            return None
        pace = cls(now_s, chars)
        pace.written.count(delta)
        return pace

    def count(self, delta: Delta, *, now_s: float) -> None:
        """Count a piece, and look whether the words come slowly."""
        self.chars += _chars(delta)
        self.written.count(delta)
        passed_s = now_s - self.look_began_s
        if passed_s >= _LOOK_S:
            self.is_slow = self.chars < SLOW_CHARS_PER_S * passed_s
            self.look_began_s, self.chars = now_s, 0


def _bytes_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def _chars(delta: Delta) -> int:
    return letters_seen(delta.text) + sum(
        len(call.name or "") + letters_seen(call.arguments or "") for call in delta.tool_calls
    )
