"""Kinds of fields that answers are made of.

Providers understand different parts of JSON schema: bounds and lengths are refused with HTTP 400
by some (Anthropic, also through OpenRouter) and ignored by others. So the schema that is sent
holds types and enumerations alone, and everything else is checked when the answer is here.
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

_STEP_PERCENT = 5
_LINE_CHARACTERS_MAX = 200
_TEXT_CHARACTERS_MAX = 12_000


def _line(text: str) -> str:
    return _written(text, characters_max=_LINE_CHARACTERS_MAX)


def _text(text: str) -> str:
    return _written(text, characters_max=_TEXT_CHARACTERS_MAX)


def _written(text: str, *, characters_max: int) -> str:
    """Return the text without space around it.

    Raises:
        ValueError: nothing is left, or it runs on; pydantic says where.
    """
    stripped = text.strip()
    if not stripped:
        raise ValueError("must not be empty")
    if len(stripped) > characters_max:
        raise ValueError(f"has {len(stripped):,} characters, {characters_max:,} are allowed")
    return stripped


Line = Annotated[str, AfterValidator(_line)]
"""Text for one line: something, and at most 200 characters."""

Text = Annotated[str, AfterValidator(_text)]
"""Text: something, and at most 12,000 characters; a small model may run on without end."""

Percent = Annotated[
    int,
    Field(ge=0, le=100),
    WithJsonSchema({"type": "integer", "enum": list(range(0, 101, _STEP_PERCENT))}),
]
"""A whole number from 0 to 100; models are asked for steps of 5, which every provider can enforce."""


class ChainInput(BaseModel):
    """What goes into a chain: frozen, and an unknown field is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ChainOutput(BaseModel):
    """What comes out of a chain: frozen, all fields required, nothing beside them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
