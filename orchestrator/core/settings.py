"""The base of every settings type, and the field types they share.

A settings type lives beside the code that uses it; `config` fills them all in from one file.
They are frozen, and an unknown key is an error. The docstring under a field is what its key means to a
reader of the file (`config.key_descriptions`).
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from pathlib import PurePath
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from orchestrator.core.http_text import (
    fault_of_address,
    fault_of_header,
    fault_of_header_name,
    fault_of_key,
    has_credentials,
)
from orchestrator.core.money import NanoUsd, NanoUsdPerMtok, check_limit, nano_usd, typed_usd
from orchestrator.core.plain_data import kind_in_words
from orchestrator.core.secret_values import SecretText


class Settings(BaseModel):
    """A frozen, strict part of the configuration."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
        # A part is built with the whole that holds it, and not for itself alone.
        defer_build=True,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_is_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        # To Python, and so to pydantic, True is 1.
        if type(value) in _NEVER_BOOLEAN:
            return value
        if not _field_may_hold_boolean(cls, str(info.field_name)) and _holds_boolean(value):
            msg = (
                "true and false (yes, no, on, off) are no value here; write a number, or put a text in quotes"
            )
            raise ValueError(msg)
        return value


_NEVER_BOOLEAN = frozenset({str, int, float, type(None)})
"""What most values are: they are looked at hundreds of times in each load."""


def _holds_boolean(value: Any) -> bool:
    if type(value) in _NEVER_BOOLEAN:
        return False
    if isinstance(value, Mapping):
        return any(_holds_boolean(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_holds_boolean(item) for item in value)
    return isinstance(value, bool)


@cache
def _field_may_hold_boolean(settings: type[BaseModel], name: str) -> bool:
    return _may_hold_boolean(settings.model_fields[name].annotation)


def _may_hold_boolean(kind: Any) -> bool:
    """Return whether a type holds booleans, or parts of the configuration, which look for themselves."""
    if isinstance(kind, type) and not get_args(kind):
        return kind is bool or issubclass(kind, BaseModel)
    return kind is Any or any(_may_hold_boolean(argument) for argument in get_args(kind))


def dollars(value: Any) -> NanoUsd:
    """Return dollars as they are written, a number or a text of plain digits, in nano-dollars.

    Raises:
        ValueError: no such number (a boolean, `0100`, `1_000`, `1e3`, `$5`), one that some read as thousands
            (`1.000`), negative, or more than a billion.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        msg = f"expected dollars as a number such as 0.50, got {kind_in_words(value)}"
        raise ValueError(msg)  # noqa: TRY004 -- pydantic turns only ValueError into a located error
    return typed_usd(value) if isinstance(value, str) else nano_usd(value)


USD_SCHEMA: Mapping[str, Any] = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}

Usd = Annotated[NanoUsd, BeforeValidator(dollars), WithJsonSchema(USD_SCHEMA)]
"""Dollars in the file, nano-dollars in the program."""


def _a_limit(limit: NanoUsd) -> NanoUsd:
    check_limit(limit)
    if limit == 0:
        msg = (
            "a limit of 0 would refuse everything that costs: leave it out for no limit, "
            "or switch a provider or deployment off with 'enabled: false'"
        )
        raise ValueError(msg)
    return limit


UsdLimit = Annotated[Usd, AfterValidator(_a_limit)]
"""The most that may be spent: dollars in the file, more than none."""

UsdPerMtok = Annotated[NanoUsdPerMtok, BeforeValidator(dollars), WithJsonSchema(USD_SCHEMA)]
"""Dollars per million tokens in the file, nano-dollars per million tokens in the program."""


class UnquotedError(ValueError):
    """A value is refused in words that quote nothing of it, so that they may be told of a secret too."""


def _carried(fault_of: Callable[[str], str | None]) -> Callable[[str], str]:
    def check(value: str) -> str:
        # Empty is what `${NAME:-}` becomes when the variable is not set.
        fault = fault_of(value) if value else None
        if fault is not None:
            raise UnquotedError(fault)
        return value

    return check


def _carried_key(key: SecretText) -> SecretText:
    if key.get_secret_value().strip():
        _carried(fault_of_key)(key.get_secret_value())
    return key


def _carried_value(value: SecretText) -> SecretText:
    _carried(fault_of_header)(value.get_secret_value())
    return value


def _fault_of_open_address(address: str) -> str | None:
    fault = fault_of_address(address)
    if fault is None and has_credentials(address):
        return "holds a user or a password, which belong into 'headers' as an 'Authorization'"
    return fault


HeaderName = Annotated[str, AfterValidator(_carried(fault_of_header_name))]
HeaderValue = Annotated[SecretText, AfterValidator(_carried_value)]
"""What a header holds, which may be a key."""
ApiKey = Annotated[SecretText, AfterValidator(_carried_key)]
"""A key that can stand in a header; an empty or blank one is none."""
Address = Annotated[str, AfterValidator(_carried(fault_of_address))]
"""The address of an API; an empty one is none."""
OpenAddress = Annotated[str, AfterValidator(_carried(_fault_of_open_address))]
"""The address of an API, without user or password."""


def _names_a_file(path: str) -> str:
    is_home = path.startswith("~") and len(PurePath(path).parts) == 1
    if is_home or not PurePath(path).name or path.endswith(("/", "\\", "..")):
        msg = "is the path of a folder, or of nothing; write that of a file, such as /var/lib/crm/ledger.sqlite3"
        raise UnquotedError(msg)
    return path


FileText = Annotated[str, AfterValidator(_names_a_file)]
"""The path of a file, which need not be there yet."""

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A duration; the key's name ends in `_s`."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""A part of a whole, 0 to 1."""


def _leads_nowhere(name: str) -> str:
    if any(not part.strip(".") for part in name.split("/")):
        msg = "a name may stand in the path of a file, so between '/' no part is empty, '.' or '..'"
        raise UnquotedError(msg)
    return name


Name = Annotated[
    str,
    Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$"),
    AfterValidator(_leads_nowhere),
]
"""A name that one part of the file gives and another refers to; as a path it stays in its folder."""
