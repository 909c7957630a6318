"""Moments as people write them: a day, a day with a time, or how long ago."""

import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from orchestrator.core.errors import InvalidRequestError

_AGO = re.compile(r"(?P<count>\d{1,6})(?P<unit>[mhd])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def moment_of(text: str, *, now: datetime, time_zone: str, is_end: bool = False) -> datetime:
    """Return the moment of `2026-11-28`, `2026-11-28T14:30`, `90m`, `24h` or `7d` (ago).

    What names no zone is of `time_zone`. A day is its midnight, or with `is_end` the midnight after it.

    Raises:
        InvalidRequestError: it is none of these.
    """
    ago = _AGO.fullmatch(text.strip())
    zone = ZoneInfo(time_zone)
    try:
        if ago is not None:
            return now - int(ago["count"]) * _UNITS[ago["unit"]]
        if _DAY.fullmatch(text.strip()):
            day = datetime.fromisoformat(text.strip()).date() + timedelta(days=int(is_end))
            return datetime.combine(day, time.min, zone)
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise InvalidRequestError(
            f"'{text[:40]}' is no moment: write a day (2026-11-28), a time (2026-11-28T14:30), "
            "or how long ago (90m, 24h, 7d)"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
