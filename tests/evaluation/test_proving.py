"""A cheaper model is proven on enough rows, in the order named; what is not proven is said with its numbers."""

from datetime import date

import pytest

from orchestrator.config.measured_policies import measured_policies
from orchestrator.evaluation.case import EvaluationError
from orchestrator.evaluation.policy_file import proven_text, write_policy
from orchestrator.evaluation.proving import cheapest, check_subjects, proven
from tests.evaluation.conftest import scored

SONNET, LUNA, FLASH = "openrouter/claude-sonnet-5.5", "openrouter/gpt-6-luna", "google/gemini-3.8-flash"
COSTS = {SONNET: 100, LUNA: 10, FLASH: 40}


def results(rows, **wrong):
    """Every answer is right, but the first rows of `wrong`, by the last part of a model's name."""
    return [
        scored(str(number), model, float(number >= wrong.get(model[-4:], 0)), cost_nusd=COSTS[model])
        for model in COSTS
        for number in range(rows)
    ]


def test_the_cheapest_that_is_proven_is_kept_and_the_report_finds_it(make_config, tmp_path):
    config = make_config()
    tested = proven(config, results(400), (SONNET, FLASH, LUNA), margin=0.01)
    assert [(each.deployment, each.is_not_inferior) for each in tested] == [(FLASH, True), (LUNA, True)]
    best = cheapest(tested)
    assert (best.deployment, best.reference, best.compared, best.share) == (LUNA, SONNET, 400, 0.1)
    text = proven_text(best, config=config, use_case="cost_sensitive", day=date(2026, 11, 20))
    write_policy(tmp_path / "policies" / "eval.json", text)
    (policy,) = measured_policies(make_config({"use_cases": {"cost_sensitive": {"policy": None}}}))
    assert (policy.use_case, policy.proof.share, policy.proof.confirmed_on) == ("cost_sensitive", 0.1, 400)
    assert policy.proof.is_not_inferior


def test_what_is_named_behind_one_that_fails_is_not_tested(make_config):
    tested = proven(make_config(), results(400, lash=40), (SONNET, FLASH, LUNA), margin=0.01)
    assert [each.deployment for each in tested] == [FLASH]
    assert cheapest(tested) is None
    assert "is not proven to be as good as openrouter/claude-sonnet-5.5 on 400 rows: -13" in tested[0].text


def test_few_rows_prove_nothing_however_good_they_are(make_config):
    (tested,) = proven(make_config(), results(30), (SONNET, LUNA), margin=0.5)
    assert not tested.is_not_inferior
    assert "on 30 rows (at least 40 are needed)" in tested.text


@pytest.mark.parametrize(("models", "words"), [
    ((SONNET,), "name the reference first"), ((SONNET, "nobody"), "nobody"), ((SONNET, "use_case:bulk"), "use_case:bulk"),
])  # fmt: skip
def test_what_can_prove_nothing_is_refused_before_it_is_paid(make_config, models, words):
    with pytest.raises(EvaluationError, match=words):
        check_subjects(make_config(), models)
