"""An interval that is looked at again and again excludes the truth as seldom as it says, and finds what is there."""

import math
from itertools import pairwise

import numpy as np
import pytest

from orchestrator.experiments.confidence import (
    ALPHA,
    UNITS_MIN,
    ConfidenceInterval,
    Sample,
    of_difference,
    of_mean,
    radius,
    units_until,
)

LOOK_EVERY = 20


def bernoulli(rng, count, share):
    return (rng.random(count) < share).astype(float)


def ratings(rng, count, _):
    return rng.choice([1.0, 3.0, 4.0, 5.0, 5.0, 5.0], count)


def costs(rng, count, _):
    """Skewed, as costs are."""
    return rng.lognormal(0.0, 0.75, count)


def samples(values, bounds):
    """Return what `Sample.of` says of the first values at each look, from running sums: a test compares them."""
    counts, sums, squares = np.arange(1, len(values) + 1), values.cumsum(), (values**2).cumsum()
    more = np.array(bounds or ())
    sizes = counts + len(more)
    variances = (squares + (more**2).sum()) / sizes - ((sums + more.sum()) / sizes) ** 2
    return counts, sums / counts, np.sqrt(np.maximum(variances, 0.0))


def excluded(rng, draw, *, share, bounds, truth=(0.5, 0.5), units=1500):
    """Return whether the difference of two sides ever excluded 0, at a look after every 20 users."""
    is_candidate = rng.random(units) < share
    seen = [np.cumsum(~is_candidate), np.cumsum(is_candidate)]
    sides = [samples(draw(rng, seen[side][-1], truth[side]), bounds) for side in (0, 1)]
    for look in range(2 * UNITS_MIN - 1, units, LOOK_EVERY):
        places = [seen[side][look] - 1 for side in (0, 1)]
        known = [
            Sample(*(column[place].item() for column in side))
            for side, place in zip(sides, places, strict=True)
        ]
        difference = of_difference(*known)
        if difference is not None and not difference.low <= 0 <= difference.high:
            return True
    return False


@pytest.mark.parametrize(
    ("draw", "truth", "bounds", "share"),
    [
        (bernoulli, 0.5, (0.0, 1.0), 0.5),
        (bernoulli, 0.03, (0.0, 1.0), 0.2),
        (ratings, 0, (1.0, 5.0), 0.2),
        (costs, 0, None, 0.2),
    ],
)
def test_who_looks_after_every_twenty_users_is_wrong_no_more_often_than_alpha(draw, truth, bounds, share):
    rng = np.random.default_rng(20261128)
    trials = 200
    alarms = sum(excluded(rng, draw, share=share, bounds=bounds, truth=(truth, truth)) for _ in range(trials))
    # Two standard errors of a share of 5 % in 200 trials.
    assert alarms / trials <= ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / trials)


def test_an_interval_for_one_look_would_be_wrong_many_times_as_often():
    """The simulation can fail: with the usual 1.96 standard errors the same looks raise many false alarms."""
    rng = np.random.default_rng(20261128)
    alarms = 0
    for _ in range(100):
        values = bernoulli(rng, 1500, 0.5)
        means = values.cumsum() / np.arange(1, 1501)
        errors = 1.96 * np.sqrt(0.25 / np.arange(1, 1501))
        looks = slice(2 * UNITS_MIN - 1, None, LOOK_EVERY)
        alarms += bool((np.abs(means - 0.5) > errors)[looks].any())
    assert alarms > 15


@pytest.mark.parametrize(("live", "candidate"), [(0.9, 0.78), (0.1, 0.25)])
def test_a_true_difference_is_found(live, candidate):
    rng = np.random.default_rng(7)
    found = [
        excluded(rng, bernoulli, share=0.5, bounds=(0.0, 1.0), truth=(live, candidate)) for _ in range(40)
    ]
    assert sum(found) >= 36


def test_pairs_hold_too_and_find_less_than_two_sides_would():
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(150):
        differences = bernoulli(rng, 1000, 0.3) - bernoulli(rng, 1000, 0.3)
        columns = samples(differences, (-1.0, 1.0))
        looks = (
            of_mean(Sample(*(column[place].item() for column in columns)))
            for place in range(UNITS_MIN - 1, 1000, LOOK_EVERY)
        )
        alarms += any(not look.low <= 0 <= look.high for look in looks)
    assert alarms / 150 <= ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / 150)


def test_too_few_say_nothing_and_more_say_it_closer():
    few = Sample.of([1.0] * (UNITS_MIN - 1))
    enough = Sample.of([0.0, 1.0] * UNITS_MIN)
    assert of_mean(few) is None
    assert of_difference(few, enough) is None
    assert all(first > second for first, second in pairwise(radius(count) for count in (100, 1000, 10_000)))
    # Wider than the usual interval of one look, by what looking always costs.
    assert 1.96 / math.sqrt(1000) < radius(1000) < 2 * 1.96 / math.sqrt(1000)


@pytest.mark.parametrize("bounds", [None, (1.0, 5.0)])
def test_a_sample_is_the_mean_and_deviation_of_its_values(bounds):
    values = ratings(np.random.default_rng(1), 30, 0)
    count, mean, deviation = (column[-1] for column in samples(values, bounds))
    known = Sample.of(values.tolist(), bounds=bounds)
    assert (known.count, known.mean, known.deviation) == (
        count,
        pytest.approx(mean),
        pytest.approx(deviation),
    )
    spread = values if bounds is None else np.append(values, bounds)
    assert known.deviation == pytest.approx(spread.std())


def test_alike_values_are_not_certain_within_bounds_and_none_are_nothing():
    assert Sample.of([0.0] * 100, bounds=(0.0, 1.0)).deviation > 0
    assert Sample.of([]) == Sample(0, 0.0, 0.0)


def test_a_factor_below_nought_turns_an_interval_round():
    assert ConfidenceInterval(1.0, -1.0, 2.0).scaled(-2.0) == ConfidenceInterval(-2.0, -4.0, 2.0)


@pytest.mark.parametrize("distance", [0.05, 0.2])
def test_so_many_units_more_make_an_interval_as_narrow_as_is_said(distance):
    before = of_mean(Sample(400, 0.5, 0.5))
    missing = units_until(before, 400, distance=distance)
    narrow, wide = (of_mean(Sample(400 + more, 0.5, 0.5)) for more in (missing, missing - 1))
    assert narrow.high - narrow.value < distance <= (wide.high - wide.value if missing else distance)


def test_nobody_waits_for_a_difference_of_nothing():
    assert units_until(of_mean(Sample(400, 0.5, 0.5)), 400, distance=0.0) is None
    assert units_until(of_mean(Sample(400, 0.5, 0.5)), 400, distance=10.0) == 0
