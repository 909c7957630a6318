"""What an experiment would do is known before anything is sent."""

import pytest

from orchestrator.core.money import nano_usd
from orchestrator.experiments.experiment import ExperimentState
from orchestrator.whatif.experiment_outlook import outlooks
from orchestrator.whatif.proof_words import missing_words, outlook_words

CANDIDATE = "google/gemini-3.8-flash"


@pytest.fixture
def outlook_of(make_config, clock):
    def outlook(keys=None, **experiment):
        standard = {"use_case": "customer_service", "candidate": CANDIDATE, "share": 0.1, "metric": "cost"}
        changes = {"experiments": {"trial": {**standard, **experiment}}}
        keyed = make_config(changes)
        here = keyed if keys is None else make_config(changes, **keys)
        (only,) = outlooks(here, keyed, clock=clock)
        return only

    return outlook


def test_shadows_cost_no_more_than_their_budget_nor_more_than_the_candidate(outlook_of):
    small = outlook_of(mode="shadow", budget={"day": "0.0001", "month": "5"})
    assert small.most_nusd == nano_usd("0.0001")
    assert [window.value for window in small.budget] == ["day", "month"]
    large = outlook_of(mode="shadow", budget={"day": "100"})
    assert small.most_nusd < large.most_nusd < outlook_of(mode="ab").most_nusd, "ab has fallbacks behind it"


def test_an_experiment_of_other_days_is_told_with_its_state(outlook_of):
    assert outlook_of(mode="ab", start="2030-01-01").state is ExperimentState.SCHEDULED


def test_a_candidate_without_a_key_is_missing_here(outlook_of):
    here = outlook_of(keys={"GEMINI_API_KEY": ""}, mode="ab")
    assert list(here.missing) == [CANDIDATE]
    assert here.candidates == (CANDIDATE,)
    assert "cannot be asked here: it has no key; set GEMINI_API_KEY" in next(missing_words(here))


def test_a_judge_is_told_with_its_money_and_missed_where_it_has_no_key(outlook_of):
    judge = {"deployment": "google/gemini-4-argon", "budget": {"week": "2"}}
    judged = {"mode": "shadow", "budget": {"day": "1"}, "candidate": "openrouter/gpt-6-luna", "judge": judge}
    here = outlook_of(keys={"GEMINI_API_KEY": ""}, **judged)
    assert "google/gemini-4-argon compares, for $2.00 a week" in outlook_words(here)
    assert "google/gemini-4-argon cannot be asked here: it has no key" in next(missing_words(here))
