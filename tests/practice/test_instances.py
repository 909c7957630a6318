"""Instances of JSON schemas always fit them."""

import pytest

from orchestrator.core.json_schema import fits
from orchestrator.practice.evidence import Evidence
from orchestrator.practice.instances import InstanceMaker

TREE = {
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 3, "maxLength": 5},
                "child": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            },
            "required": ["name", "children"],
        }
    },
    "$ref": "#/$defs/Node",
}
SCHEMAS = [
    {"type": "integer", "minimum": 5, "maximum": 9},
    {"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 7},
    {"type": "number", "maximum": -3},
    {"type": "integer", "multipleOf": 5, "minimum": 7},
    {"type": "string", "minLength": 400},
    {"type": "string", "maxLength": 3},
    {"enum": ["a", "b"]},
    {"const": 4},
    {"type": ["string", "null"]},
    {"type": "null"},
    {"type": "boolean"},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3},
    {"type": "array", "items": {"enum": ["x", "y"]}, "minItems": 2, "uniqueItems": True},
    {"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}}, {"required": ["a"]}]},
    {"oneOf": [{"type": "null"}, {"type": "string"}]},
    {"type": "object", "properties": {"when": {"type": "string", "format": "date"}}, "required": ["when"]},
    {"type": "object", "additionalProperties": {"type": "string"}},
    TREE,
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
@pytest.mark.parametrize("prompt", ["", "Make 3 of 'Acme', or 1000.", "y and b, true"])
@pytest.mark.parametrize("fill_optional", [True, False])
def test_an_instance_fits_its_schema(schema, prompt, fill_optional):
    """Whatever the prompt says."""
    instance = InstanceMaker(schema, evidence=Evidence(prompt), fill_optional=fill_optional).make()
    assert fits(instance, schema)


def test_an_instance_says_what_the_prompt_says():
    """Enum values, numbers, addresses and quoted names are taken over; the rest is told plainly."""
    schema = {
        "type": "object",
        "properties": {
            "customer_name": {"type": "string"},
            "priority": {"enum": ["low", "high"]},
            "amount": {"type": "number"},
            "email": {"type": "string"},
            "order_id": {"type": "string"},
            "tags": {"type": "array", "items": {"enum": ["late", "refund", "spam"]}},
        },
    }
    prompt = "Ticket for '你好啊集团' an@acme.vn: order DH1001 late, refund 12.5 dollars, high priority"
    instance = InstanceMaker(schema, evidence=Evidence(prompt), fill_optional=True).make()
    assert instance == {
        "customer_name": "你好啊集团",
        "priority": "high",
        "amount": 12.5,
        "email": "an@acme.vn",
        "order_id": "DH1001",
        "tags": ["late", "refund"],
    }


def test_optional_arguments_are_left_out_unless_told():
    """As real models do with tools."""
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"enum": ["celsius", "kelvin"]},
            "note": {"type": "string"},
        },
        "required": ["city"],
    }
    instance = InstanceMaker(
        schema, evidence=Evidence("Weather in Huế, in kelvin"), fill_optional=False
    ).make()
    assert instance == {"city": "Huế", "unit": "kelvin"}
