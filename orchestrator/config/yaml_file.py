"""Reads YAML with `${NAME:-default}` or `${file:/a/path}` in it and remembers where every value stands."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from orchestrator.config.secret_files import SecretFileError, read_secret
from orchestrator.config.yaml_bounds import (
    DEPTH_MAX,
    FILE_BYTES_MAX,
    UNFOLDED_MAX,
    check_size,
    place_of,
    too_deep,
    values_of,
)
from orchestrator.core.errors import ConfigError
from orchestrator.core.settings import PLAIN_NUMBER

Path_ = tuple[str | int, ...]
"""The way to a value: `("providers", "openrouter", "kind")`."""

# libyaml reads the shipped file in a tenth of the time; every PyYAML wheel has it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_VARIABLE = re.compile(
    r"\$\{(?:file:(?P<file>[^{}]*?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*))(?::-(?P<default>[^{}]*))?\}"
)
_PLACE = re.compile(r"\A.*?:\d+:\d+: ")

_TEXT_TAG = "tag:yaml.org,2002:str"
_NUMBER_TAGS = frozenset({"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"})


@dataclass(frozen=True, slots=True)
class Document:
    """The plain data of a file, with the line and column of each of its parts."""

    name: str
    data: Any
    places: Mapping[Path_, tuple[int, int]]
    """Line and column, both from 1, of each key or item."""
    variables: Mapping[Path_, frozenset[str]] = field(default_factory=dict)
    """The variables of the environment and the files (`file:/a/path`) that a value was made of."""
    mentioned: Mapping[Path_, tuple[str, ...]] = field(default_factory=dict)
    """The variables and the files that a value names, whether they are set or not."""
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    """For each value with something of the environment in it, how it stands in the file."""

    def where(self, path: Sequence[str | int]) -> str:
        """Return `config.yaml:41:7` for the part at `path`, or for the nearest part around it."""
        for length in range(len(path), -1, -1):
            place = self.places.get(tuple(path[:length]))
            if place is not None:
                return f"{self.name}:{place[0]}:{place[1]}"
        return self.name

    def variables_at(self, path: Sequence[str | int]) -> str:
        """Return the names of the variables in the part at `path`, or in what is inside it."""
        length = len(path)
        names = {
            name for place, named in self.variables.items() if place[:length] == tuple(path) for name in named
        }
        return ", ".join(sorted(names))

    def without_values(self, mistake: str) -> str:
        """Return a mistake that quotes no value from the environment, but how it stands in the file."""
        match = _PLACE.match(mistake)
        start = match.end() if match else 0
        words = mistake[start:]
        for value, written in self.values.items():
            words = words.replace(f"'{value}'", f"'{written}'").replace(repr(value), f"'{written}'")
        return mistake[:start] + words


def read_document(path: Path, *, environment: Mapping[str, str] | None = None) -> Document:
    """Return the data of a YAML file, variables filled in.

    Raises:
        ConfigError: the file cannot be read, is no UTF-8, is no YAML, is larger or deeper than any
            configuration, repeats a key, or names a variable that is not set and has no default.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as exc:
        msg = (
            f"{path}: cannot be read: {exc.strerror}; name another file with --config or ORCHESTRATOR_CONFIG"
        )
        raise ConfigError(msg) from exc
    return parse_document(raw, name=str(path), environment=os.environ if environment is None else environment)


def parse_document(raw: bytes, *, name: str, environment: Mapping[str, str]) -> Document:
    """Return the data of YAML text; see `read_document`."""
    check_size(len(raw), name)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        msg = f"{name}:{line}: byte {exc.start} is not UTF-8; save the file as UTF-8"
        raise ConfigError(msg) from exc
    node, count = _composed(text, name)
    if node is None:
        msg = f"{name}: the file is empty; 'orchestrator config show' prints a whole one to start from"
        raise ConfigError(msg)
    builder = _Builder(_Loader(""), name, environment, values_max=count + UNFOLDED_MAX)
    data = builder.build(node, ())
    return Document(name, data, builder.places, builder.variables, builder.mentioned, builder.values)


def _composed(text: str, name: str) -> tuple[yaml.Node | None, int]:
    """Return the nodes of YAML text, None without any, and how many values are written out in it."""
    try:
        count = values_of(text, name, loader=_Loader)
        return _Loader(text).get_single_node(), count
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


def written(data: Mapping[str, Any]) -> str:
    """Return plain data as YAML text, in its own order."""
    return str(yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True, width=110))


