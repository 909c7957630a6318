"""A fault says its parameters with their units."""

from dataclasses import fields

import pytest

from orchestrator.practice import Fault
from orchestrator.practice.fault_words import _WORDS, in_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("google:slow_first_token=20", "20 s before it begins, until cleared"),
        ("openrouter:status=429,retry_after_s=2.5,times=3", "HTTP 429, ask again after 2.5 s, 3 times"),
        ("*:huge_body=8,model=m", "8 MB, model m alone, until cleared"),
        ("*:reset,times=1", "once"),
        ("openai:useless=spaces", "spaces, every 3 s, until cleared"),
        ("openai:odd_vectors=nan", "nan, until cleared"),
    ],
)
def test_a_fault_in_words(text, words):
    assert in_words(Fault.parse(text)) == words


def test_every_parameter_of_a_fault_has_its_words():
    assert set(_WORDS) == {field.name for field in fields(Fault)} - {"provider", "kind"}
