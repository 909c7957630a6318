"""Intervals that hold at every moment of an experiment, so that looking often is no error.

An interval of the usual kind holds at one size of the sample that was fixed before. Who looks at it every day
and stops when it excludes nought is wrong far more often than it says. These are asymptotic confidence
sequences: with probability 1 - alpha the truth lies in all of them at once, from the first look on. So an
experiment may be looked at and stopped at any moment.

    Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas: Time-uniform central limit theory and asymptotic confidence
    sequences. Annals of Statistics 52 (2024), arXiv:2103.06476. `radius` is the two-sided boundary of their
    Gaussian mixture; the difference of two sides is their estimator for randomised experiments, with the
    share as it came out.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

ALPHA = 0.05
"""How often at most an interval may ever exclude the truth, however often it is looked at."""
UNITS_MIN = 100
"""Of each side, before anything is said: an asymptotic interval of fewer promises too much."""
_UNITS_MAX = 10_000_000
_TUNED_FOR = 1_000
"""Units for which the intervals are closest; they hold for any number."""


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """A value with the range in which the truth lies."""

    value: float
    low: float
    high: float

    def scaled(self, factor: float) -> "ConfidenceInterval":
        """Return it in another unit; with a factor below 0 its ends change places."""
        ends = sorted((self.low * factor, self.high * factor))
        return ConfidenceInterval(self.value * factor, *ends)


@dataclass(frozen=True, slots=True)
class Sample:
    """What is known of the values of one side."""

    count: int
    mean: float
    deviation: float
    """The standard deviation of its values."""

    @classmethod
    def of(cls, values: Iterable[float], *, bounds: tuple[float, float] | None = None) -> Self:
        """Return what values come to; none at all have the mean 0.

        Within `bounds` the deviation is that of the values and one more at each bound: where all were alike
        so far, the next need not be.
        """
        known = tuple(values)
        count = len(known)
        mean = math.fsum(known) / count if count else 0.0
        spread = known if bounds is None else (*known, *bounds)
        if not spread:
            return cls(0, 0.0, 0.0)
        middle = math.fsum(spread) / len(spread)
        deviation = math.sqrt(math.fsum((value - middle) ** 2 for value in spread) / len(spread))
        return cls(count, mean, deviation)


def radius(count: int, *, alpha: float = ALPHA, tuned_for: int = _TUNED_FOR) -> float:
    """Return how far from the mean of `count` values the truth may lie, in standard deviations."""
    log_alpha = -2 * math.log(alpha)
    rho2 = (log_alpha + math.log(log_alpha + 1)) / tuned_for
    grown = count * rho2 + 1
    return math.sqrt(2 * grown / (count * count * rho2) * math.log(math.sqrt(grown) / alpha))


def units_until(interval: ConfidenceInterval, count: int, *, distance: float) -> int | None:
    """Return how many units more until an interval reaches less far than `distance`, all else as it is.

    `count` units made it. None where so many are needed that nobody waits, as where the distance is 0.
    """
    deviation = (interval.high - interval.value) / radius(count)
    if deviation * radius(_UNITS_MAX) >= distance:
        return None
    few, enough = count, _UNITS_MAX
    while few < enough:
        middle = (few + enough) // 2
        few, enough = (few, middle) if deviation * radius(middle) < distance else (middle + 1, enough)
    return enough - count


def of_mean(sample: Sample) -> ConfidenceInterval | None:
    """Return the mean of a sample with its interval, None of too few values."""
    if sample.count < UNITS_MIN:
        return None
    reach = sample.deviation * radius(sample.count)
    return ConfidenceInterval(sample.mean, sample.mean - reach, sample.mean + reach)


def of_difference(live: Sample, candidate: Sample) -> ConfidenceInterval | None:
    """Return the candidate's mean less the live one's, with its interval; None of too few values."""
    if min(live.count, candidate.count) < UNITS_MIN:
        return None
    count = live.count + candidate.count
    # The deviation of one unit's part in the estimate: each side weighs by how seldom it is drawn.
    variance = count * (live.deviation**2 / live.count + candidate.deviation**2 / candidate.count)
    difference = candidate.mean - live.mean
    reach = math.sqrt(variance) * radius(count)
    return ConfidenceInterval(difference, difference - reach, difference + reach)
