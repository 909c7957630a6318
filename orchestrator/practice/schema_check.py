"""Whether a JSON value fits a JSON schema, for the keywords that `instances` understands."""

from orchestrator.practice.json_types import JsonObject, JsonValue

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def fits(value: JsonValue, schema: JsonValue, *, root: JsonObject | None = None) -> bool:
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


def referenced(root: JsonObject, reference: str) -> JsonObject:
    """Return the part of a schema that `#/…` names, an empty schema if there is none."""
    referred: JsonValue = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        if part:
            referred = referred.get(part.replace("~1", "/").replace("~0", "~"), {})
    return dict(referred)


def _branches_fit(value: JsonValue, schema: JsonObject, *, root: JsonObject) -> bool:
    every = list(schema.get("allOf", ()))
    if "$ref" in schema:
        every.append(referenced(root, schema["$ref"]))
    some = schema.get("anyOf") or schema.get("oneOf") or [True]
    return all(fits(value, part, root=root) for part in every) and any(
        fits(value, part, root=root) for part in some
    )


def _type_fits(value: JsonValue, kind: str | list[str] | None) -> bool:
    if kind is None:
        return True
    kinds = kind if isinstance(kind, list) else [kind]
    if isinstance(value, bool):
        return "boolean" in kinds
    return any(isinstance(value, _TYPES.get(each, (object,))) for each in kinds)


def _parts_fit(value: JsonValue, schema: JsonObject, *, root: JsonObject) -> bool:
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
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


def _within(value: float, schema: JsonObject, low: str, high: str) -> bool:
    return bool(schema.get(low, value) <= value <= schema.get(high, value))
