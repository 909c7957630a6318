"""A text of a report before it is said in a language: which one, and the names and numbers in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number for people, as English writes it; what config.yaml is to read is plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """A text by its key in `report_words`; `report_words.phrase_in` says it."""

    key: str
    facts: "Mapping[str, str | int | Numeral | Phrase]" = field(default_factory=dict)
