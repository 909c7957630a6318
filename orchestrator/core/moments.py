"""Moments and durations as people write them: the one form that every command and page takes."""

import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from orchestrator.core.errors import InvalidRequestError

_AGO = re.compile(r"(?P<count>\d{1,6})(?P<unit>[mhd])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# What else Python reads, 20261128 or 2026-W48-6, nobody means here.
_TIME = re.compile(rf"{_DAY.pattern}[T ]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d+)?)?(Z|[+-]\d{{2}}:\d{{2}})?", re.ASCII)
_YEARS = range(2000, 9999)
"""Before was no model, and behind the last of them no day."""
FORMS = "2026-11-28, 2026-11-28T14:30, or 90m, 24h, 7d ago"
"""How a moment is written, for people."""


def moment_of(text: str, *, now: datetime, time_zone: str, is_end: bool = False) -> datetime:
    """Return the moment of `2026-11-28`, `2026-11-28T14:30`, `90m`, `24h` or `7d` (ago).

    What names no zone is of `time_zone`. A day is its midnight, or with `is_end` the midnight after it.

    Raises:
        InvalidRequestError: it is none of these.
    """
    try:
        moment = _read(text.strip(), now, ZoneInfo(time_zone), is_end=is_end)
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.year not in _YEARS:
        raise InvalidRequestError(
            f"'{text[:40]}' is no moment: write a day (2026-11-28), a time (2026-11-28T14:30), "
            "or how long ago (90m, 24h, 7d)"
        )
    return moment


def duration_of(text: str) -> timedelta | None:
    """Return how long `90m`, `24h` or `7d` are, None of another text."""
    duration = _AGO.fullmatch(text.strip())
    return None if duration is None else int(duration["count"]) * _UNITS[duration["unit"]]


def _read(text: str, now: datetime, zone: ZoneInfo, *, is_end: bool) -> datetime | None:
    ago = duration_of(text)
    if ago is not None:
        return now - ago
    if _DAY.fullmatch(text):
        day = datetime.fromisoformat(text).date() + timedelta(days=int(is_end))
        return datetime.combine(day, time.min, zone)
    if not _TIME.fullmatch(text):
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
