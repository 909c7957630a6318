"""How sure a mean is: the paired bootstrap, and a floor for it where losses are rare; pure functions.

The percentile bootstrap (B. Efron, 1979) sees no more than what happened: where no row was worse it says
that none ever will be. Up to nine losses the lower end is therefore also bounded by the exact interval
of Clopper and Pearson (1934) for how often they come.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

_DRAWS = 1_000
_TAIL = 0.025
"""On either side of a 95 % interval."""
_MANY = 2_000
"""From so many values on the normal interval is the same, and comes at once."""
_RARE = 10
"""From so many losses on the bootstrap speaks alone."""


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """A mean, and where it lies with 95 % confidence."""

    mean: float
    low: float
    high: float


def bootstrap(values: Sequence[float]) -> MeanInterval:
    """Return the 95 % percentile interval of a mean; the same values give the same interval.

    Raises:
        ValueError: there are no values.
    """
    size = len(values)
    mean = math.fsum(values) / size
    if min(values) == max(values):
        return MeanInterval(mean, mean, mean)
    if size >= _MANY:
        spread = 1.96 * math.sqrt(math.fsum((value - mean) ** 2 for value in values)) / size
        return MeanInterval(mean, mean - spread, mean + spread)
    chance = random.Random(size)  # noqa: S311 -- draws of rows, no secret
    means = sorted(sum(chance.choices(values, k=size)) / size for _ in range(_DRAWS))
    return MeanInterval(mean, means[int(_DRAWS * _TAIL)], means[-int(_DRAWS * _TAIL) - 1])


def paired(candidate: Sequence[float], reference: Sequence[float]) -> MeanInterval:
    """Return the 95 % interval of a mean difference, row by row, of scores from 0 to 1."""
    differences = [ours - theirs for ours, theirs in zip(candidate, reference, strict=True)]
    interval = bootstrap(differences)
    losses = [-difference for difference in differences if difference < 0]
    if len(losses) >= _RARE:
        return interval
    gains = math.fsum(difference for difference in differences if difference > 0) / len(differences)
    floor = gains - max(losses, default=1.0) * most_often(len(losses), len(differences))
    return MeanInterval(interval.mean, max(-1.0, min(interval.low, floor)), interval.high)


def most_often(events: int, size: int) -> float:
    """Return the highest rate at which so few events among `size` are still likely (2.5 %)."""
    if events >= size:
        return 1.0
    low, high = events / size, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        if _at_most(events, size, rate) > _TAIL:
            low = rate
        else:
            high = rate
    return high


def _at_most(events: int, size: int, rate: float) -> float:
    if rate >= 1:
        return 0.0
    return math.fsum(
        math.comb(size, count) * rate**count * (1 - rate) ** (size - count) for count in range(events + 1)
    )


def rows_needed(differences: Sequence[float], margin: float) -> int | None:
    """Return about how many such rows would prove "not worse by the margin"; None where none would.

    Both the spread and how rare losses are ask for rows; the estimate is as rough as the rows are few.
    """
    size = len(differences)
    mean = math.fsum(differences) / size
    room = margin + min(mean, 0.0)
    if room <= 0:
        return None
    variance = math.fsum((difference - mean) ** 2 for difference in differences) / size
    by_spread = 1.96**2 * variance / room**2
    return max(math.ceil(by_spread), rows_without_a_loss(margin))


def rows_without_a_loss(margin: float) -> int:
    """Return how many rows without a loss prove that losses are rarer than a margin: about 3.69 / margin."""
    # The bound for no loss in n rows is 1 - 0.025 ** (1 / n).
    return math.ceil(-math.log(_TAIL) / margin)
