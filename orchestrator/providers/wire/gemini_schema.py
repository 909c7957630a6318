"""A JSON schema as Gemini takes it.

It takes most of JSON Schema (https://ai.google.dev/api/generate-content#FIELDS.response_json_schema), but no
other field beside a `$ref`, and no `const`; both are what pydantic writes.
"""

from collections.abc import Mapping
from typing import Any

_NAMES_TO_SCHEMAS = frozenset({"properties", "$defs", "definitions"})
"""Under these, every key is a name and every value a schema."""
_DATA = frozenset({"enum", "default", "example", "examples", "required"})
"""Under these stands data, whatever its keys are."""


def gemini_schema(schema: Any) -> Any:
    """Return a schema of the same meaning that Gemini takes; the caller's own is not changed."""
    if isinstance(schema, list | tuple):
        return [gemini_schema(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        return {name: _under(name, value) for name, value in schema.items() if name.startswith("$")}
    plain = {name: _under(name, value) for name, value in schema.items() if name != "$schema"}
    if isinstance(plain.get("const"), str):
        plain["enum"] = [plain.pop("const")]
        plain.setdefault("type", "string")
    return plain


def _under(name: str, value: Any) -> Any:
    if name in _NAMES_TO_SCHEMAS and isinstance(value, Mapping):
        return {key: gemini_schema(each) for key, each in value.items()}
    return value if name in _DATA else gemini_schema(value)
