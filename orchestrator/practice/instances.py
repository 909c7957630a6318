"""Instances of JSON schemas, filled with what a prompt says.

Understood: type (also lists of types), enum, const, default, $ref into the schema, allOf, anyOf,
oneOf, properties, required, items, prefixItems, minItems, minLength, maxLength, minimum, maximum,
the exclusive bounds, multipleOf and the usual formats. `pattern` and `not` are not obeyed.
"""

import math
from typing import Any

from orchestrator.core.json_schema import referenced
from orchestrator.practice.evidence import Evidence, formats_named, names_place
from orchestrator.practice.json_types import JsonObject, JsonValue

_DEPTH_MAX = 6
_TEXT_CHARACTERS_MAX = 120
_FORMAT_EXAMPLES = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T09:00:00Z",
    "time": "09:00:00",
    "email": "practice@example.com",
    "uri": "https://example.com/practice",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "phone": "+84 900 000 000",
}
_TRUE_WORDS = ("true", "yes", "urgent", "có", "đúng")


class InstanceMaker:
    """Makes one instance of a schema."""

    def __init__(self, schema: JsonObject, *, evidence: Evidence, fill_optional: bool) -> None:
        """Take the schema; optional properties are filled always, or only with what the prompt says."""
        self._root = schema
        self._evidence = evidence
        self._fill_optional = fill_optional

    def make(self) -> JsonValue:
        """Return an instance."""
        return self._value(self._root, name="", depth=0)

    def _value(self, schema: JsonValue, *, name: str, depth: int) -> JsonValue:
        plain = self._resolved(schema)
        if "const" in plain:
            return plain["const"]
        if plain.get("enum"):
            return self._chosen(plain["enum"], plain)
        if depth >= _DEPTH_MAX and "null" in _types(plain):
            return None
        return self._of_type(_type_of(plain), plain, name=name, depth=depth)

    def _of_type(self, kind: str, plain: JsonObject, *, name: str, depth: int) -> JsonValue:
        match kind:
            case "object":
                built: JsonValue = self._object(plain, depth=depth)
            case "array":
                built = self._array(plain, name=name, depth=depth)
            case "integer" | "number":
                built = self._number(plain, whole=kind == "integer")
            case "boolean":
                built = any(map(self._evidence.mentions, _TRUE_WORDS)) or bool(plain.get("default", False))
            case "null":
                built = None
            case _:
                built = self._text(plain, name=name)
        return built

    def _resolved(self, schema: JsonValue) -> JsonObject:
        """Return the schema with references followed, allOf merged, and one branch chosen."""
        plain: JsonObject = dict(schema) if isinstance(schema, dict) else {}
        for _ in range(_DEPTH_MAX):
            if "$ref" in plain:
                reference = plain.pop("$ref")
                plain = {**referenced(self._root, reference), **plain}
            elif "allOf" in plain:
                for part in plain.pop("allOf"):
                    plain = _merged(plain, self._resolved(part))
            elif branches := plain.pop("anyOf", None) or plain.pop("oneOf", None):
                plain = {**plain, **self._branch(branches)}
            else:
                break
        return plain

    def _branch(self, branches: list[JsonObject]) -> JsonObject:
        for branch in branches:
            if branch.get("type") != "null":
                return branch
        return branches[0]

    def _chosen(self, choices: list[Any], schema: JsonObject) -> JsonValue:
        for choice in choices:
            if isinstance(choice, str) and self._evidence.mentions(choice.replace("_", " ")):
                return choice
        if schema.get("default") in choices:
            return schema["default"]
        return next((choice for choice in choices if choice is not None), None)

    def _object(self, schema: JsonObject, *, depth: int) -> JsonObject:
        required = set(schema.get("required") or ())
        built = {}
        for name, part in (schema.get("properties") or {}).items():
            if (
                name in required
                or (self._fill_optional and depth < _DEPTH_MAX // 2)
                or self._is_mentioned(part, name)
            ):
                built[name] = self._value(part, name=name, depth=depth + 1)
        return built

    def _is_mentioned(self, schema: JsonValue, name: str) -> bool:
        plain = self._resolved(schema)
        choices = plain.get("enum") or ()
        if any(isinstance(choice, str) and self._evidence.mentions(choice) for choice in choices):
            return True
        return _type_of(plain) == "string" and self._mentioned_text(plain, name) is not None

    def _array(self, schema: JsonObject, *, name: str, depth: int) -> list[Any]:
        if "prefixItems" in schema:
            return [self._value(part, name=name, depth=depth + 1) for part in schema["prefixItems"]]
        fewest = int(schema.get("minItems", 0))
        items = self._resolved(schema.get("items", {}))
        mentioned = [
            choice
            for choice in items.get("enum") or ()
            if isinstance(choice, str) and self._evidence.mentions(choice)
        ]
        if mentioned and len(mentioned) >= fewest:
            return mentioned[: schema.get("maxItems", len(mentioned))]
        count = fewest if depth >= _DEPTH_MAX else min(max(1, fewest), schema.get("maxItems", math.inf))
        items_built = [self._value(items, name=name, depth=depth + 1) for _ in range(int(count))]
        if schema.get("uniqueItems") and items.get("enum"):
            return list(items["enum"][: len(items_built)])
        return items_built

    def _number(self, schema: JsonObject, *, whole: bool) -> float | int:
        number = self._evidence.next_number()
        value = number if number is not None else schema.get("default")
        low, high = _bounds(schema, whole=whole)
        if not isinstance(value, int | float) or isinstance(value, bool):
            value = low if low > -math.inf else min(1, high)
        value = min(max(value, low), high)
        step = schema.get("multipleOf")
        if step:
            value = math.ceil(value / step) * step
        return math.floor(value) if whole or float(value).is_integer() else value

    def _text(self, schema: JsonObject, *, name: str) -> str:
        text = self._mentioned_text(schema, name)
        if text is None:
            text = self._evidence.next_quoted()
        if text is None:
            text = self._invented_text(schema, name)
        fewest, most = int(schema.get("minLength", 0)), schema.get("maxLength")
        text = text + "." * (fewest - len(text))
        return text if most is None else text[: int(most)]

    def _mentioned_text(self, schema: JsonObject, name: str) -> str | None:
        if schema.get("format") in _FORMAT_EXAMPLES:
            return self._evidence.of_format(schema["format"])
        for form in formats_named(name):
            if text := self._evidence.of_format(form):
                return text
        return self._evidence.place() if names_place(name) else None

    def _invented_text(self, schema: JsonObject, name: str) -> str:
        if isinstance(schema.get("default"), str):
            return str(schema["default"])
        forms = [str(schema.get("format")), *formats_named(name)]
        example = next(filter(None, map(_FORMAT_EXAMPLES.get, forms)), None)
        if example is not None:
            return example
        if takes_id(name, schema) and (number := self._id_said()):
            return number
        prompt = " ".join(self._evidence.prompt.split())[:_TEXT_CHARACTERS_MAX]
        return f"{name}: {prompt}" if name and prompt else prompt or name or "practice"

    def _id_said(self) -> str | None:
        return self._evidence.of_format("id") or self._evidence.of_format("digits")


def takes_id(name: str, schema: JsonValue) -> bool:
    """Tell whether a field is an id or a code, by its name or its description."""
    described = schema.get("description") if isinstance(schema, dict) else None
    return "id" in [*formats_named(name), *formats_named(str(described or ""))]


def _types(schema: JsonObject) -> list[str]:
    kind = schema.get("type")
    return kind if isinstance(kind, list) else [kind] if kind else []


def _type_of(schema: JsonObject) -> str:
    named = next((kind for kind in _types(schema) if kind != "null"), None)
    if named is not None:
        return named
    if _types(schema):
        return "null"
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string"


def _merged(schema: JsonObject, other: JsonObject) -> JsonObject:
    merged = {**other, **schema}
    for key in ("properties",):
        if key in schema and key in other:
            merged[key] = {**other[key], **schema[key]}
    if "required" in schema and "required" in other:
        merged["required"] = [*schema["required"], *other["required"]]
    return merged


def _bounds(schema: JsonObject, *, whole: bool) -> tuple[float, float]:
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    step = 1 if whole else 1e-6
    if isinstance(schema.get("exclusiveMinimum"), int | float):
        low = max(low, schema["exclusiveMinimum"] + step)
    if isinstance(schema.get("exclusiveMaximum"), int | float):
        high = min(high, schema["exclusiveMaximum"] - step)
    if whole:
        return (math.ceil(low) if low > -math.inf else low), (math.floor(high) if high < math.inf else high)
    return low, high
