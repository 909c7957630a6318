"""How large a YAML file may be before it is read: bytes, depth, the length of one value.

A file of 3 KB whose aliases name aliases unfolds to billions of values, and one of nested brackets to a depth
that ends the process. Here a file is looked through once, event by event, and nothing of it is built.
"""

from typing import Any

import yaml

from orchestrator.core.errors import ConfigError

FILE_BYTES_MAX = 4 * 1024 * 1024
"""A hundred times the shipped file."""
DEPTH_MAX = 32
"""Of maps and lists inside each other; the shipped file has six."""
UNFOLDED_MAX = 20_000
"""Values that aliases may add to those that are written out."""
_VALUE_CHARS_MAX = 64 * 1024


def check_size(size_bytes: int, name: str) -> None:
    """Check the size of a file.

    Raises:
        ConfigError: it is larger than any configuration.
    """
    if size_bytes > FILE_BYTES_MAX:
        raise ConfigError(f"{name}: larger than {FILE_BYTES_MAX // 2**20} MB, which no configuration is")


def values_of(text: str, name: str, *, loader: Any) -> int:
    """Return how many values are written out in YAML text; aliases are not followed.

    Raises:
        ConfigError: maps and lists are nested too deeply, a value is too long or has a tag (`!!python/...`).
        yaml.YAMLError: it is no YAML.
    """
    depth = count = 0
    for event in yaml.parse(text, Loader=loader):
        # Without a word it would mean nothing: what a value is, its own letters say.
        if getattr(event, "tag", None) is not None:
            raise ConfigError(
                f"{place_of(event, name)}: a tag ('!' before a value) means nothing here: write the value alone, "
                "a text in quotes"
            )
        if isinstance(event, yaml.ScalarEvent):
            count += 1
            if len(event.value) > _VALUE_CHARS_MAX:
                raise ConfigError(
                    f"{place_of(event, name)}: a value of more than {_VALUE_CHARS_MAX:,} letters"
                )
        elif isinstance(event, yaml.CollectionStartEvent):
            depth, count = depth + 1, count + 1
            if depth > DEPTH_MAX:
                raise ConfigError(too_deep(event, name))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return count


def too_deep(part: Any, name: str) -> str:
    """Return the mistake of a part (an event or a node) that is nested too deeply."""
    return f"{place_of(part, name)}: more than {DEPTH_MAX} maps or lists inside each other"


def place_of(part: Any, name: str) -> str:
    """Return `config.yaml:41:7`, where an event or a node begins."""
    return f"{name}:{part.start_mark.line + 1}:{part.start_mark.column + 1}"
