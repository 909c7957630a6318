"""Plain data as a caller hands it over: copies that share nothing with it."""

from collections.abc import Mapping
from typing import Any


def copied(value: Any) -> Any:
    """Return plain data that can be changed without changing `value`: mappings and lists are made anew."""
    if type(value) is str:
        # Most values are, and to ask whether a text is a mapping takes ten times as long.
        return value
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list | tuple) else value
