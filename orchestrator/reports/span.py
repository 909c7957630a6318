"""Which days a report is about: a day, a month, or any range of days, both ends meant."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from orchestrator.core.errors import InvalidRequestError, OrchestratorError
from orchestrator.core.moments import FORMS, moment_of

_DAYS_MAX = 3700
"""Ten years: more is a slip of the keyboard."""


class SpanError(OrchestratorError):
    """The days of a report are none; the message says how to write them."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Span:
    """Days in a row, as the ledger counts days."""

    first: date
    last: date

    def __post_init__(self) -> None:
        """Refuse a range that no report can be about.

        Raises:
            SpanError: it ends before it begins, or is longer than ten years.
        """
        if self.last < self.first:
            raise SpanError(
                f"the range ends before it begins: --since {self.first} --until {self.last}; exchange them"
            )
        if len(self) > _DAYS_MAX:
            raise SpanError(f"the range is {len(self):,} days long; a report is of at most {_DAYS_MAX:,}")

    @classmethod
    def of_month(cls, month: str) -> Self:
        """Return the days of a month.

        Raises:
            SpanError: it is not written as `2026-11`.
        """
        first = _day(f"{month}-01", option="--month", example="YYYY-MM, for example 2026-11", shown=month)
        return cls(first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))

    @classmethod
    def of_day(cls, day: str) -> Self:
        """Return a single day.

        Raises:
            SpanError: it is not written as `2026-11-23`.
        """
        read = _day(day, option="--day", example="YYYY-MM-DD, for example 2026-11-23")
        return cls(read, read)

    @classmethod
    def between(cls, since: str | None, until: str | None, *, now: datetime, time_zone: str) -> Self:
        """Return the days from the one of `since` to that of `until`, today where the end is left out.

        Both are moments as `core.moments` reads them.

        Raises:
            SpanError: one of them is no moment, the beginning is missing, or they are the wrong way round.
        """
        if since is None:
            raise SpanError(f"--until needs --since: write when the range begins: {FORMS}")
        zone = ZoneInfo(time_zone)

        def day(text: str, option: str) -> date:
            try:
                return moment_of(text, now=now, time_zone=time_zone).astimezone(zone).date()
            except InvalidRequestError as error:
                raise SpanError(f"{option}: {error}") from None

        last = now.astimezone(zone).date() if until is None else day(until, "--until")
        return cls(day(since, "--since"), last)

    @property
    def label(self) -> str:
        """Return the month, the day, or both ends."""
        if self.is_month:
            return f"{self.first:%Y-%m}"
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"

    @property
    def is_month(self) -> bool:
        """Return whether it is one whole month."""
        return self.whole_months == (f"{self.first:%Y-%m}",) and self.months == self.whole_months

    @property
    def months(self) -> tuple[str, ...]:
        """Return every month that has a day in it."""
        return tuple(dict.fromkeys(f"{day:%Y-%m}" for day in self.days()))

    @property
    def whole_months(self) -> tuple[str, ...]:
        """Return the months of which every day is in it."""
        return tuple(
            f"{day:%Y-%m}"
            for day in self.days()
            if day.day == 1 and (day + timedelta(days=31)).replace(day=1) - timedelta(days=1) <= self.last
        )

    @property
    def before(self) -> "Span":
        """Return what it is compared with: the month before a month, else as many days before it."""
        last = self.first - timedelta(days=1)
        return Span(last.replace(day=1) if self.is_month else last - timedelta(days=len(self) - 1), last)

    def days(self) -> tuple[date, ...]:
        """Return every day of it."""
        return tuple(self.first + timedelta(days=number) for number in range(len(self)))

    def until(self, last: date) -> "Span":
        """Return the part that ends with a day at the latest; the whole where it begins after it."""
        return Span(self.first, min(self.last, last)) if last >= self.first else self

    def __len__(self) -> int:
        """Return how many days it has."""
        return (self.last - self.first).days + 1


def _day(text: str, *, option: str, example: str, shown: str | None = None) -> date:
    try:
        read = date.fromisoformat(text)
    except ValueError:
        read = date.min
    # fromisoformat reads 20261123 and 2026-W48-1 too, which nobody means here; before 2000 was no model.
    # After 9998 the day behind a month is no date.
    if f"{read:%Y-%m-%d}" != text or not 2000 <= read.year < date.max.year:  # noqa: PLR2004
        raise SpanError(f"{option} '{text if shown is None else shown}': write it as {example}")
    return read
