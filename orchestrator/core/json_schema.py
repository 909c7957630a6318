"""Whether a JSON value fits a JSON schema, for the keywords that are listed here."""

from typing import Any

_JsonObject = dict[str, Any]
UNDERSTOOD = frozenset(
    {
        "$defs",
        "$ref",
        "additionalProperties",
        "allOf",
        "anyOf",
        "const",
        "description",
        "enum",
        "items",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "oneOf",
        "properties",
        "required",
        "title",
        "type",
    }
)
"""The keywords that count; of `additionalProperties` only `false`, and `oneOf` is read as `anyOf`."""

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def fits(value: Any, schema: Any, *, root: _JsonObject | None = None) -> bool:
    """Tell whether a value fits; keywords that are not understood allow everything."""
    if not isinstance(schema, dict):
        return schema is not False
    whole = root if root is not None else schema
    return (
        _branches_fit(value, schema, root=whole)
        and ("const" not in schema or value == schema["const"])
        and ("enum" not in schema or value in schema["enum"])
        and _type_fits(value, schema.get("type"))
        and _parts_fit(value, schema, root=whole)
    )


def referenced(root: _JsonObject, reference: str) -> _JsonObject:
    """Return the part of a schema that `#/…` names, an empty schema if there is none."""
    referred: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        if part:
            referred = referred.get(part.replace("~1", "/").replace("~0", "~"), {})
    return dict(referred)


def _branches_fit(value: Any, schema: _JsonObject, *, root: _JsonObject) -> bool:
    every = list(schema.get("allOf", ()))
    if "$ref" in schema:
        every.append(referenced(root, schema["$ref"]))
    some = schema.get("anyOf") or schema.get("oneOf") or [True]
    return all(fits(value, part, root=root) for part in every) and any(
        fits(value, part, root=root) for part in some
    )


def _type_fits(value: Any, kind: str | list[str] | None) -> bool:
    if kind is None:
        return True
    kinds = kind if isinstance(kind, list) else [kind]
    if isinstance(value, bool):
        return "boolean" in kinds
    return any(isinstance(value, _TYPES.get(each, (object,))) for each in kinds)


def _parts_fit(value: Any, schema: _JsonObject, *, root: _JsonObject) -> bool:
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
        if schema.get("additionalProperties") is False and not properties.keys() >= value.keys():
            return False
        return all(name in value for name in schema.get("required") or ()) and all(
            fits(value[name], part, root=root) for name, part in properties.items() if name in value
        )
    if isinstance(value, list):
        return _within(len(value), schema, "minItems", "maxItems") and all(
            fits(each, schema.get("items", True), root=root) for each in value
        )
    if isinstance(value, str):
        return _within(len(value), schema, "minLength", "maxLength")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _within(value, schema, "minimum", "maximum")
    return True


def _within(value: float, schema: _JsonObject, low: str, high: str) -> bool:
    return bool(schema.get(low, value) <= value <= schema.get(high, value))


def unknown_keywords(schema: Any) -> set[str]:
    """Return the keywords of a schema that `fits` would not look at."""
    if isinstance(schema, list):
        return set().union(*map(unknown_keywords, schema))
    if not isinstance(schema, dict):
        return set()
    unknown = schema.keys() - UNDERSTOOD
    for key in ("allOf", "anyOf", "oneOf", "items"):
        unknown |= unknown_keywords(schema.get(key))
    for key in ("properties", "$defs"):
        unknown |= set().union(*map(unknown_keywords, (schema.get(key) or {}).values()))
    return set(unknown)
