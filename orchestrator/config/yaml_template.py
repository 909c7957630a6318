"""YAML text as plain data with gaps where variables stand; a text is read once, however often it is loaded.

A process reads its configuration again and again: to watch it, to rehearse it, to compare it with another.
What is made of the text alone is kept; what the environment and the files of secrets put into it is not.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

from orchestrator.config.yaml_bounds import DEPTH_MAX, UNFOLDED_MAX, place_of, too_deep, values_of
from orchestrator.core.errors import ConfigError
from orchestrator.core.money import is_read_alike

Path_ = tuple[str | int, ...]
"""The way to a value: `("providers", "openrouter", "kind")`."""

# libyaml reads the shipped file in a tenth of the time; every PyYAML wheel has it.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_TEXT_TAG = "tag:yaml.org,2002:str"
_SHOWN_MAX = 40
_NUMBER_TAGS = frozenset({"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"})

_KEPT_MAX = 16
"""Texts that are kept: a configuration, the policies of its use cases, and what it is compared with."""
_KEPT_LETTERS_MAX = 256 * 1024
"""Of a text; a longer one is read each time, for what is made of it may take fifty times its room."""


@dataclass(frozen=True, slots=True)
class Template:
    """What YAML text says, before anything of the environment is in it."""

    packed: bytes = field(repr=False)
    """Plain data, None in each gap, as `pickle` writes it: reading it makes a copy ten times as fast."""
    places: Mapping[Path_, tuple[int, int]]
    """Line and column, both from 1, of each key or item."""
    gaps: tuple[tuple[Path_, yaml.ScalarNode], ...] = field(repr=False)
    """The values with something like `${NAME}` in them, in their order."""

    def copied(self) -> Any:
        """Return the data, to be filled."""
        return pickle.loads(self.packed)  # noqa: S301 -- this process wrote it


def read_template(text: str, *, name: str) -> Template:
    """Return what YAML text says; `name` is the file's, for messages.

    Raises:
        ConfigError: it is empty, no YAML, larger or deeper than any configuration, or repeats a key.
    """
    source = _Source(text, name)
    return _read_once(source) if len(text) <= _KEPT_LETTERS_MAX else _read(source)


def scalar_of(loader: Any, node: yaml.ScalarNode, *, name: str, written: str, holders: str = "") -> Any:
    """Return the value of a scalar in a file of that name.

    In messages it stands as `written`, for what variables hold may be a secret; `holders` are the names of
    those that are filled in.

    Raises:
        ConfigError: it is a number that people read in two ways, or no value of its kind.
    """
    if node.tag == _TEXT_TAG:
        return node.value
    if node.tag in _NUMBER_TAGS and not is_read_alike(str(node.value)):
        shown = written if len(written) <= _SHOWN_MAX else f"{written[:_SHOWN_MAX]}…"
        raise ConfigError(
            f"{place_of(node, name)}: '{shown}' is no plain number (0100, 1:30 and 1.000 are read in two "
            "ways): write digits such as 100 or 0.5, or put a text in quotes"
        )
    try:
        return loader.construct_object(node)
    except (yaml.YAMLError, ValueError) as exc:
        reason = f"what {holders} holds makes no value" if holders else exc
        raise ConfigError(f"{place_of(node, name)}: cannot be read: {reason}") from None


@dataclass(frozen=True, slots=True)
class _Source:
    """A text, and what its file is called; equal texts are one, whatever their files are called."""

    text: str = field(repr=False)
    name: str = field(compare=False)


def _read(source: _Source) -> Template:
    node, count = _composed(source.text, source.name)
    if node is None:
        msg = f"{source.name}: the file is empty; 'orchestrator config show' prints a whole one to start from"
        raise ConfigError(msg)
    builder = _Builder(source.name, values_max=count + UNFOLDED_MAX)
    builder.places[()] = _line_and_column(node)
    data = builder.build(node, ())
    return Template(pickle.dumps(data), builder.places, tuple(builder.gaps))


_read_once = lru_cache(maxsize=_KEPT_MAX)(_read)


def _composed(text: str, name: str) -> tuple[yaml.Node | None, int]:
    """Return the nodes of YAML text, None without any, and how many values are written out in it."""
    try:
        count = values_of(text, name, loader=LOADER)
        return LOADER(text).get_single_node(), count
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        # libyaml's mark may stand behind the last line.
        column = mark.column if mark else 0
        lines = text.split("\n")[mark.line : mark.line + 1] if mark else []
        is_tab = any(line[column : column + 1] == "\t" for line in lines)
        problem = "a tab stands here, YAML is indented with spaces" if is_tab else exc.problem or exc.context
        msg = f"{place}: not valid YAML: {problem}"
        raise ConfigError(msg) from exc
    except yaml.YAMLError as exc:
        msg = f"{name}: not valid YAML: {' '.join(str(exc).split())}"
        raise ConfigError(msg) from exc


class _Builder:
    """Turns YAML nodes into plain data."""

    def __init__(self, name: str, *, values_max: int) -> None:
        self.places: dict[Path_, tuple[int, int]] = {}
        self.gaps: list[tuple[Path_, yaml.ScalarNode]] = []
        self._values_left = values_max
        self._loader = LOADER("")
        self._name = name
        self._under_way: set[int] = set()

    def build(self, node: yaml.Node, path: Path_) -> Any:
        self._values_left -= 1
        if self._values_left < 0:
            raise ConfigError(
                f"{self._at(node)}: aliases unfold to more than {UNFOLDED_MAX:,} values; write them out instead"
            )
        return self._scalar(node, path) if isinstance(node, yaml.ScalarNode) else self._collection(node, path)

    def _collection(self, node: yaml.Node, path: Path_) -> dict[str, Any] | list[Any]:
        if id(node) in self._under_way:
            raise ConfigError(f"{self._at(node)}: this part is used inside itself; write it out instead")
        if len(self._under_way) > DEPTH_MAX:
            raise ConfigError(too_deep(node, self._name))
        self._under_way.add(id(node))
        built = (
            self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._sequence(node, path)
        )
        self._under_way.remove(id(node))
        return built

    def _sequence(self, node: yaml.Node, path: Path_) -> list[Any]:
        built = []
        for place, item in enumerate(node.value):
            here = (*path, place)
            self.places[here] = _line_and_column(item)
            built.append(self.build(item, here))
        return built

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError(f"{self._at(key_node)}: a list or a map stands where a key is meant")
            key = str(key_node.value)
            here = (*path, key)
            if key in built:
                first = self.places[here]
                raise ConfigError(
                    f"{self._at(key_node)}: '{key}' stands here again; it is first on line {first[0]}"
                )
            self.places[here] = _line_and_column(key_node)
            built[key] = self.build(value_node, here)
        return built

    def _scalar(self, node: yaml.ScalarNode, path: Path_) -> Any:
        if "${" in node.value:
            self.gaps.append((path, node))
            return None
        return scalar_of(self._loader, node, name=self._name, written=node.value)

    def _at(self, node: yaml.Node) -> str:
        return place_of(node, self._name)


def _line_and_column(node: yaml.Node) -> tuple[int, int]:
    mark = node.start_mark
    return mark.line + 1, mark.column + 1
