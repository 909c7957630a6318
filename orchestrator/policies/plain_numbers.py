"""Numbers as people write them, in Vietnamese and in English, as one plain number with its unit.

`1.234.567,5` is Vietnamese, `1,234,567.5` is English. With one separator before exactly three digits a number
can be either (`1.234`): only a stated language decides, and without one it stays a text and no number.
Units are compared by their words and never converted: 1 kg is another value than 1,000 g.
"""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

from orchestrator.core.language import Language

_CHARS_MAX = 64
"""Longer texts are no numbers, whatever they begin with."""
_NUMBER = re.compile(
    r"(?P<before>[$€£¥₫]|usd|vnd|eur)?\s*(?P<sign>[-+−]?)\s*(?P<before2>[$€£¥₫])?"
    r"(?P<digits>\d+(?:[.,\u00a0\u202f ]\d+)*|[.,]\d+)(?:e(?P<power>[-+]?\d{1,3}))?"
    r"\s*(?P<unit>[^\W\d_][^\W\d_./² ]*(?: (?:[^\W\d_]+|[$€£¥₫]))?|[%$€£¥₫°][^\W\d_]?)?\.?",
    re.IGNORECASE,
)
_DIGITS_OF_THOUSANDS = 3
_MULTIPLES: dict[str, int] = {
    "nghìn": 10**3,
    "ngàn": 10**3,
    "k": 10**3,
    "thousand": 10**3,
    "triệu": 10**6,
    "tr": 10**6,
    "million": 10**6,
    "mn": 10**6,
    "tỷ": 10**9,
    "tỉ": 10**9,
    "billion": 10**9,
    "bn": 10**9,
}
_UNITS: dict[str, str] = {
    "$": "usd",
    "dollar": "usd",
    "dollars": "usd",
    "đô": "usd",
    "€": "eur",
    "euro": "eur",
    "euros": "eur",
    "£": "gbp",
    "¥": "jpy",
    "₫": "vnd",
    "đ": "vnd",
    "đồng": "vnd",
    "percent": "%",
}


@dataclass(frozen=True, slots=True)
class PlainNumber:
    """A number and its unit, in one spelling."""

    value: Decimal
    unit: str = ""
    """In lower case; empty where none is written."""

    def __str__(self) -> str:
        """Return it in the one spelling that equal numbers share."""
        plain = format(self.value.normalize(), "f")
        plain = "0" if plain in {"-0", "0"} else plain
        return f"{plain} {self.unit}".rstrip()


def number_of(text: str, *, language: Language | None = None) -> PlainNumber | None:
    """Return the number that a whole text is, with its unit; None where it is none, or can be two."""
    text = unicodedata.normalize("NFC", text.strip())
    if not text or len(text) > _CHARS_MAX:
        return None
    match = _NUMBER.fullmatch(text)
    return None if match is None else _read(match, language)


def numbers_in(text: str, *, language: Language | None = None) -> list[PlainNumber]:
    """Return the numbers that stand in a text, in their order; those that can be two are left out."""
    matches = (_read(match, language) for match in _STANDING.finditer(text))
    return [number for number in matches if number is not None]


_STANDING = re.compile(
    r"(?<![\w.,])(?P<before>[$€£¥₫])?(?P<sign>[-−]?)(?P<before2>[$€£¥₫])?"
    r"(?P<digits>\d+(?:[.,]\d+)*)(?:e(?P<power>[-+]?\d{1,3}))?"
    r"(?:\s?(?P<unit>%|₫|đồng|đ|vnd|usd|nghìn|ngàn|triệu|tỷ|tỉ|million|billion|thousand)(?!\w))?",
    re.IGNORECASE,
)


def _read(match: re.Match[str], language: Language | None) -> PlainNumber | None:
    value = _value_of(re.sub(r"[\u00a0\u202f ]", " ", match["digits"]), language)
    if value is None:
        return None
    if match["power"]:
        value = value.scaleb(int(match["power"]))
    factor, unit = _unit_of(match["unit"] or "")
    symbol = match["before"] or match["before2"]
    if symbol:
        unit = unit or _unit_of(symbol)[1]
    sign = -1 if match["sign"] in {"-", "−"} else 1
    return PlainNumber(sign * value * factor, unit)


def _unit_of(written: str) -> tuple[int, str]:
    """Return what a unit multiplies by, and its one spelling."""
    factor = 1
    words: list[str] = []
    for word in written.casefold().split():
        if word in _MULTIPLES and not words:
            factor *= _MULTIPLES[word]
        else:
            words.append(_UNITS.get(word, word))
    return factor, " ".join(words)


def _value_of(digits: str, language: Language | None) -> Decimal | None:
    """Return the value of digits with separators; None where they can be read in two ways, or in none."""
    separators = {char for char in digits if not char.isdigit()}
    if not separators:
        # With a zero in front it is a code or a telephone number.
        return None if len(digits) > 1 and digits.startswith("0") else Decimal(digits)
    last = max(separators, key=digits.rfind)
    if len(separators) > 1:
        whole, _, part = digits.rpartition(last)
        return None if last == " " or last in whole else _grouped(whole, part)
    if last == " " or digits.count(last) > 1:
        return _grouped(digits, "")
    return _with_one_separator(digits, last, language)


def _with_one_separator(digits: str, separator: str, language: Language | None) -> Decimal | None:
    whole, _, part = digits.partition(separator)
    may_group = len(part) == _DIGITS_OF_THOUSANDS and len(whole) <= _DIGITS_OF_THOUSANDS
    if may_group and whole and not whole.startswith("0"):
        if language is None:
            return None
        if separator == ("." if language is Language.VI else ","):
            return Decimal(whole + part)
    return Decimal(f"{whole or '0'}.{part}")


def _grouped(whole: str, part: str) -> Decimal | None:
    """Return the value of a whole part in groups of three digits; None where the groups are others."""
    first, *others = re.split(r"[., ]", whole)
    if any(len(group) != _DIGITS_OF_THOUSANDS for group in others) or len(first) > _DIGITS_OF_THOUSANDS:
        return None
    return Decimal(f"{first}{''.join(others)}.{part or '0'}") if first else None
