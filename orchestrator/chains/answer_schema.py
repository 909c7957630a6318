"""The JSON schema that a model is sent for an answer, and the same in words.

Providers understand different parts of JSON schema: bounds, lengths and formats are refused with HTTP 400 by
some and ignored by others. What is sent holds types and enumerations alone, every field required and no other
allowed; pydantic checks the rest when the answer is here.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

_UNSENT = frozenset(
    {
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems"),
        *("default", "examples", "contentMediaType", "contentEncoding"),
    }
)
_BY_NAME = ("properties", "$defs")
"""What they hold is named by the model's author, and a field may be called `format`."""
_AS_IT_IS = ("enum", "const", "required")
_KINDS = frozenset({"type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"})
_NAME_MAX = 64


def answer_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of an answer as it is sent: closed objects of required fields, types and choices."""
    schema: dict[str, Any] = _sent(model.model_json_schema())
    return schema


def described(model: type[BaseModel], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return `schema` as a response format; strict where every object in it names its fields."""
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", model.__name__)[:_NAME_MAX]
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "strict": not _is_open(schema), "schema": schema},
    }


def field_lines(model: type[BaseModel]) -> str:
    """Return a line for each field: its name, its description, what it may be."""
    schema = answer_schema(model)
    return "\n".join(_line(name, part, schema) for name, part in schema.get("properties", {}).items())


def _sent(node: Any) -> Any:
    if isinstance(node, list):
        return [_sent(item) for item in node]
    if not isinstance(node, dict):
        return node
    sent = {key: _part(key, value) for key, value in node.items() if key not in _UNSENT}
    if "properties" in node:
        sent |= {"additionalProperties": False, "required": list(node["properties"])}
    return sent


def _part(key: str, value: Any) -> Any:
    if key in _BY_NAME:
        return {name: _sent(part) for name, part in value.items()}
    return value if key in _AS_IT_IS else _sent(value)


def _is_open(node: Any) -> bool:
    """Return whether there is an object in it whose fields are not named, such as a dictionary."""
    if isinstance(node, list):
        return any(map(_is_open, node))
    if not isinstance(node, Mapping):
        return False
    is_free = node.get("type") == "object" and node.get("additionalProperties") is not False
    says_nothing = any(not _KINDS & part.keys() for part in node.get("properties", {}).values())
    return is_free or says_nothing or any(map(_is_open, node.values()))


def _line(name: str, part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    referred = part.get("$ref", "").rpartition("/")[2]
    whole = {**schema.get("$defs", {}).get(referred, {}), **part}
    choices = whole.get("enum")
    kind = " | ".join(f"`{choice}`" for choice in choices) if choices else whole.get("type", "")
    words = [word for word in (whole.get("description"), f"({kind})" if kind else None) if word]
    return f"- `{name}`: {' '.join(words)}" if words else f"- `{name}`"
