"""A failed request is an answer of its kind; a spent budget is none."""

import pytest

from orchestrator.core.errors import BudgetExceededError, DeadlineExceededError
from orchestrator.core.money import NanoUsd
from orchestrator.core.run import Run
from orchestrator.evaluation.subjects import answered, subjects_of
from tests.evaluation.conftest import row


def failing(error):
    def ask():
        raise error

    return ask


def test_an_error_of_the_request_is_kept_with_its_reason():
    answer = answered(failing(DeadlineExceededError("the time is over\nsecond line")))
    assert answer.error == "DeadlineExceededError: the time is over; second line"


def test_a_spent_budget_is_no_answer():
    spent = BudgetExceededError(
        scope="run:r", window="run", limit=NanoUsd(1), left=NanoUsd(0), needed=NanoUsd(2), resets_at=None
    )
    with pytest.raises(BudgetExceededError):
        answered(failing(spent))


def test_a_model_is_asked_alone_past_the_cache_and_for_the_run():
    asked = []

    def complete(prompt, **fields):
        asked.append(fields)
        raise DeadlineExceededError("x")

    model, use_case = subjects_of(
        complete, models=["m", "use_case:support", "m"], use_case="support", max_tokens=9
    )
    for subject in (model, use_case):
        subject.ask(row(), run=Run("r"))
    assert asked[0] == {"model": "m", "max_tokens": 9, "use_case": "support", "cache": "off", "graceful": False, "run": Run("r")}  # fmt: skip
    assert "model" not in asked[1]
