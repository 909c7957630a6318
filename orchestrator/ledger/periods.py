"""The calendar windows of a moment: its hour, day, ISO week and month in the ledger's time zone.

Windows have no gap and no overlap, whatever the zone does to its clock. A day may have 23 or 25 hours, and an
hour that the clock repeats is two windows: its key says how far the zone is from UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

_HOUR = timedelta(hours=1)
_MICROSECOND = timedelta(microseconds=1)


class Window(StrEnum):
    """The time a limit speaks of, the shortest first."""

    REQUEST = "request"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    """From Monday on, as ISO 8601 counts weeks."""
    MONTH = "month"
    RUN = "run"
    """All calls of one run; its limit is named by whoever begins it."""


CALENDAR = (Window.HOUR, Window.DAY, Window.WEEK, Window.MONTH)
"""The windows that begin and end by the clock."""

_LATEST: "dict[str, tuple[datetime, datetime, Period]]" = {}
"""Of each time zone the period that was asked for last, with the hour in which it holds, in UTC."""


@dataclass(frozen=True, slots=True)
class CalendarWindow:
    """One hour, day, week or month."""

    key: str
    """As the ledger keys it: `2026-11-23T14+07:00`, `2026-11-23`, `2026-W48`, `2026-11`."""
    begins_at: datetime
    ends_at: datetime
    key_before: str
    """Of the window before it."""


@dataclass(frozen=True)
class Period:
    """The calendar windows that a moment falls into."""

    windows: Mapping[Window, CalendarWindow]
    time_zone: str
    """Whose windows they are."""

    def key(self, window: Window) -> str:
        """Return the key of a window."""
        return self.windows[window].key

    def begins_at(self, window: Window) -> datetime:
        """Return when a window began."""
        return self.windows[window].begins_at

    def ends_at(self, window: Window) -> datetime:
        """Return when a window ends."""
        return self.windows[window].ends_at

    def key_before(self, window: Window) -> str:
        """Return the key of the window before this one."""
        return self.windows[window].key_before

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Return the keys of all windows, the shortest first."""
        return tuple(self.windows[window].key for window in CALENDAR)

    @property
    def keys_before(self) -> tuple[str, ...]:
        """Return the keys of the windows before these, the shortest first."""
        return tuple(self.windows[window].key_before for window in CALENDAR)

    @property
    def hour(self) -> str:
        """Return the hour, `2026-11-23T14+07:00`."""
        return self.windows[Window.HOUR].key

    @property
    def day(self) -> str:
        """Return the day, `2026-11-23`."""
        return self.windows[Window.DAY].key

    @property
    def week(self) -> str:
        """Return the week, `2026-W48`."""
        return self.windows[Window.WEEK].key

    @property
    def month(self) -> str:
        """Return the month, `2026-11`."""
        return self.windows[Window.MONTH].key


def period_of(moment: datetime, time_zone: str) -> Period:
    """Return the calendar windows of a moment, as the clocks of the zone say."""
    known = _LATEST.get(time_zone)
    if known is not None and known[0] <= moment < known[1]:
        return known[2]
    local = moment.astimezone(ZoneInfo(time_zone))
    offset = local.utcoffset() or timedelta()
    first = local.replace(minute=0, second=0, microsecond=0, tzinfo=None) - offset
    period = _period_of_hour(first.replace(tzinfo=UTC), offset, time_zone)
    hour = period.windows[Window.HOUR]
    _LATEST[time_zone] = hour.begins_at.astimezone(UTC), hour.ends_at.astimezone(UTC), period
    return period


def held_period(period: Period, *, hour: str, day: str, month: str) -> Period:
    """Return a period under the keys that a row was booked with; only its keys are meant."""
    keys = zip(CALENDAR, (hour, day, week_of(day), month), strict=True)
    return replace(period, windows={window: replace(period.windows[window], key=key) for window, key in keys})


def week_of(day: str) -> str:
    """Return the ISO week of a day: `2026-W48` of `2026-11-23`."""
    year, week, _ = date.fromisoformat(day).isocalendar()
    return f"{year:04}-W{week:02}"


def booked_in(hour: str, day: str, month: str) -> tuple[str, ...]:
    """Return the keys of all windows of a row; rows from before hours were counted have none."""
    return (*((hour,) if hour else ()), day, week_of(day), month)


@lru_cache(maxsize=16)
def _period_of_hour(first: datetime, offset: timedelta, time_zone: str) -> Period:
    # Remembered: every booking asks, and nearly all of them ask for the same hour.
    zone = ZoneInfo(time_zone)
    day = (first + offset).date()
    windows = {
        Window.HOUR: _hour(first, offset, zone),
        Window.DAY: _day(day, zone),
        Window.WEEK: _week(day, zone),
        Window.MONTH: _month(day, zone),
    }
    return Period(windows, time_zone)


def _hour(first: datetime, offset: timedelta, zone: ZoneInfo) -> CalendarWindow:
    """Return the hour that begins at `first` by a clock that is `offset` from UTC.

    Where the zone changes its clock within the hour, the change begins or ends it.
    """
    last = first + _HOUR - _MICROSECOND
    begins, ends = first, first + _HOUR
    if _offset(first, zone) != offset:
        begins = _change(first, last, zone)
    elif _offset(last, zone) != offset:
        ends = _change(first, last, zone)
    return CalendarWindow(
        _hour_key(begins, zone), begins.astimezone(zone), ends.astimezone(zone),
        _hour_key(begins - _MICROSECOND, zone),
    )  # fmt: skip


def _hour_key(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat(timespec="hours")


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()


def _change(first: datetime, last: datetime, zone: ZoneInfo) -> datetime:
    """Return the first moment of another offset between two moments that differ in it."""
    offset = _offset(first, zone)
    while last - first > _MICROSECOND:
        middle = first + (last - first) // 2
        first, last = (middle, last) if _offset(middle, zone) == offset else (first, middle)
    return last


def _day(day: date, zone: ZoneInfo) -> CalendarWindow:
    begins, ends = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    # A zone that crossed the date line has left a day out.
    before = (begins.astimezone(UTC) - _MICROSECOND).astimezone(zone).date()
    return CalendarWindow(f"{day}", begins, ends, f"{before}")


def _week(day: date, zone: ZoneInfo) -> CalendarWindow:
    monday = day - timedelta(days=day.weekday())
    following, before = monday + timedelta(days=7), monday - timedelta(days=7)
    return CalendarWindow(
        week_of(f"{monday}"), _midnight(monday, zone), _midnight(following, zone), week_of(f"{before}")
    )


def _month(day: date, zone: ZoneInfo) -> CalendarWindow:
    first = day.replace(day=1)
    following, before = (first + timedelta(days=32)).replace(day=1), first - timedelta(days=1)
    return CalendarWindow(
        f"{first:%Y-%m}", _midnight(first, zone), _midnight(following, zone), f"{before:%Y-%m}"
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone)
