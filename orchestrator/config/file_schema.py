"""The JSON schema of config.yaml, in the units of the file: dollars where the program counts nano-dollars."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from orchestrator.config.key_descriptions import key_descriptions
from orchestrator.config.schema import RootSettings
from orchestrator.core.money import to_usd
from orchestrator.core.settings import USD_SCHEMA, Settings, dollars


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of config.yaml, for editors."""
    schema = RootSettings.model_json_schema(schema_generator=FileSchema)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "NextFlow orchestrator configuration"
    _accept_variables(schema)
    return schema


class FileSchema(GenerateJsonSchema):
    """Describes keys, and writes defaults as they stand in config.yaml: $0.01 is 0.01 and not 10000000."""

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        """Return the schema of a part of the file, each key with its description."""
        described = super().model_schema(schema)
        if issubclass(schema["cls"], Settings):
            descriptions = key_descriptions(schema["cls"])
            for key, value in described["properties"].items():
                if key in descriptions:
                    value.setdefault("description", descriptions[key])
        return described

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        """Return the schema of a value with a default."""
        written = super().default_schema(schema)
        if written.get("anyOf") == USD_SCHEMA["anyOf"]:
            written["default"] = _dollars_of(written.get("default"))
        return written

    def encode_default(self, dft: Any) -> Any:
        """Return a default as JSON."""
        encoded = super().encode_default(dft)
        return _in_file_units(dft, encoded) if isinstance(dft, BaseModel) else encoded


def _in_file_units(settings: BaseModel, encoded: Any) -> Any:
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            encoded[name] = _in_file_units(value, encoded[name])
        elif _is_money(field):
            encoded[name] = _dollars_of(encoded[name])
    return encoded


def _is_money(field: FieldInfo) -> bool:
    return any(isinstance(part, BeforeValidator) and part.func is dollars for part in field.metadata)


def _dollars_of(amount: Any) -> Any:
    return float(to_usd(amount)) if isinstance(amount, int) else amount


def _accept_variables(schema: Any) -> None:
    """Let every number, boolean and restricted text also be a `${NAME}`, as the file allows."""
    if isinstance(schema, list):
        for item in schema:
            _accept_variables(item)
    elif isinstance(schema, dict):
        for key, value in list(schema.items()):
            _accept_variables(value)
            if isinstance(value, dict) and _is_narrow(value) and key not in {"items", "propertyNames"}:
                kept = {
                    name: value.pop(name) for name in ("description", "default", "title") if name in value
                }
                schema[key] = {"anyOf": [dict(value), {"type": "string", "pattern": r"\$\{.+\}"}], **kept}


def _is_narrow(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    return kind in {"number", "integer", "boolean"} or (
        kind == "string" and bool({"pattern", "enum"} & set(schema))
    )
