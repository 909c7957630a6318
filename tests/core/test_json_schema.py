"""Whether values fit schemas."""

import pytest

from orchestrator.core.json_schema import fits

POINT = {
    "$defs": {"N": {"type": "integer", "minimum": 0}},
    "type": "object",
    "properties": {"x": {"$ref": "#/$defs/N"}, "y": {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]}},
    "required": ["x"],
}


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ({"x": 1, "y": None}, POINT),
        (1.5, {"type": "number"}),
        (True, {"type": "boolean"}),
        (3, True),
        ("a", {}),
    ],
)
def test_what_fits(value, schema):
    """References, alternatives, types."""
    assert fits(value, schema)


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ({"x": -1}, POINT),
        ({"y": 1}, POINT),
        ({"x": 1, "y": "no"}, POINT),
        (True, {"type": "integer"}),
        ("abc", {"maxLength": 2}),
        ([1], {"minItems": 2}),
        (["a"], {"items": {"type": "integer"}}),
        ("c", {"enum": ["a", "b"]}),
        (2, {"const": 1}),
        (1, {"allOf": [{"type": "string"}]}),
        (1, False),
    ],
)
def test_what_does_not_fit(value, schema):
    """Each for one reason."""
    assert not fits(value, schema)
