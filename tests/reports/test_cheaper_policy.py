"""Another model is named where it was measured, with what it saves; and nowhere else."""

from dataclasses import replace

from orchestrator.core.language import Language
from orchestrator.reports.cheaper_policy import cheaper_policies, unmeasured
from orchestrator.reports.report_words import phrase_in
from orchestrator.reports.usage_sums import CellKey, UsageSums
from tests.support.planted_traffic import DEPLOYMENTS, USE_CASES, measured

BULK, REFERENCE = USE_CASES[2], DEPLOYMENTS[0]
DAYS = [f"2026-11-{day:02}" for day in range(1, 11)]


def english(phrase):
    return phrase_in(phrase, Language.EN)


def _sums():
    """Ten sends a day to the reference, at 1,000 nano-dollars each, and ten to another at 500."""
    sums = UsageSums()
    for day in DAYS:
        for deployment, cost in ((REFERENCE, 10_000), (DEPLOYMENTS[1], 5_000)):
            tally = sums.cells[CellKey(day, BULK, deployment, "m")]
            tally.requests, tally.succeeded, tally.cost_nusd = 10, 10, cost
    return sums


def test_it_saves_of_what_its_reference_cost_alone():
    (change,) = cheaper_policies(_sums(), (measured(BULK, is_waste=True),), DAYS)
    assert (change.month_nusd, change.interval.low, change.interval.high) == (180_000, 180_000, 180_000)
    assert (change.count, change.out_of, change.figure) == (100, 200, 400)
    assert english(change.apply) == f"use_cases:\n  {BULK}:\n    policy: {{file: policies/{BULK}.json}}"
    assert "+0.1 points of 100 (95 % interval -0.5 to +1.0, margin 1) at 40" in english(change.rows)


def test_of_two_that_are_measured_the_one_that_saves_more_is_named():
    good = measured(BULK, is_waste=True)
    better = replace(good, file="policies/better.json", proof=good.proof.model_copy(update={"share": 0.1}))
    (change,) = cheaper_policies(_sums(), (good, better, good), DAYS)
    assert "better.json" in english(change.apply)


def test_a_use_case_that_costs_money_without_a_measurement_is_named_and_not_guessed():
    (item,) = unmeasured(_sums(), ())
    assert item.names == (BULK,)
    assert list(unmeasured(_sums(), (measured(BULK, is_waste=False),))) == []
    assert list(unmeasured(UsageSums(), ())) == []
