"""What today and this month will have cost, with an interval learned from how far such forecasts were off.

A day costs what the days of the last four weeks cost on average, times what its weekday is worth among them,
times what those days grew by. How far that was off is taken from the same days, each forecast without itself.
The interval draws such an error for each day that is left, and for all of them together one of the average
and one of the growth: without these a month, whose days share them, would seem surer than it is. How often
the truth lay inside is what `benchmarks/reports.py` prints.
"""

import random
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Self

from orchestrator.core.money import NanoUsd
from orchestrator.reports.resampling import DRAWS, Interval
from orchestrator.reports.span import Span

HISTORY_DAYS = 28
_DAYS_MIN = 8
"""More than a week: with less, no weekday has another to be compared with."""
_DRIFT_USUAL = 0.004
"""Standard deviation of what days grow by: an eighth in a month is usual, twice that is seldom."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a day or a month will have cost when it is over."""

    label: str
    spent_nusd: NanoUsd
    """So far."""
    expected_nusd: NanoUsd
    interval: Interval
    history_days: int


def forecasts(costs: Mapping[date, int], today: date) -> tuple[Forecast, ...]:
    """Return the forecasts of today and of its month from what whole days cost; none with too few of them."""
    history = [today - timedelta(days=back) for back in range(HISTORY_DAYS, 0, -1)]
    begun = min((day for day, cost in costs.items() if cost and day < today), default=today)
    known = {day: costs.get(day, 0) for day in history if day >= begun}
    if len(known) < _DAYS_MIN:
        return ()
    errors = [cost - _expected(known, day, without=day) for day, cost in known.items()]
    month = Span.of_month(f"{today:%Y-%m}")
    before = sum(costs.get(day, 0) for day in month.days() if day < today)
    coming = [day for day in month.days() if day >= today]
    spent_today = costs.get(today, 0)
    return (
        _forecast(f"{today}", 0, spent_today, _sums([today], known, errors), len(known)),
        _forecast(f"{today:%Y-%m}", before, spent_today, _sums(coming, known, errors), len(known)),
    )


def _expected(known: Mapping[date, int], day: date, *, without: date | None = None) -> float:
    others = [(other, cost) for other, cost in known.items() if other != without]
    mean = sum(cost for _, cost in others) / len(others)
    alike = [cost for other, cost in others if other.weekday() == day.weekday()]
    # A weekday seen seldom is drawn to the mean: two such days count as one more of it.
    return (sum(alike) + 2 * mean) / (len(alike) + 2)


@dataclass(frozen=True, slots=True)
class _Drift:
    """By which part of itself an average day grows from one day to the next, and how sure that is.

    What the days say is drawn towards no growth, which is likely before they are seen: by as much as they
    leave it open (the posterior of a normal prior).
    """

    centre: date
    """The middle of the days that were seen, where their average holds."""
    level_error: float
    """Standard error of that average, as a part of it; all days to come share it."""
    a_day: float
    a_day_error: float

    @classmethod
    def of(cls, known: Mapping[date, int], errors: Sequence[float]) -> Self:
        """Learn from days and from how far each was off what the others let expect."""
        days, mean = sorted(known), sum(known.values()) / len(known)
        centre = days[len(days) // 2]
        apart = [(day - centre).days for day in known]
        spread_days = sum(distance**2 for distance in apart) ** 0.5
        error = _noise(known) / mean if mean else 0.0
        slope = (
            sum(d * e for d, e in zip(apart, errors, strict=True)) / spread_days**2 / mean if mean else 0.0
        )
        doubt = error / spread_days
        trust = _DRIFT_USUAL**2 / (_DRIFT_USUAL**2 + doubt**2)
        return cls(centre, error / len(known) ** 0.5, trust * slope, trust**0.5 * doubt)

    def drawn(self, chance: random.Random) -> Self:
        """Return a level and a growth as they may be."""
        level, growth = chance.gauss(0.0, self.level_error), chance.gauss(self.a_day, self.a_day_error)
        return replace(self, level_error=level, a_day=growth)

    def grown(self, day: date) -> float:
        """Return what the growth makes of an average day by then, 1 without any."""
        return max(0.0, 1 + self.a_day * (day - self.centre).days)


def _noise(known: Mapping[date, int]) -> float:
    """Return the standard deviation of a day from others of its weekday."""
    weekdays: defaultdict[int, list[int]] = defaultdict(list)
    for day, cost in known.items():
        weekdays[day.weekday()].append(cost)
    squares = sum(statistics.pvariance(costs) * len(costs) for costs in weekdays.values())
    return float((squares / (len(known) - len(weekdays))) ** 0.5)


def _sums(
    days: Sequence[date], known: Mapping[date, int], errors: Sequence[float]
) -> tuple[float, list[float]]:
    """Return what days are expected to cost together, and draws of what they may."""
    expected, drift = {day: _expected(known, day) for day in days}, _Drift.of(known, errors)
    chance = random.Random(len(days))  # noqa: S311 -- draws of errors, no secret
    # Errors of so few days are a little too small for a day that is not among them.
    wider = (1 + 2 / len(known)) ** 0.5
    draws = []
    for _ in range(DRAWS):
        drawn = drift.drawn(chance)
        draws.append(
            sum(
                max(0.0, cost * (drawn.grown(day) + drawn.level_error) + wider * chance.choice(errors))
                for day, cost in expected.items()
            )
        )
    return sum(cost * drift.grown(day) for day, cost in expected.items()), sorted(draws)


def _forecast(
    label: str, before: int, today: int, coming: tuple[float, list[float]], history: int
) -> Forecast:
    expected, draws = coming
    # What is spent already is the least that it can come to.
    least = before + today
    low, high = draws[DRAWS // 20], draws[-DRAWS // 20 - 1]
    return Forecast(
        label,
        NanoUsd(least),
        NanoUsd(max(least, before + round(expected))),
        Interval(max(least, before + round(low)), max(least, before + round(high))),
        history,
    )
