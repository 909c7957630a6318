"""The configuration in force as plain data: the file's own values and units, defaults filled in, secrets masked."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr, TypeAdapter

from orchestrator.config.loader import Config
from orchestrator.config.yaml_file import read_document

MASK = "********"
"""Stands for a secret that is set."""

_CREDENTIALS = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)[^/@\s]+@")
_SECRET_QUERY = re.compile(
    r"(?i)(?P<name>[?&](?:[\w-]*(?:key|token|secret|password|signature|sig))=)[^&#\s]+"
)
_SECRET_NAME = re.compile(r"(?i)auth|key|token|secret|password|cookie|credential")
_PLAIN = TypeAdapter(Any)


def effective(config: Config) -> dict[str, Any]:
    """Return the whole configuration, ready to be written as YAML that loads again.

    Values stand as the file and the environment gave them, so money is in dollars.

    Raises:
        ConfigError: the file cannot be read any more.
    """
    given = read_document(config.path).data
    shown = _shown(config.settings, given, name="")
    return dict(shown)


def masked(text: str) -> str:
    """Return a text without user, password or key in the addresses it holds."""
    return _SECRET_QUERY.sub(rf"\g<name>{MASK}", _CREDENTIALS.sub(rf"\g<scheme>{MASK}@", text))


def _shown(value: Any, given: Any, *, name: str) -> Any:
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    if isinstance(value, BaseModel):
        return _shown_model(value, given if isinstance(given, Mapping) else {})
    if isinstance(value, Mapping):
        inner = given if isinstance(given, Mapping) else {}
        return {str(key): _shown(one, inner.get(key), name=str(key)) for key, one in value.items()}
    if isinstance(value, list | tuple):
        inner_items = given if isinstance(given, list) else [None] * len(value)
        return [_shown(one, item, name=name) for one, item in zip(value, inner_items, strict=False)]
    return _shown_leaf(value, given, name=name)


def _shown_model(value: BaseModel, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a settings object; a value that neither the file nor a default gives is left out."""
    return {
        name: _shown(getattr(value, name), given.get(name), name=name)
        for name in type(value).model_fields
        if name in given or getattr(value, name) is not None
    }


def _shown_leaf(value: Any, given: Any, *, name: str) -> Any:
    # A default has no money in it, so what the file does not say can be shown as the program has it.
    plain = given if given is not None else _PLAIN.dump_python(value, mode="json")
    if isinstance(plain, list):
        return sorted(plain) if isinstance(value, frozenset) and given is None else plain
    if not isinstance(plain, str):
        return plain
    return MASK if plain and _SECRET_NAME.search(name) else masked(plain)
