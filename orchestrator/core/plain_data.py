"""Plain data as a caller hands it over: copies that share nothing with it, and how deep it may lie."""

from collections.abc import Mapping
from typing import Any

from orchestrator.core.errors import InvalidRequestError


def copied(value: Any) -> Any:
    """Return plain data that can be changed without changing `value`: mappings and lists are made anew."""
    if type(value) is str:
        # Most values are, and to ask whether a text is a mapping takes ten times as long.
        return value
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list | tuple) else value


_KINDS = (
    *((bool, "true or false"), (int | float, "a number"), (str, "a text"), (list | tuple, "a list")),
    (Mapping, "an object"),
)


def kind_in_words(value: Any) -> str:
    """Return what a value is in the words of JSON, which callers of every language know: `a list`, `null`.

    What JSON does not have is named by its class.
    """
    if value is None:
        return "null"
    return next((words for kind, words in _KINDS if isinstance(value, kind)), type(value).__name__)


ARGUMENTS_DEPTH_MAX = 100
"""Of lists and objects in each other: as Google reads them, and every library that has them on the way."""
REQUEST_DEPTH_MAX = ARGUMENTS_DEPTH_MAX + 20
"""Of messages and parameters, which have arguments and schemas in them."""


def check_depth(value: Any) -> None:
    """Check that what a request is made of can be read by all who handle it on the way.

    Raises:
        InvalidRequestError: it is deeper.
    """
    if is_deeper(value, REQUEST_DEPTH_MAX):
        raise InvalidRequestError(
            f"messages, tools or parameters have lists and objects more than {REQUEST_DEPTH_MAX} deep in each other: "
            "nest them less"
        )


def is_deeper(value: Any, levels: int) -> bool:
    """Return whether lists and objects lie more than `levels` deep in each other; in itself is endless."""
    layer = [value] if isinstance(value, Mapping | list | tuple) else []
    for _ in range(levels):
        if not layer:
            return False
        # Each once: data may hold the same list in a thousand places.
        inside = {
            id(inner): inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, Mapping) else outer)
            if isinstance(inner, Mapping | list | tuple)
        }
        layer = list(inside.values())
    return bool(layer)
