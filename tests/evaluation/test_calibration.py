"""A policy is proposed where it is proven as good; else the reference stays, with the reason."""

import random

import pytest

from orchestrator.evaluation.calibration import choose_policy, least_rows
from orchestrator.evaluation.candidates import candidates_of
from orchestrator.evaluation.comparing import compare_of
from orchestrator.evaluation.outcomes import outcomes_of
from tests.evaluation.conftest import scored

LABELS = ("delivery", "refund", "other", "invoice")
VENDORS = {"cheap": "v1", "second": "v2", "best": "v3"}


def outcomes(rows, *, right, cost=None):
    """Models that are right with a chance of their own; errors of two are seldom the same."""
    chance = random.Random(rows)  # noqa: S311 -- a trial
    cost = cost or {"cheap": 1, "second": 2, "best": 40}
    results = []
    for number in range(rows):
        expected = LABELS[number % 4]
        for model, share in right.items():
            said = (
                expected
                if chance.random() < share
                else chance.choice([each for each in LABELS if each != expected])
            )
            results.append(
                scored(
                    f"r{number}",
                    model,
                    float(said == expected),
                    text=said,
                    cost_nusd=cost[model],
                    expected=expected,
                )
            )
    return outcomes_of(results, reference="best")


def done(measured, **options):
    policies = candidates_of(
        measured, reference="best", vendors=VENDORS, compare=compare_of(None, LABELS), checks=(), version="1"
    )
    return choose_policy(measured, policies, reference="best", **options)


def test_agreement_is_proposed_where_it_is_proven_and_cheaper():
    calibration = done(outcomes(1_500, right={"cheap": 0.9, "second": 0.88, "best": 0.93}))
    assert calibration.proposed.replayed.policy.agreement is not None
    assert calibration.proposed.difference.low >= -0.01
    assert calibration.proposed.share < 0.5
    assert calibration.chosen_on + calibration.confirmed_on == 1_500
    assert 400 < calibration.chosen_on < 600
    assert any("came out worse than the reference" in note for note in calibration.unsure)


def test_five_rows_keep_the_reference_and_say_how_many_are_missing():
    calibration = done(outcomes(5, right={"cheap": 1.0, "second": 1.0, "best": 1.0}))
    assert calibration.proposed is None
    assert calibration.missing_rows > 60
    assert "5 rows are too few" in calibration.reason


def test_equal_answers_of_few_rows_prove_nothing_yet():
    calibration = done(outcomes(150, right={"cheap": 1.0, "second": 1.0, "best": 1.0}))
    assert calibration.proposed is None
    assert 300 < calibration.missing_rows < 500
    enough = done(
        outcomes(150 + calibration.missing_rows + 40, right={"cheap": 1.0, "second": 1.0, "best": 1.0})
    )
    assert enough.proposed.replayed.name == "constant: cheap"


@pytest.mark.parametrize(("margin", "rows"), [(0.01, 554), (0.02, 278), (0.03, 185), (0.05, 111), (0.1, 72)])
def test_how_many_rows_a_margin_takes_is_known_before_anybody_is_asked(margin, rows):
    """With that many equal answers it is proven, give or take where the hash cuts, and with a fifth fewer not."""
    assert least_rows(margin) == rows
    equal = {"cheap": 1.0, "second": 1.0, "best": 1.0}
    assert done(outcomes(round(rows * 1.1), right=equal), margin=margin).proposed is not None
    too_few = done(outcomes(round(rows * 0.75), right=equal), margin=margin)
    assert too_few.proposed is None
    assert too_few.missing_rows <= rows / 2
    assert done(outcomes(5, right=equal), margin=margin).missing_rows == rows - 5


def test_worse_models_keep_the_reference():
    calibration = done(outcomes(600, right={"cheap": 0.5, "second": 0.4, "best": 0.95}))
    assert calibration.proposed is None or calibration.proposed.difference.low >= -0.01
    assert "constant" not in (calibration.proposed.replayed.name if calibration.proposed else "")


def test_choosing_among_many_does_not_make_a_worse_model_pass():
    """Ten models that are two points worse, and the best of ten looks as good by chance."""
    passed = 0
    for seed in range(10):
        chance = random.Random(seed)  # noqa: S311 -- a trial
        rights = {f"m{place}": 0.90 for place in range(10)} | {"best": 0.92}
        results = [
            scored(
                f"r{number}", model, float(chance.random() < share), cost_nusd=40 if model == "best" else 1
            )
            for number in range(200)
            for model, share in rights.items()
        ]
        measured = outcomes_of(results, reference="best")
        policies = candidates_of(measured, reference="best", vendors={}, compare=None, checks=(), version="1")
        passed += choose_policy(measured, policies, reference="best").proposed is not None
    assert passed <= 1


def test_a_label_that_no_model_ever_gives_is_named():
    results = [
        scored(
            f"r{number}", model, float(number % 5 != 0), expected="khiếu nại" if number % 5 == 0 else "other"
        )
        for number in range(100)
        for model in ("cheap", "second", "best")
    ]
    notes = done(outcomes_of(results, reference="best")).unsure
    assert any("'khiếu nại'" in note and "is it in the prompt" in note for note in notes)


@pytest.mark.parametrize("margin", [0.01, 0.1])
def test_a_wider_margin_needs_fewer_rows(margin):
    calibration = done(outcomes(150, right={"cheap": 1.0, "second": 1.0, "best": 1.0}), margin=margin)
    assert (calibration.proposed is not None) is (margin == 0.1)
