"""Decoded JSON, by name."""

from typing import Any

JsonObject = dict[str, Any]
"""A decoded JSON object."""


JsonValue = Any
"""Any decoded JSON value."""
