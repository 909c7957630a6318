"""What an evaluation says of each subject, and why it has not passed."""

from orchestrator.evaluation.case import Answer, Score, ScoredRow
from orchestrator.evaluation.summary import plain_evaluation, standings, why_not_passed
from tests.evaluation.conftest import row, scored

RESULTS = [
    scored("a", "x", 1.0, cost_nusd=3), scored("a", "y", 0.0, cost_nusd=1),
    scored("b", "x", 1.0, cost_nusd=3), scored("b", "y", 1.0, cost_nusd=1),
]  # fmt: skip


def test_subjects_stand_side_by_side():
    x, y = standings(RESULTS)
    assert (x.subject, x.quality.mean, x.cost_nusd, x.beside_first) == ("x", 1.0, 6, None)
    assert (y.quality.mean, y.beside_first.mean, y.cost_nusd) == (0.5, -0.5, 2)


def test_a_row_without_a_score_fails_the_evaluation_and_no_mean_hides_it():
    hung = ScoredRow(row("c"), "x", Answer(text="?"), {"label": Score(None, "it hung")})
    places = standings([*RESULTS, hung, scored("c", "y", 1.0)])
    (reason,) = why_not_passed(places, min_score=None, stopped="")
    assert reason.startswith("x: 1 of 3 rows have no score, first line ")
    assert "(row 'c'), label: it hung; what was answered is kept" in reason


def test_the_threshold_is_for_every_subject():
    (reason,) = why_not_passed(standings(RESULTS), min_score=0.8, stopped="")
    assert reason == "y: the mean score is 0.500, and at least 0.8 is asked for"
    assert why_not_passed(standings(RESULTS), min_score=0.5, stopped="") == []


def test_an_answer_beyond_a_bound_counts_as_none():
    scores = {"label": Score(1.0), "latency:1": Score(0.0, "took 2 s")}
    assert ScoredRow(row(), "x", Answer(), scores).value == 0
    assert ScoredRow(row(), "x", Answer(), {**scores, "latency:1": Score(1.0)}).value == 1


def test_programs_read_every_row():
    plain = plain_evaluation(RESULTS, standings(RESULTS), ["y is low"], path="r.jsonl")
    assert plain["ok"] is False
    assert [each["value"] for each in plain["rows"]] == [1.0, 0.0, 1.0, 1.0]
    assert plain["subjects"][1]["beside_first"]["mean"] == -0.5