class _Builder:
    """Turns YAML nodes into plain data."""

    def __init__(self, loader: Any, name: str, environment: Mapping[str, str], *, values_max: int) -> None:
        self.places: dict[Path_, tuple[int, int]] = {}
        self.variables: dict[Path_, frozenset[str]] = {}
        self.mentioned: dict[Path_, tuple[str, ...]] = {}
        self.values: dict[str, str] = {}
        self._values_left = values_max
        self._loader = loader
        self._name = name
        self._environment = environment
        self._under_way: list[yaml.Node] = []

    def build(self, node: yaml.Node, path: Path_) -> Any:
        self._values_left -= 1
        if self._values_left < 0:
            raise ConfigError(
                f"{self._at(node)}: aliases unfold to more than {UNFOLDED_MAX:,} values; write them out instead"
            )
        self.places.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
        return self._scalar(node, path) if isinstance(node, yaml.ScalarNode) else self._collection(node, path)

    def _collection(self, node: yaml.Node, path: Path_) -> dict[str, Any] | list[Any]:
        if any(node is outer for outer in self._under_way):
            raise ConfigError(f"{self._at(node)}: this part is used inside itself; write it out instead")
        if len(self._under_way) > DEPTH_MAX:
            raise ConfigError(too_deep(node, self._name))
        self._under_way.append(node)
        built = (
            self._mapping(node, path)
            if isinstance(node, yaml.MappingNode)
            else [self.build(item, (*path, place)) for place, item in enumerate(node.value)]
        )
        self._under_way.pop()
        return built

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            here = (*path, key)
            if key in built:
                first = self.places[here]
                raise ConfigError(
                    f"{self._at(key_node)}: '{key}' stands here again; it is first on line {first[0]}"
                )
            self.places[here] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            built[key] = self.build(value_node, here)
        return built

    def _scalar(self, node: yaml.ScalarNode, path: Path_) -> Any:
        written, names = str(node.value), frozenset[str]()
        if "${" in written:
            node, names = self._filled(node, path)
        if node.tag == _TEXT_TAG:
            return node.value
        if node.tag in _NUMBER_TAGS and not PLAIN_NUMBER.fullmatch(str(node.value)):
            # As it stands in the file: what a variable holds may be a secret.
            raise ConfigError(
                f"{self._at(node)}: '{written}' is no plain number (YAML takes 0100 for 64 and 1:30 for 90): "
                "write digits such as 100 or 0.5, or put a text in quotes"
            )
        try:
            return self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError) as exc:
            reason = f"what {', '.join(sorted(names))} holds makes no value" if names else exc
            raise ConfigError(f"{self._at(node)}: cannot be read: {reason}") from None

    def _filled(self, node: yaml.ScalarNode, path: Path_) -> tuple[yaml.ScalarNode, frozenset[str]]:
        """Return a value with its variables filled in, and the names of those that are set."""
        names: set[str] = set()
        written = str(node.value)
        filled = _VARIABLE.sub(lambda match: self._variable(match, node, names), written)
        self.mentioned[path] = tuple(_name_in(match) for match in _VARIABLE.finditer(written))
        if names:
            self.variables[path] = frozenset(names)
            self.values[filled] = written
        if filled == written:
            return node, frozenset(names)
        # An unquoted ${PORT} may become a number; a quoted one stays a text, as in the file.
        implicit = (True, False) if node.style is None else (False, True)
        tag = self._loader.resolve(yaml.ScalarNode, filled, implicit)
        return yaml.ScalarNode(tag, filled, node.start_mark), frozenset(names)

    def _variable(self, match: "re.Match[str]", node: yaml.Node, names: set[str]) -> str:
        name, default = _name_in(match), match["default"]
        # An empty variable counts as not set, as in a shell's ${NAME:-default}.
        value = self._environment.get(name) if match["name"] else self._secret(match["file"], node)
        is_there, value = value is not None, value or None
        if value is not None:
            names.add(name)
        elif default is None:
            missing = f"the environment variable {name} is not set; set it"
            if match["name"] is None:
                fault = "empty" if is_there else "not there"
                missing = f"the file {match['file']} is {fault}; write the secret into it"
            raise ConfigError(f"{self._at(node)}: {missing}, or write ${{{name}:-a default}}")
        return value or default or ""

    def _secret(self, name: str, node: yaml.Node) -> str | None:
        """Return what a file holds, nothing where that is blank, None where it is not there."""
        try:
            held = read_secret(name)
        except SecretFileError as exc:
            raise ConfigError(f"{self._at(node)}: {exc}") from None
        return "" if held is not None and held.isspace() else held

    def _at(self, node: yaml.Node) -> str:
        return place_of(node, self._name)


def _name_in(match: "re.Match[str]") -> str:
    return match["name"] or f"file:{match['file']}"
