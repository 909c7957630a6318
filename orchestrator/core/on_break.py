"""When a stream breaks off in the middle: what a caller may choose, and what a reader is told."""

from dataclasses import dataclass
from enum import StrEnum


class OnBreak(StrEnum):
    """What a stream does when it breaks off after its first words."""

    RESCUE = "rescue"
    """The next attempt goes on with the text, and the reader sees one text without a seam."""
    RESTART = "restart"
    """The next attempt answers afresh; a `Restarted` tells the reader that what came before is void."""
    ERROR = "error"
    """No other deployment is asked: `StreamInterruptedError` carries what had arrived."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """Everything that was read so far is void, tool calls too: another answer begins here."""

    deployment: str
    """The deployment that answers now."""
    void_characters: int
    """How many characters of text no longer count."""
