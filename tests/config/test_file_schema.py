"""Defaults in the schema are written as the file has them: read back, they are the program's own."""

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, TypeAdapter

from orchestrator.config.file_schema import FileSchema
from orchestrator.config.schema import RootSettings

SCHEMA = RootSettings.model_json_schema(schema_generator=FileSchema)


def models(kind: Any) -> Iterator[type[BaseModel]]:
    """Yield a settings type and every other below it."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from models(field.annotation)
    for argument in getattr(kind, "__args__", ()):
        yield from models(argument)


def defaults() -> Iterator[tuple[type[BaseModel], str, Any]]:
    for model in sorted(set(models(RootSettings)), key=lambda model: model.__name__):
        part = SCHEMA if model is RootSettings else SCHEMA["$defs"][model.__name__]
        for name, field in part["properties"].items():
            if "default" in field and field["default"] is not None:
                yield model, name, field["default"]


@pytest.mark.parametrize(
    ("model", "name", "default"),
    [pytest.param(*case, id=f"{case[0].__name__}.{case[1]}") for case in defaults()],
)
def test_a_default_of_the_schema_is_read_back_as_what_it_stands_for(model, name, default):
    field = model.model_fields[name]
    kind = field.annotation
    for part in field.metadata:
        kind = Annotated[kind, part]
    assert TypeAdapter(kind).validate_python(default) == field.get_default(call_default_factory=True)


def test_money_is_dollars_alone_and_inside_a_default():
    assert SCHEMA["$defs"]["HealthCheckSettings"]["properties"]["daily_usd"]["default"] == 0.01
    assert SCHEMA["properties"]["health_checks"]["default"]["daily_usd"] == 0.01
