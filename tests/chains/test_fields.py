"""The schemas that are sent hold only what every provider takes; the rest is checked here."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from chains import CHAINS
from orchestrator.chains.fields import ChainOutput, Line, Percent, Text

# Anthropic, also through OpenRouter, answers HTTP 400 to these; OpenAI's strict mode to some of them.
REFUSED = {
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "default",
    "format",
}


class Sample(ChainOutput):
    line: Line = "x"
    text: Text = "x"
    percent: Percent = 0


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for part in schema.values():
            yield from _parts(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _parts(part)


@pytest.mark.parametrize("name", CHAINS)
def test_a_schema_holds_nothing_that_a_provider_refuses(name):
    for part in _parts(CHAINS[name].output_model.model_json_schema()):
        assert not REFUSED & part.keys()
        assert "$ref" not in part or len(part) == 1
        if part.get("type") == "object":
            assert part["additionalProperties"] is False
            assert set(part["required"]) == set(part["properties"])


@pytest.mark.parametrize("name", CHAINS)
def test_inputs_and_outputs_are_frozen_and_know_their_fields(name):
    for model in (CHAINS[name].input_model, CHAINS[name].output_model):
        assert model.model_config["frozen"] is True
        assert model.model_config["extra"] == "forbid"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"line": "x" * 201}, "has 201 characters, 200 are allowed"),
        ({"text": "x" * 12_001}, "has 12,001 characters, 12,000 are allowed"),
        ({"text": "\t"}, "must not be empty"),
        ({"percent": 101}, "less than or equal to 100"),
        ({"percent": -1}, "greater than or equal to 0"),
    ],
)
def test_what_a_grammar_does_not_hold_is_checked(wrong, message):
    with pytest.raises(ValidationError, match=message):
        Sample(**wrong)


def test_space_around_a_text_is_dropped():
    assert Sample(line=" x \n").line == "x"


def test_a_percentage_between_the_steps_is_fine():
    assert Sample(percent=87).percent == 87
