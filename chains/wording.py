"""What is said to a model, in Vietnamese and in English: the files in `prompts/`.

A file holds the rules of one use case in one language, then a section for each form an answer may
take, after a line `<!-- answer: json -->` or `<!-- answer: text -->`. Nothing is ever formatted
into these texts: what customers write is sent beside them as data, and a provider can keep the
unchanging part in its own prompt cache.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Self

from orchestrator.core.errors import InvalidRequestError

_SECTION = re.compile(r"^<!-- answer: (\w+) -->$", re.MULTILINE)


class Language(StrEnum):
    """A language that chains are asked in and answer in."""

    VI = "vi"
    EN = "en"

    @classmethod
    def of(cls, code: str) -> Self:
        """Return the language of a code such as `vi`.

        Raises:
            InvalidRequestError: there are no prompts in that language.
        """
        try:
            return cls(code)
        except ValueError:
            known = ", ".join(f"'{language}'" for language in cls)
            raise InvalidRequestError(f"no prompts in language {code!r}; choose one of {known}") from None


@dataclass(frozen=True, slots=True)
class Wording:
    """The texts of one use case in one language."""

    to_json: str
    """The system message that asks for one JSON object."""
    to_text: str | None
    """The system message that asks for plain text; None where a use case has no such form."""
    repair: str
    """What precedes the mistakes of an answer that must be written again."""


@cache
def wording_of(use_case: str, language: Language) -> Wording:
    """Return the texts of a use case; each file is read once."""
    rules, *rest = _SECTION.split(_read(use_case, language))
    forms = dict(zip(rest[::2], rest[1::2], strict=True))
    texts = {form: f"{rules.strip()}\n\n{text.strip()}" for form, text in forms.items()}
    return Wording(texts["json"], texts.get("text"), _read("repair", language).strip())


def _read(name: str, language: Language) -> str:
    return files("chains").joinpath("prompts", f"{name}.{language}.md").read_text(encoding="utf-8")
