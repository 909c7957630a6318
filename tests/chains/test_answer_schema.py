"""The schema that is sent is one that every provider takes, whatever the model's author used."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

from chains import CHAINS
from orchestrator.chains.answer_schema import answer_schema, described, field_lines


class Kind(StrEnum):
    """Of what kind it is."""

    GOOD = "good"
    BAD = "bad"


class Inner(BaseModel):
    format: str = Field("x", max_length=3, description="a field with a keyword's name")
    default: int = Field(1, ge=0, multiple_of=5)


class Outer(BaseModel):
    kind: Kind
    inner: list[Inner] = Field(default_factory=list, max_length=4)
    note: str | None = None


class Free(BaseModel):
    notes: dict[str, str]


class Anything(BaseModel):
    value: Any


def test_bounds_and_defaults_are_left_out_and_every_field_is_required():
    schema = answer_schema(Outer)
    inner = schema["$defs"]["Inner"]
    assert inner["required"] == ["format", "default"]
    assert inner["properties"]["format"] == {
        "description": "a field with a keyword's name",
        "title": "Format",
        "type": "string",
    }
    assert inner["additionalProperties"] is schema["additionalProperties"] is False
    assert schema["required"] == ["kind", "inner", "note"]
    assert "maxItems" not in schema["properties"]["inner"]


def test_only_a_schema_that_names_all_its_fields_is_strict():
    def is_strict(model: type[BaseModel]) -> bool:
        return described(model, answer_schema(model))["json_schema"]["strict"]

    assert (is_strict(Outer), is_strict(Free), is_strict(Anything)) == (True, False, False)
    assert all(is_strict(maker.output_model) for maker in CHAINS.values())


def test_a_name_that_no_provider_takes_is_made_fit():
    class Lời_đáp(BaseModel):  # noqa: N801, PLC2401 -- a name of a team's own
        text: str

    assert described(Lời_đáp, {})["json_schema"]["name"] == "L_i___p"


def test_fields_are_told_in_words():
    assert field_lines(Outer).splitlines() == [
        "- `kind`: Of what kind it is. (`good` | `bad`)",
        "- `inner`: (array)",
        "- `note`",
    ]
