"""What is JSON, and what only begins like it."""

import pytest

from orchestrator.core.json_answers import is_broken_json, is_json


@pytest.mark.parametrize(
    ("text", "whole", "broken"),
    [
        ('{"a": 1}', True, False),
        (" [1]\n", True, False),
        ('{"a": "x\ny"}', True, False),
        ("7", True, False),
        ('{"a": 1, "b', False, True),
        ("[1, 2", False, True),
        ("{'a': 1}", False, True),
        ('{"a": 1}\nHope it helps', False, False),
        ('```json\n{"a": 1}\n```', False, False),
        ("Sure!", False, False),
        ("[" * 5000, False, True),
        ('{"a":' * 5000 + "1" + "}" * 5000, False, True),
        ("", False, False),
    ],
)
def test_half_an_object_is_told_from_words_and_from_a_whole_one(text, whole, broken) -> None:
    assert (is_json(text), is_broken_json(text)) == (whole, broken)
