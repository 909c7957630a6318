"""A copy of plain data shares nothing that could be changed, and no data is deeper than all read."""

from types import MappingProxyType

import pytest

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.plain_data import REQUEST_DEPTH_MAX, check_depth, copied, is_deeper, kind_in_words


def test_mappings_and_lists_are_made_anew_at_every_depth():
    inner = {"b": [1, {"c": 2}]}
    copy = copied({"a": (inner, MappingProxyType({"d": 3})), "e": "text"})
    inner["b"][1]["c"] = 9
    assert copy == {"a": [{"b": [1, {"c": 2}]}, {"d": 3}], "e": "text"}


def test_depth_is_counted_through_mappings_lists_and_tuples():
    value = {"a": [({"b": 1},)]}
    assert [is_deeper(value, levels) for levels in (3, 4)] == [True, False]
    assert not is_deeper("[[[[[", 1)


def test_data_that_holds_itself_is_endless_and_data_in_a_thousand_places_is_counted_once():
    endless = {}
    endless["a"] = [endless]
    wide = []
    for _ in range(REQUEST_DEPTH_MAX - 1):
        wide = [wide, wide]
    check_depth(wide)
    with pytest.raises(InvalidRequestError, match="more than 120 deep"):
        check_depth(endless)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"), (True, "true or false"), (7, "a number"), (0.5, "a number"), ("7", "a text"),
        ([], "a list"), ((), "a list"), ({}, "an object"), (MappingProxyType({}), "an object"), (b"", "bytes"),
    ],
)  # fmt: skip
def test_what_a_value_is_is_said_in_the_words_of_json(value, words: str) -> None:
    """A caller of the server, and who writes a file of questions, may not know Python."""
    assert kind_in_words(value) == words
