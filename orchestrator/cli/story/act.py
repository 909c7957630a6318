"""What an act of the demo consists of: entries and grids for people, facts for programs, claims for both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class CheckedClaim:
    """One expectation, and whether what happened met it."""

    text: str
    held: bool

    def as_json(self) -> dict[str, Any]:
        """Return the claim for programs."""
        return {"claim": self.text, "held": self.held}


@dataclass(frozen=True, slots=True)
class StoryEntry:
    """A heading with lines under it."""

    heading: str
    lines: tuple[str, ...] = ()
    quotation: str | None = None
    """What a model answered."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A small table."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numbers: tuple[str, ...] = ()
    """Columns that are aligned to the right."""


@dataclass(frozen=True, slots=True)
class Act:
    """One step of the story, with what really happened."""

    title: str
    intro: str
    parts: tuple[StoryEntry | Grid, ...]
    claims: tuple[CheckedClaim, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the claims were computed from."""

    @property
    def held(self) -> bool:
        """Return whether every claim held."""
        return all(claim.held for claim in self.claims)
