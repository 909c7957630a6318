"""Dates as people write them, in Vietnamese and in English, as one ISO date.

`03/04/2026` is the third of April in Vietnamese; in English it can be either, so it is no date there.
"""

import re
from datetime import date, datetime

from orchestrator.core.language import Language

_CHARS_MAX = 40
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[-+]\d{2}:?\d{2})?")
_NUMERIC = re.compile(r"(?:ngày\s+)?(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})", re.IGNORECASE)
_VIETNAMESE = re.compile(r"(?:ngày\s+)?(\d{1,2})\s+tháng\s+(\d{1,2})(?:,?\s+năm)?\s+(\d{4})", re.IGNORECASE)
_DAY_FIRST = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?(?:\s+of)?\s+([a-z]{3,9})\.?,?\s+(\d{4})", re.IGNORECASE)
_MONTH_FIRST = re.compile(r"([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})", re.IGNORECASE)
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_LAST_MONTH = 12


def date_of(text: str, *, language: Language | None = None) -> str | None:
    """Return the date or moment that a whole text is, as ISO 8601; None where it is none, or can be two."""
    text = text.strip()
    if not text or len(text) > _CHARS_MAX:
        return None
    if _MOMENT.fullmatch(text):
        return _moment(text)
    if match := _ISO.fullmatch(text):
        return _iso(*match.groups())
    if match := _VIETNAMESE.fullmatch(text):
        day, month, year = match.groups()
        return _iso(year, month, day)
    if match := _NUMERIC.fullmatch(text):
        return _numeric(*match.groups(), language=language)
    return _named_month(text)


def _moment(text: str) -> str | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if (moment.hour, moment.minute, moment.second, moment.microsecond) == (0, 0, 0, 0):
        return moment.date().isoformat()
    return moment.isoformat()


def _numeric(first: str, second: str, year: str, *, language: Language | None) -> str | None:
    if int(first) > _LAST_MONTH or language is Language.VI or first == second:
        return _iso(year, second, first)
    return _iso(year, first, second) if int(second) > _LAST_MONTH else None


def _named_month(text: str) -> str | None:
    if match := _DAY_FIRST.fullmatch(text):
        day, name, year = match.groups()
    elif match := _MONTH_FIRST.fullmatch(text):
        name, day, year = match.groups()
    else:
        return None
    months = [at for at, month in enumerate(_MONTHS, start=1) if month.startswith(name.casefold())]
    return _iso(year, str(months[0]), day) if len(months) == 1 else None


def _iso(year: str, month: str, day: str) -> str | None:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None
