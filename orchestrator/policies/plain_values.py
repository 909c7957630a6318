"""Plain data in one spelling: two values that mean the same are the same text."""

import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

import orjson

from orchestrator.core.language import Language
from orchestrator.policies.plain_dates import date_of
from orchestrator.policies.plain_numbers import PlainNumber, number_of

_DEPTH_MAX = 32


class FieldRule(StrEnum):
    """How the values of one field are compared."""

    AUTO = "auto"
    """Numbers as numbers, dates as dates, other texts without regard to case and spaces."""
    EXACT = "exact"
    """Letter by letter: identifiers, codes."""
    TEXT = "text"
    """Without regard to case and spaces; digits are letters too."""
    NUMBER = "number"
    """As a number; what is none has no value."""
    DATE = "date"
    """As a date; what is none has no value."""
    SET = "set"
    """A list whose order does not count."""
    IGNORE = "ignore"
    """Not at all: words that nobody votes on."""


class NoValueError(Exception):
    """What was answered has no value that could be compared."""


def form_of_fields(
    fields: Mapping[str, Any],
    rules: Mapping[str, FieldRule],
    *,
    language: Language | None = None,
    prefix: str = "",
    depth: int = 0,
) -> dict[str, Any]:
    """Return the fields in one spelling; `rules` are by path (`customer.name`), others are `auto`.

    Raises:
        NoValueError: a field is not what its rule says, or the data is too deep.
    """
    if depth > _DEPTH_MAX:
        raise NoValueError("too deep")
    formed = {}
    for name, value in fields.items():
        path = f"{prefix}{name}"
        rule = rules.get(path, FieldRule.AUTO)
        if rule is FieldRule.IGNORE:
            continue
        if isinstance(value, Mapping) and rule is FieldRule.AUTO:
            formed[name] = form_of_fields(value, rules, language=language, prefix=f"{path}.", depth=depth + 1)
        else:
            formed[name] = value_form(value, rule, language=language)
    return formed


def value_form(
    value: Any, rule: FieldRule = FieldRule.AUTO, *, language: Language | None = None, depth: int = 0
) -> Any:
    """Return a value in one spelling: texts, booleans, None, and lists and mappings of them.

    Raises:
        NoValueError: it is not what the rule says, or too deep.
    """
    if depth > _DEPTH_MAX:
        raise NoValueError("too deep")
    if isinstance(value, Mapping):
        return {
            str(name): value_form(item, rule, language=language, depth=depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        inner = FieldRule.AUTO if rule is FieldRule.SET else rule
        items = [value_form(item, inner, language=language, depth=depth + 1) for item in value]
        return sorted(items, key=spelled) if rule is FieldRule.SET else items
    if rule in {FieldRule.NUMBER, FieldRule.DATE}:
        return _strict(value, rule, language)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        return str(_number(value))
    return _text_form(str(value), rule, language)


def spelled(form: Any) -> str:
    """Return a form as text, by which it is compared."""
    return orjson.dumps(form, option=orjson.OPT_SORT_KEYS).decode()


def folded(text: str) -> str:
    """Return a text without regard to case, spaces at its ends and in a row, and ways to write a letter."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _strict(value: Any, rule: FieldRule, language: Language | None) -> str:
    if rule is FieldRule.NUMBER and not isinstance(value, bool):
        number = _number(value) if isinstance(value, int | float | Decimal) else None
        if number is None and isinstance(value, str):
            number = number_of(value, language=language)
        if number is not None:
            return str(number)
    if rule is FieldRule.DATE and isinstance(value, str) and (day := date_of(value, language=language)):
        return day
    raise NoValueError(f"not a {rule.value}")


def _text_form(text: str, rule: FieldRule, language: Language | None) -> str:
    if rule is FieldRule.EXACT:
        return unicodedata.normalize("NFC", text)
    if rule is not FieldRule.TEXT:
        number = number_of(text, language=language)
        if number is not None:
            return str(number)
        day = date_of(text, language=language)
        if day is not None:
            return day
    return folded(text)


def _number(value: float | Decimal) -> PlainNumber:
    try:
        decimal = Decimal(str(value))
    except InvalidOperation:
        raise NoValueError("not a number") from None
    if not decimal.is_finite():
        raise NoValueError("not a finite number")
    return PlainNumber(decimal)
