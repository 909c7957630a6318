"""The base of every settings type, and the field types they share.

A settings type lives beside the code that uses it; `config` fills them all in from one file.
They are frozen, and an unknown key is an error.
"""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from orchestrator.core.money import NanoUsd, NanoUsdPerMtok, nano_usd


class Settings(BaseModel):
    """A frozen, strict part of the configuration."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )


def _nano_usd(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        msg = f"expected dollars as a number such as 0.50, got {value!r}"
        raise ValueError(msg)  # noqa: TRY004 -- pydantic turns only ValueError into a located error
    if isinstance(value, str) and value.strip().startswith("$"):
        msg = f"write dollars as a plain number, without the sign: {value.strip().lstrip('$')}"
        raise ValueError(msg)
    return nano_usd(value)


_USD_SCHEMA = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}

Usd = Annotated[NanoUsd, BeforeValidator(_nano_usd), WithJsonSchema(_USD_SCHEMA)]
"""Dollars in the file, nano-dollars in the program."""


def _not_zero(limit: int) -> int:
    if limit == 0:
        msg = (
            "a limit of 0 would refuse everything that costs: leave it out for no limit, "
            "or switch a provider or deployment off with 'enabled: false'"
        )
        raise ValueError(msg)
    return limit


UsdLimit = Annotated[Usd, AfterValidator(_not_zero)]
"""The most that may be spent: dollars in the file, more than none."""

UsdPerMtok = Annotated[NanoUsdPerMtok, BeforeValidator(_nano_usd), WithJsonSchema(_USD_SCHEMA)]
"""Dollars per million tokens in the file, nano-dollars per million tokens in the program."""

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A duration; the key's name ends in `_s`."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""A part of a whole, 0 to 1."""

Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$")]
"""A name that one part of the file gives and another refers to."""
