"""Quality and cost beside the best single model, with paired bootstrap intervals."""

from dataclasses import dataclass

import numpy as np

from benchmarks.routing.pools import Floats

_ROUNDS = 2000


@dataclass(frozen=True, slots=True)
class Measured:
    """One policy on one kind of work, beside the best single model of it."""

    prompts: int
    points: float
    """Points of quality more, of 100."""
    points_low: float
    points_high: float
    cost: float
    """Of the best single model's, every call paid."""
    cost_low: float
    cost_high: float

    def __str__(self) -> str:
        """Return both with their 95 % intervals."""
        return (
            f"cost {self.cost:.3f} [{self.cost_low:.3f}, {self.cost_high:.3f}]  "
            f"quality {self.points:+.2f} [{self.points_low:+.2f}, {self.points_high:+.2f}]  n={self.prompts:,}"
        )


def measured(outcome: tuple[Floats, Floats], reference: tuple[Floats, Floats]) -> Measured:
    """Return quality and cost of some decisions beside those of the reference, prompt by prompt."""
    (quality, cost), (other_quality, other_cost) = outcome, reference
    chance = np.random.default_rng(0)
    difference = 100 * (quality - other_quality)
    rounds = np.empty((_ROUNDS, 2))
    for at in range(_ROUNDS):
        drawn = chance.integers(0, len(cost), len(cost))
        rounds[at] = difference[drawn].mean(), cost[drawn].sum() / other_cost[drawn].sum()
    (low, cost_low), (high, cost_high) = np.quantile(rounds, [0.025, 0.975], axis=0)
    return Measured(
        len(cost), difference.mean(), low, high, cost.sum() / other_cost.sum(), cost_low, cost_high
    )


def saved_between(spent: Floats, alone: Floats) -> tuple[float, float]:
    """Return the 95 % interval of the share that is saved beside `alone`, drawing both of a prompt together."""
    drawn = np.random.default_rng(0).integers(0, len(spent), (_ROUNDS, len(spent)))
    low, high = np.quantile(1 - spent[drawn].sum(axis=1) / alone[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)
