"""Each scorer says from 0 to 1 how good an answer is; what it cannot tell it does not guess."""

import orjson
import pytest

from orchestrator.core.language import Language
from orchestrator.evaluation.case import Answer, EvaluationError, Row
from orchestrator.evaluation.scorers import needs_expected, scored, scorer_of


@pytest.mark.parametrize(
    ("spec", "expected", "text", "value"),
    [
        ("exact", "Đã giao", " Đã giao\n", 1),
        ("exact", "Đã giao", "đã giao", 0),
        ("exact", {"a": 1}, '```json\n{"a": 1}\n```', 1),
        ("label", "Delivery", "delivery.", 1),
        ("label", "delivery", "delivery or refund", 0),
        ("contains", ["DH1001", "đang giao"], "Đơn DH1001 ĐANG GIAO", 1),
        ("contains", ["DH1001", "hôm nay"], "Đơn DH1001", 0.5),
        ("numeric", 90, "The answer is 90.", 1),
        ("numeric:0.5", 90, "The answer is 90.4", 1),
        ("numeric:1%", 1000, "Kết quả là 1011", 0),
        ("numeric", "nothing", "5", None),
        ("language:vi", None, "Đơn hàng của bạn đang được giao", 1),
        ("language:en", None, "Đơn hàng của bạn đang được giao", 0),
        ("language", None, "x", None),
    ],
)
def test_what_an_answer_scores(spec, expected, text, value):
    row = Row(id="a", line=1, prompt="?", expected=expected)
    assert scored(scorer_of(spec), row, Answer(text=text)).value == value


def test_vietnamese_numbers_are_read_as_vietnamese():
    row = Row(id="a", line=1, prompt="?", expected="1234567", language=Language.VI)
    assert scored(scorer_of("numeric"), row, Answer(text="Đáp án là 1.234.567")).value == 1


def test_bounds_of_cost_and_time():
    row, answer = Row(id="a", line=1, prompt="?"), Answer(text="x", cost_nusd=2_000_000, latency_s=3.0)
    assert [scored(scorer_of(spec), row, answer).value for spec in ("cost:0.002", "cost:0.001", "latency:3", "latency:2")] == [1, 0, 1, 0]  # fmt: skip


def test_a_schema_from_a_file(tmp_path):
    path = tmp_path / "schema.json"
    path.write_bytes(orjson.dumps({"type": "object", "required": ["label"]}))
    scorer, row = scorer_of(f"schema:{path}"), Row(id="a", line=1, prompt="?")
    assert scorer.score(row, Answer(text='{"label": "x"}')).value == 1
    assert scorer.score(row, Answer(text='{"other": "x"}')).value == 0
    assert scorer.score(row, Answer(text="label")).value == 0


def test_where_there_is_no_answer_every_scorer_says_0():
    failed = Answer(error="DeadlineExceededError: too late")
    assert scored(scorer_of("cost:1"), Row(id="a", line=1, prompt="?"), failed).value == 0


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("exakt", "unknown scorer 'exakt'"),
        ("exact:1", "takes nothing after its name"),
        ("numeric:much", "'numeric:much': 'much' is no number; write numeric:0.5 or numeric:1%"),
        ("numeric:0,5", "'0,5' is no number; write"),
        ("numeric:1%%", "'1%' is no number"),
        ("numeric:-1", "'-1' is not 0 or more"),
        ("numeric:nan", "'nan' is not 0 or more"),
        ("latency:fast", "'fast' is no number; write latency:2.5, in seconds"),
        ("language:fr", "write vi or en"),
        ("schema:/no/such.json", "name a file with a JSON schema"),
        ("latency:0", "a number above 0"),
        ("cost:-1", "not negative"),
        ("no_such_module:f", "cannot be imported"),
        ("math:no_such", "has no function 'no_such'"),
    ],
)
def test_a_scorer_that_cannot_be_is_refused_by_name(spec, words):
    with pytest.raises(EvaluationError, match=words):
        scorer_of(spec)


def test_only_some_scorers_need_what_is_right():
    assert needs_expected(["latency:1", "label"])
    assert not needs_expected(["latency:1", "language:vi", "math:sqrt"])
