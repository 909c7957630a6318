"""A schema keeps its meaning on the way to Gemini, and names of fields are no keywords."""

import copy

from orchestrator.providers.wire.gemini_schema import gemini_schema


def test_nothing_stands_beside_a_reference() -> None:
    schema = {
        "properties": {"a": {"$ref": "#/$defs/A", "description": "x", "default": None}},
        "$defs": {"A": {"type": "string"}},
    }
    assert gemini_schema(schema) == {
        "properties": {"a": {"$ref": "#/$defs/A"}},
        "$defs": {"A": {"type": "string"}},
    }


def test_a_constant_is_an_enumeration_of_one() -> None:
    assert gemini_schema({"anyOf": [{"const": "a"}, {"const": "b", "type": "string"}]}) == {
        "anyOf": [{"enum": ["a"], "type": "string"}, {"enum": ["b"], "type": "string"}]
    }


def test_fields_may_be_named_like_keywords() -> None:
    schema = {
        "type": "object",
        "properties": {
            "const": {"type": "string"},
            "$ref": {"type": "string"},
            "$schema": {"type": "string"},
        },
    }
    assert gemini_schema(schema) == schema


def test_data_is_left_alone() -> None:
    schema = {"enum": [{"$ref": "x", "y": 1}], "default": {"const": "a"}, "examples": [{"$schema": "z"}]}
    assert gemini_schema(schema) == schema


def test_the_callers_schema_is_not_changed() -> None:
    schema = {"$schema": "x", "items": {"const": "a"}}
    before = copy.deepcopy(schema)
    assert gemini_schema(schema) == {"items": {"enum": ["a"], "type": "string"}}
    assert schema == before
