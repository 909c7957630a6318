"""What today and this month will have cost, with an interval learned from how far such forecasts were off.

A day costs what the days of the last four weeks cost on average, times what its weekday is worth among them.
How far that was off is taken from the same days, each forecast without itself: the interval of a day is
their 5 % and 95 % quantiles, that of a month draws such errors for each day that is left. How often the
truth lay inside is what `benchmarks/reports.py` prints.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from orchestrator.core.money import NanoUsd
from orchestrator.reports.resampling import DRAWS, Interval
from orchestrator.reports.span import Span

HISTORY_DAYS = 28
_DAYS_MIN = 8
"""More than a week: with less, no weekday has another to be compared with."""


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


def _sums(
    days: Sequence[date], known: Mapping[date, int], errors: Sequence[float]
) -> tuple[float, list[float]]:
    """Return what days are expected to cost together, and draws of what they may."""
    expected = [_expected(known, day) for day in days]
    chance = random.Random(len(days))  # noqa: S311 -- draws of errors, no secret
    # Errors of so few days are a little too small for a day that is not among them.
    wider = (1 + 2 / len(known)) ** 0.5
    draws = sorted(
        sum(max(0.0, cost + wider * chance.choice(errors)) for cost in expected) for _ in range(DRAWS)
    )
    return sum(expected), draws


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
