"""Policies that stand in files of their own: `policy: {file: policies/tag_bulk.yaml}`.

A policy that was measured says under what: the use case's output limit, and which model each deployment
was. Where that has changed since, the measurement proves nothing, and the file is refused; a
configuration that is in force stays in force.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.config.schema import RootSettings
from orchestrator.config.yaml_bounds import FILE_BYTES_MAX
from orchestrator.config.yaml_file import Document, parse_document, read_document
from orchestrator.config.yaml_template import Path_
from orchestrator.core.bounded_file import read_bounded
from orchestrator.core.errors import ConfigError

_KEYS = ("use_case", "policy", "measured")
_POLICY = "policy"


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One file that was read."""

    path: Path
    use_case: str
    conditions: Mapping[str, Any]
    where: str
    """The line of its conditions, or of its beginning."""
    key: str = _POLICY
    """The key of config.yaml that names it: policy, or candidate of an experiment."""

    @property
    def remedy(self) -> str:
        """Return what to do about a file that cannot be used."""
        return _remedy(self.key)


def _remedy(key: str) -> str:
    other = (
        f"take '{_POLICY}' out of config.yaml" if key == _POLICY else f"name another '{key}' in config.yaml"
    )
    return f"run 'orchestrator calibrate' again, or {other}"


def read_whole(
    path: Path, *, environment: Mapping[str, str] | None = None
) -> tuple[Document, tuple[PolicyFile, ...]]:
    """Return a config.yaml with the policies of the files that it names; their paths are beside it.

    Raises:
        ConfigError: a file cannot be read, or is of another use case; says its line.
    """
    document = read_document(path, environment=environment)
    files, data = [], document.data
    for place, use_case in _places(data):
        policy = _at(data, place)
        if not isinstance(policy, dict) or "file" not in policy:
            continue
        where = document.where((*place, "file"))
        key = str(place[-1])
        file = _path_of(policy, path.parent, where, key)
        content, read = _read(PolicyFile(file, use_case, {}, where, key), environment)
        files.append(read)
        data = _with(data, place, content)
    return (replace(document, data=data) if files else document), tuple(files)


def _places(data: Any) -> Iterator[tuple[Path_, str]]:
    """Yield where policies may stand, and of which use case each is."""
    for key in _part(data, "use_cases"):
        yield ("use_cases", key, "policy"), str(key)
    for key, experiment in _part(data, "experiments").items():
        if isinstance(experiment, dict):
            yield ("experiments", key, "candidate"), str(experiment.get("use_case"))


def _part(data: Any, key: str) -> dict[Any, Any]:
    part = data.get(key) if isinstance(data, dict) else None
    return part if isinstance(part, dict) else {}


def _at(data: Any, place: Path_) -> Any:
    for step in place:
        data = data.get(step) if isinstance(data, dict) else None
    return data


def _with(data: Any, place: Path_, value: Any) -> Any:
    """Return plain data with another value at a place that is there."""
    if not place:
        return value
    return {**data, place[0]: _with(data[place[0]], place[1:], value)}


def _path_of(policy: Mapping[str, Any], beside: Path, where: str, key: str) -> Path:
    name = policy["file"]
    if len(policy) > 1 or not isinstance(name, str) or not name:
        raise ConfigError(f"{where}: 'file' stands alone in a policy and is a path: {key}: {{file: PATH}}")
    return beside / Path(name).expanduser()


def _read(file: PolicyFile, environment: Mapping[str, str] | None) -> tuple[Any, PolicyFile]:
    """Return the policy in a file, and the file with what is known of it; `where` is still the key's line."""
    path, use_case = file.path, file.use_case
    try:
        raw = read_bounded(path, bytes_max=FILE_BYTES_MAX)
    except OSError as exc:
        raise ConfigError(
            f"{file.where}: policy file {path} cannot be read: {exc.strerror}; {file.remedy}"
        ) from None
    inside = parse_document(
        raw, name=str(path), environment=os.environ if environment is None else environment
    )
    content = inside.data
    if (
        not isinstance(content, dict)
        or not isinstance(content.get("policy"), dict)
        or set(content) - set(_KEYS)
    ):
        raise ConfigError(f"{inside.where(())}: a policy file has the keys {', '.join(_KEYS)}; {file.remedy}")
    if content.get("use_case") != use_case:
        raise ConfigError(
            f"{inside.where(('use_case',))}: this policy is of use case {content.get('use_case')!r}, and config.yaml "
            f"names it in '{use_case}': each use case needs a measurement of its own; {file.remedy}"
        )
    measured = content.get("measured")
    conditions = measured.get("conditions") if isinstance(measured, dict) else None
    path_of_conditions = ("measured", "conditions")
    return content["policy"], replace(
        file,
        conditions=conditions if isinstance(conditions, dict) else {},
        where=inside.where(path_of_conditions),
    )


def measured_under(settings: RootSettings, use_case: str, deployments: Iterable[str]) -> dict[str, Any]:
    """Return what a measurement of these deployments in a use case hangs on, for JSON."""
    known = settings.deployments
    return {
        "max_tokens": settings.use_cases[use_case].max_tokens,
        "primary": settings.use_cases[use_case].primary.deployment,
        "deployments": {name: known[name].upstream for name in dict.fromkeys(deployments) if name in known},
    }


def outdated(settings: RootSettings, files: Iterable[PolicyFile]) -> Iterator[str]:
    """Yield a line for each policy file whose use case has changed since it was measured."""
    for file in files:
        before = file.conditions
        names = before.get("deployments")
        now = measured_under(settings, file.use_case, names if isinstance(names, dict) else ())
        for name in ("max_tokens", "primary"):
            if name in before and before[name] != now[name]:
                yield (
                    f"{file.where}: measured with {name} {before[name]!r}, and '{file.use_case}' has {now[name]!r} "
                    f"now; {file.remedy}"
                )
        for name, upstream in (names if isinstance(names, dict) else {}).items():
            if now["deployments"].get(name, upstream) != upstream:
                yield (
                    f"{file.where}: measured when '{name}' was {upstream!r}, and it is {now['deployments'][name]!r} "
                    f"now; {file.remedy}"
                )
