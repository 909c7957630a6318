"""Data that means the same has one form, field by field by its rule."""

import pytest

from orchestrator.policies.plain_values import FieldRule, NoValueError, form_of_fields, spelled, value_form


@pytest.mark.parametrize(
    ("rule", "first", "second", "same"),
    [
        (FieldRule.AUTO, 5, "5.0", True),
        (FieldRule.AUTO, "Hà  Nội", "hà nội", True),
        (FieldRule.AUTO, "28/11/2026", "2026-11-28", True),
        (FieldRule.AUTO, True, 1, False),
        (FieldRule.AUTO, "0123", "123", False),
        (FieldRule.AUTO, [1, 2], [2, 1], False),
        (FieldRule.AUTO, None, "", False),
        (FieldRule.EXACT, "AB-1", "ab-1", False),
        (FieldRule.EXACT, "7", "7.0", False),
        (FieldRule.TEXT, "7", "7.0", False),
        (FieldRule.SET, ["b", "A"], ["a", "B"], True),
        (FieldRule.NUMBER, "3 triệu", 3_000_000, True),
        (FieldRule.DATE, "Nov 28, 2026", "2026-11-28", True),
    ],
)
def test_values_are_compared_by_their_rule(rule, first, second, same):
    assert (spelled(value_form(first, rule)) == spelled(value_form(second, rule))) is same


@pytest.mark.parametrize(("rule", "value"), [("number", "many"), ("number", True), ("date", "soon"), ("auto", float("nan"))])  # fmt: skip
def test_what_is_not_what_its_rule_says_has_no_value(rule, value):
    with pytest.raises(NoValueError):
        value_form(value, FieldRule(rule))


def test_ignored_fields_do_not_count_at_any_depth():
    rules = {"note": FieldRule.IGNORE, "customer.id": FieldRule.EXACT, "customer.mood": FieldRule.IGNORE}
    form = form_of_fields({"note": "x", "customer": {"id": "007", "mood": "?"}}, rules)
    assert form == {"customer": {"id": "007"}}


def test_endless_nesting_has_no_value():
    deep: list = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(NoValueError):
        value_form(deep)
