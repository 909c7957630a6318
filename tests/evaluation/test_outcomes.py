"""Recorded outcomes: read whole or refused line by line, and compared only where all have answered."""

import orjson
import pytest

from orchestrator.evaluation.case import EvaluationError
from orchestrator.evaluation.outcomes import outcomes_of, recorded
from orchestrator.evaluation.scorers import scorer_of
from tests.evaluation.conftest import row, scored

MODELS = {"x": 1, "y": 1}
ROWS = [row("a"), row("b", line=2, prompt="Other?")]


def read(golden, *records):
    path = golden(*(orjson.dumps(record).decode() for record in records), name="outcomes.jsonl")
    return recorded(path, ROWS, scorers=[scorer_of("label")], models=MODELS)


def test_answers_are_scored_and_scores_are_taken(golden):
    first, second = read(
        golden,
        {"id": "a", "model": "x", "answer": "delivery", "cost_usd": 0.001},
        {"id": "b", "model": "x", "score": 0.25, "cost_usd": "0.002"},
    )
    assert (first.value, first.answer.cost_nusd) == (1, 1_000_000)
    assert (second.value, second.answer.cost_nusd) == (0.25, 2_000_000)


def test_every_line_that_is_none_is_named(golden):
    with pytest.raises(EvaluationError) as refused:
        read(
            golden,
            {"id": "a", "model": "x", "answer": "delivery"},
            {"id": "a", "model": "z", "answer": "delivery", "cost_usd": 1},
            {"id": "a", "model": "x", "cost_usd": 1},
            {"id": "a", "model": "x", "score": 3, "cost_usd": 1},
            {"id": "a", "model": "x", "score": 1, "cost_usd": 1},
            {"id": "a", "model": "x", "score": 0, "cost_usd": 1},
        )
    lines = str(refused.value).splitlines()
    for number, words in enumerate(
        ["'cost_usd' is missing", "unknown deployment 'z'", "neither 'score' nor 'answer'", "from 0 to 1"],
        start=1,
    ):
        assert f"outcomes.jsonl:{number}: " in lines[number - 1]
        assert words in lines[number - 1]
    assert "outcomes.jsonl:6: a second outcome of 'x' for row 'a'" in lines[4]


def test_a_model_with_gaps_is_left_out_and_named():
    outcomes = outcomes_of(
        [scored("a", "x", 1.0), scored("b", "x", 1.0), scored("a", "y", 1.0)], reference="x"
    )
    assert list(outcomes.answers) == ["x"]
    assert outcomes.notes == ("y is left out: 1 of 2 outcomes are missing",)


def test_without_the_reference_nothing_is_compared():
    with pytest.raises(EvaluationError, match="no outcome of the reference 'y'"):
        outcomes_of([scored("a", "x", 1.0)], reference="y")


def test_rows_that_the_reference_did_not_answer_are_counted():
    outcomes = outcomes_of(
        [scored("a", "x", 1.0), scored("a", "y", 1.0), scored("b", "y", 1.0)], reference="x"
    )
    assert outcomes.notes == ("left out: 1 row of which the reference x has no outcome",)
