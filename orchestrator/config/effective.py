"""The configuration in force as plain data: the file's values and units, with defaults, secrets masked."""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from pydantic import BaseModel, SecretStr, TypeAdapter

from orchestrator.catalog.models import ModelSettings
from orchestrator.config.loader import Config
from orchestrator.config.schema import RootSettings
from orchestrator.core.secret_values import SecretAddress, secret_text

MASK = "********"
"""Stands in the place of a secret that is set."""

_CREDENTIALS = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)[^/@\s]+@")
_SECRET_QUERY = re.compile(
    r"(?i)(?P<name>[?&](?:[\w-]*(?:key|token|secret|password|signature|sig))=)[^&#\s]+"
)
_SECRET_NAME = re.compile(r"(?i)auth|key|token|secret|password|cookie|credential")
_HEADERS = "headers"
SECTIONS_WITH_SECRETS = ("providers", "alerts", "telemetry")
"""The keys at the top of config.yaml whose settings have fields for secrets."""
_PLAIN = TypeAdapter(Any)


def effective(config: Config) -> dict[str, Any]:
    """Return the whole configuration, ready to be written as YAML that loads again.

    Values stand as in the file and the environment of when it was read, so money is in dollars.
    """
    shown = _shown(config.settings, config.written.get_secret_value(), name="")
    return dict(shown)


def masked(text: str) -> str:
    """Return a text without user, password or key in the addresses it holds."""
    return _SECRET_QUERY.sub(rf"\g<name>{MASK}", _CREDENTIALS.sub(rf"\g<scheme>{MASK}@", text))


def secrets_of(settings: RootSettings) -> tuple[str, ...]:
    """Return every key, token and password of a configuration, wherever it stands.

    Of headers those whose names speak of a secret: what others hold, such as a title, is said in prompts too.
    """
    # Of hundreds of models there is nothing to be told, and a request whose content is kept waits for this.
    held = (_secrets_in(getattr(settings, section), name=section) for section in SECTIONS_WITH_SECRETS)
    return tuple(dict.fromkeys(chain.from_iterable(held)))


def _secrets_in(value: Any, *, name: str) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from _secrets_in(getattr(value, field), name=field)
    elif isinstance(value, Mapping) and name.endswith(_HEADERS):
        held = [secret_text(item) for header, item in value.items() if _SECRET_NAME.search(header)]
        # Of `Bearer ...` the key alone, too.
        yield from (*held, *(text.rpartition(" ")[2] for text in held))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _secrets_in(item, name=str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _secrets_in(item, name=name)


def _shown(value: Any, raw: Any, *, name: str) -> Any:
    if isinstance(value, SecretStr):
        return _shown_secret(value)
    if isinstance(value, BaseModel):
        return _shown_model(value, raw if isinstance(raw, Mapping) else {})
    if isinstance(value, Mapping) and name == _HEADERS:
        # Whatever its name: nobody knows which header of a gateway is a key.
        return {str(key): _shown_secret(item) for key, item in value.items()}
    if isinstance(value, Mapping):
        inner = raw if isinstance(raw, Mapping) else {}
        return {str(key): _shown(item, inner.get(key), name=str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        inner_items = raw if isinstance(raw, list) else [None] * len(value)
        return [_shown(item, raw_item, name=name) for item, raw_item in zip(value, inner_items, strict=False)]
    return _shown_leaf(value, raw, name=name)


def _shown_secret(value: SecretStr) -> str:
    if isinstance(value, SecretAddress):
        return f"{value.host}/{MASK}"
    return MASK if value.get_secret_value() else ""


def _shown_model(value: BaseModel, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a settings object; a value that stands neither in the file nor as a default is left out."""
    return {
        name: _shown(getattr(value, name), raw.get(name), name=name)
        for name in (value.written_fields if isinstance(value, ModelSettings) else type(value).model_fields)
        if name in raw or getattr(value, name) is not None
    }


def _shown_leaf(value: Any, raw: Any, *, name: str) -> Any:
    # No default is an amount of money, so its value in the program is also the one to write.
    plain = raw if raw is not None else _PLAIN.dump_python(value, mode="json")
    if isinstance(plain, list):
        return sorted(plain) if isinstance(value, frozenset) and raw is None else plain
    if not isinstance(plain, str):
        return plain
    return MASK if plain and _SECRET_NAME.search(name) else masked(plain)
