"""The bootstrap: how far a sum over days might have come out otherwise.

Days are drawn as a whole, for what happens in one day hangs together; after B. Efron, Bootstrap methods:
another look at the jackknife (1979). The draws are the same each time, so a report can be repeated.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

DRAWS = 1_000
_DAYS_MIN = 5
"""With fewer days nothing is said about how they differ."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where 90 of 100 such numbers lie."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class ShareInterval:
    """Where 90 of 100 such shares lie."""

    low: float
    high: float


def interval_of_share(parts: Sequence[int], wholes: Sequence[int]) -> ShareInterval | None:
    """Return the 90 % interval of what days' parts are of their wholes, both drawn together.

    None with fewer than five days, or where days may be drawn that come to nothing.
    """
    days = list(zip(parts, wholes, strict=True))
    if len(days) < _DAYS_MIN or min(wholes) <= 0:
        return None
    chance = random.Random(len(days))  # noqa: S311 -- draws of days, no secret
    draws = (chance.choices(days, k=len(days)) for _ in range(DRAWS))
    shares = sorted(sum(part for part, _ in drawn) / sum(whole for _, whole in drawn) for drawn in draws)
    return ShareInterval(shares[DRAWS // 20], shares[-DRAWS // 20 - 1])


def interval_of_sum(values: Sequence[int], *, scale: float = 1.0) -> Interval | None:
    """Return the 90 % interval of `scale` times the sum of days; None with fewer than five days."""
    if len(values) < _DAYS_MIN:
        return None
    chance = random.Random(len(values))  # noqa: S311 -- draws of days, no secret
    sums = sorted(sum(chance.choices(values, k=len(values))) for _ in range(DRAWS))
    return Interval(round(scale * sums[DRAWS // 20]), round(scale * sums[-DRAWS // 20 - 1]))
