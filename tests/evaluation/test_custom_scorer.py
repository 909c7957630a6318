"""A scorer of somebody else's ends no evaluation: neither by raising nor by hanging."""

import threading

import pytest

from orchestrator.evaluation.case import Answer
from orchestrator.evaluation.custom_scorer import CustomScorer
from tests.evaluation.conftest import row

ANSWER = Answer(text="Vâng ạ.")


def test_it_sees_the_answer_and_the_row():
    scorer = CustomScorer("s", lambda text, fields: text.endswith("ạ.") and fields["expected"] == "delivery")
    assert scorer.score(row(), ANSWER).value == 1


@pytest.mark.parametrize(
    "error", [ValueError("secret words of the answer"), SystemExit(3), KeyboardInterrupt()]
)
def test_what_it_raises_is_named_and_no_value(error):
    def raising(*_):
        raise error

    score = CustomScorer("s", raising).score(row(), ANSWER)
    assert score.value is None
    assert type(error).__name__ in score.reason
    assert "secret" not in score.reason


@pytest.mark.parametrize("value", ["good", None, 1.5, -1, float("nan")])
def test_what_is_no_number_from_0_to_1_is_no_value(value):
    assert CustomScorer("s", lambda *_: value).score(row(), ANSWER).value is None


def test_one_that_hangs_is_left_and_not_asked_again():
    release, calls = threading.Event(), []

    def hanging(*_):
        calls.append(1)
        release.wait()

    scorer = CustomScorer("s", hanging, limit_s=0.05)
    try:
        assert "it hung" in scorer.score(row("a"), ANSWER).reason
        assert "it hung at row 'a'" in scorer.score(row("b"), ANSWER).reason
        assert len(calls) == 1
    finally:
        release.set()


def test_a_module_of_the_working_folder_is_known(tmp_path, monkeypatch):
    (tmp_path / "my_polite_scores.py").write_text(
        "def polite(text, row):\n    return 0.5\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    assert CustomScorer.of("my_polite_scores:polite").score(row(), ANSWER).value == 0.5
