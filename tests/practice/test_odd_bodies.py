"""Bodies that are JSON and no answer come in the shape of each provider."""

import json

import pytest

from orchestrator.practice.fault_kinds import Fault
from orchestrator.practice.odd_bodies import odd_body


def body(provider: str, fault: str) -> dict:
    return json.loads(odd_body(provider, "a-model", Fault.parse(f"{provider}:{fault}")))


@pytest.mark.parametrize("provider", ["openrouter", "openai"])
def test_an_openai_answer_holds_an_object_for_its_text_or_no_choice(provider):
    assert body(provider, "wrong_types")["choices"][0]["message"]["content"] == {"value": 42}
    assert body(provider, "no_choices")["choices"] == []


def test_a_gemini_answer_holds_an_object_for_its_text_or_no_candidate():
    assert body("google", "wrong_types")["candidates"][0]["content"]["parts"] == [{"text": {"value": 42}}]
    assert body("google", "no_choices")["candidates"] == []


@pytest.mark.parametrize("provider", ["openrouter", "google"])
def test_a_huge_body_has_the_size_that_was_asked_for(provider):
    fault = Fault.parse(f"{provider}:huge_body=3")
    assert 3_000_000 < len(odd_body(provider, "a-model", fault)) < 3_001_000
