"""A copy of plain data shares nothing that could be changed."""

from types import MappingProxyType

from orchestrator.core.plain_data import copied


def test_mappings_and_lists_are_made_anew_at_every_depth():
    inner = {"b": [1, {"c": 2}]}
    copy = copied({"a": (inner, MappingProxyType({"d": 3})), "e": "text"})
    inner["b"][1]["c"] = 9
    assert copy == {"a": [{"b": [1, {"c": 2}]}, {"d": 3}], "e": "text"}
