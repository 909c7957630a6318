"""Intervals that are honest where little was seen."""

import random

import pytest

from orchestrator.evaluation.intervals import bootstrap, most_often, paired, rows_needed


def test_a_mean_and_its_interval_come_out_the_same_each_time():
    values = [1.0] * 80 + [0.0] * 20
    interval = bootstrap(values)
    assert interval == bootstrap(values)
    assert interval.mean == pytest.approx(0.8)
    assert 0.70 < interval.low < 0.75
    assert 0.85 < interval.high < 0.90


def test_many_values_have_the_same_interval_without_draws():
    values = [1.0, 0.0, 1.0, 1.0] * 600
    few = bootstrap(values[:1_800])
    many = bootstrap(values)
    assert many.high - many.low == pytest.approx((few.high - few.low) * (1_800 / 2_400) ** 0.5, rel=0.1)


def test_the_bound_of_rare_events_is_that_of_clopper_and_pearson():
    """0 of n: 1 - 0.025 ** (1 / n); 1 of 100: 5.45 %, a value from the tables."""
    assert most_often(0, 100) == pytest.approx(1 - 0.025 ** (1 / 100), abs=1e-9)
    assert most_often(1, 100) == pytest.approx(0.0545, abs=5e-5)
    assert most_often(5, 5) == 1


def test_where_nothing_was_lost_little_is_proven_by_few_rows():
    """The bootstrap alone would say that thirty equal rows prove equality."""
    assert paired([1.0] * 30, [1.0] * 30).low < -0.1
    assert paired([1.0] * 400, [1.0] * 400).low >= -0.01


def test_a_worse_candidate_seldom_looks_as_good():
    """Coverage: of calibrations of one that is exactly as bad as the margin at most about 2.5 % pass."""
    chance, passed = random.Random(7), 0  # noqa: S311 -- a trial
    for _ in range(40):
        differences = [-1.0 if chance.random() < 0.02 else 0.0 for _ in range(150)]
        passed += paired(differences, [0.0] * 150).low >= -0.02
    assert passed <= 2


def test_how_many_rows_a_proof_needs():
    equal = [0.0] * 50
    assert 360 < rows_needed(equal, 0.01) < 380
    spread = [1.0, -1.0] * 50
    assert rows_needed(spread, 0.01) == pytest.approx(1.96**2 / 0.01**2, rel=0.01)
    assert rows_needed([-0.2] * 50, 0.01) is None
