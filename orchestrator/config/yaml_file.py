"""Reads YAML with `${NAME:-default}` or `${file:/a/path}` in it and remembers where every value stands."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from orchestrator.config.secret_files import SecretFileError, read_secret
from orchestrator.config.yaml_bounds import FILE_BYTES_MAX, check_size, place_of
from orchestrator.config.yaml_template import LOADER, Path_, Template, read_template, scalar_of
from orchestrator.core.errors import ConfigError

_VARIABLE = re.compile(
    r"\$\{(?:file:(?P<file>[^{}]*?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*))(?::-(?P<default>[^{}]*))?\}"
)
_PLACE = re.compile(r"\A.*?:\d+:\d+: ")


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
    template = read_template(text, name=name)
    filling = _Filling(name, environment)
    data = filling.fill(template)
    return Document(name, data, template.places, filling.variables, filling.mentioned, filling.values)


def written(data: Mapping[str, Any]) -> str:
    """Return plain data as YAML text, in its own order."""
    return str(yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True, width=110))


class _Filling:
    """Fills in what the environment and the files of secrets hold."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self.variables: dict[Path_, frozenset[str]] = {}
        self.mentioned: dict[Path_, tuple[str, ...]] = {}
        self.values: dict[str, str] = {}
        self._loader = LOADER("")
        self._name = name
        self._environment = environment

    def fill(self, template: Template) -> Any:
        """Return the data of a template, which stays as it is."""
        data = template.copied()
        for path, node in template.gaps:
            value = self._value(node, path)
            if not path:
                return value
            holder = data
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]] = value
        return data

    def _value(self, gap: yaml.ScalarNode, path: Path_) -> Any:
        node, names = self._filled(gap, path)
        holders = ", ".join(sorted(names))
        return scalar_of(self._loader, node, name=self._name, written=gap.value, holders=holders)

    def _filled(self, node: yaml.ScalarNode, path: Path_) -> tuple[yaml.ScalarNode, frozenset[str]]:
        """Return a value with its variables filled in, and the names of those that are set."""
        names: set[str] = set()
        written = node.value
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
