"""Two answers that say the same have one form; free text has none."""

import pytest

from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import ToolCall, Usage
from orchestrator.policies.normal_form import NO_CALL, CompareSettings, normal_form


def form(compare, text="", *calls):
    tools = tuple(ToolCall("c", name, arguments) for name, arguments in calls)
    answer = ProviderAnswer(text, tools, "stop", Usage(), None, None)
    formed = normal_form(answer, CompareSettings(**compare))
    return None if formed is None else formed.value


CALLS = {"by": "tool_calls"}


def test_the_order_of_calls_and_arguments_makes_no_difference():
    first = form(CALLS, "", ("find", '{"a": 1, "b": "x"}'), ("close", "{}"))
    assert first == form(CALLS, "Sure!", ("close", ""), ("find", '{"b": "X", "a": 1.0}'))
    assert first != form(CALLS, "", ("find", '{"a": 2, "b": "x"}'), ("close", "{}"))


def test_arguments_that_are_no_object_have_no_form():
    assert form(CALLS, "", ("find", "[1]")) is None
    assert form(CALLS, "", ("find", "{broken")) is None


def test_what_is_nested_without_end_has_no_form_and_ends_no_comparison():
    nested = '{"a":' * 100_000 + "1" + "}" * 100_000
    assert form(CALLS, "", ("find", nested)) is None
    assert form({"by": "json"}, nested) is None


def test_no_call_is_a_vote_only_where_it_is_said():
    assert form(CALLS, "I cannot help") is None
    assert form({**CALLS, "no_call": "vote"}, "I cannot help") == NO_CALL


def test_json_is_compared_by_field():
    compare = {"by": "json", "fields": {"note": "ignore"}}
    assert form(compare, '{"n": 1, "note": "a"}') == form(compare, '```json\n{"n": "1", "note": "b"}\n```')
    assert form(compare, "no object") is None


def test_a_label_is_one_of_those_that_are_known():
    compare = {"by": "label", "labels": ["Hoàn tiền", "Khác"]}
    assert form(compare, " “hoàn tiền”. ") == form(compare, "HOÀN TIỀN")
    assert form(compare, "hoàn tiền ngay") is None


NUMBER = {"by": "number", "language": "en"}


@pytest.mark.parametrize(
    "text",
    [
        "1,092",
        "14 x 78 makes 1,092. The answer is 1092.",
        "Đáp số: 1092",
        "We add 1 and 2.\nThe answer is 14 * 78 = 1,092.",
        "So they made 14 * 78 = 1092 in all.",
        "It comes to 1092 altogether",
    ],
)
def test_the_number_of_an_answer_is_read_from_its_words(text):
    assert form(NUMBER, text) == "1092"


def test_a_number_that_was_worked_out_is_told_apart():
    answer = ProviderAnswer("so 3 + 4 = 7 of them", (), "stop", Usage(), None, None)
    formed = normal_form(answer, CompareSettings(**NUMBER))
    assert formed is not None
    assert not formed.is_plain


def test_units_count_unless_they_are_ignored():
    assert form(NUMBER, "5 kg") != form(NUMBER, "5 g")
    assert form({**NUMBER, "units": "ignore"}, "5 kg") == form({**NUMBER, "units": "ignore"}, "5")


def test_several_numbers_without_a_word_for_the_answer_are_none():
    assert form(NUMBER, "between 3 and 5") is None


def test_sql_is_compared_by_its_tokens():
    assert form({"by": "sql"}, "select 1") == form({"by": "sql"}, "SELECT 1;")
