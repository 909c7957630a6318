"""config.yaml and the environment, as frozen settings, or the lines that are wrong.

`load_config` is the only way in. Every mistake of a file is reported at once, each with its
line, its column and the word that was likely meant.
"""

import os
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, TypeGuard

from pydantic import ValidationError

from orchestrator.catalog.catalog import (
    Catalog,
)
from orchestrator.config.catalog_building import built_catalog
from orchestrator.config.experiments import experiments_of, shadow_limits, with_candidate
from orchestrator.config.key_descriptions import key_descriptions
from orchestrator.config.policy_files import outdated, read_whole
from orchestrator.config.references import broken_references
from orchestrator.config.schema import RootSettings
from orchestrator.config.secret_files import FILE_MARK
from orchestrator.config.yaml_file import Document
from orchestrator.core.errors import ConfigError, UnknownNameError
from orchestrator.core.home_paths import expanded
from orchestrator.core.names import name_of
from orchestrator.core.payer import ProbeRequest
from orchestrator.core.private_folder import planted, words_on_planted
from orchestrator.core.request import ChatRequest
from orchestrator.core.secret_values import SecretData
from orchestrator.core.settings import Settings, UnquotedError
from orchestrator.core.unknown_names import hint_for, unknown
from orchestrator.experiments.decision import decision_path
from orchestrator.experiments.experiment import Experiment
from orchestrator.ledger.budgets import Limits
from orchestrator.resilience.health_check_policy import NAME, PROFILE, limit_of
from orchestrator.resilience.retry_policy import RetryProfile
from orchestrator.routing.facts import DeploymentFacts, facts_of
from orchestrator.routing.settings import UseCaseSettings
from orchestrator.routing.shortlist import Shortlists

PATH_VARIABLE = "ORCHESTRATOR_CONFIG"
FILE_NAME = "config.yaml"

_NAME_MAX = 60
_MISTAKES_MAX = 50
"""More are not read, and finding the likely word for each takes its time."""


@dataclass(frozen=True)
class Config:
    """One valid configuration."""

    path: Path
    settings: RootSettings
    catalog: Catalog
    notices: tuple[str, ...]
    """What is not wrong but worth a line: a provider without a key, a model near its end."""
    fingerprint: str = field(repr=False)
    """A hash of the file and of what the environment put into it; equal means unchanged."""
    secret_files: tuple[Path, ...] = ()
    """The files that it takes values and policies from, whether they are there or not."""
    experiments: tuple[Experiment, ...] = ()
    """With what was decided of them."""
    written: SecretData = field(default=SecretData(None), repr=False, compare=False)
    """The file's values with those of the environment; keys are among them: mask what is shown."""
    _facts: dict[str, tuple[date, Mapping[str, DeploymentFacts], Shortlists]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What was computed of each use case, and for which day: nothing that could not be computed again."""
    _hosts: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)
    _candidates: dict[str, "Config"] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def limits(self) -> Limits:
        """Return every limit in force: those written down, of the health checks, and of shadows."""
        own = (limit_of(self.settings.health_checks), *shadow_limits(self.settings))
        return Limits(self.settings.budgets, own=own)

    def with_candidate(self, experiment: str) -> "Config":
        """Return this configuration with the candidate of an experiment in its use case."""
        if experiment not in self._candidates:
            known = next(each for each in self.experiments if each.name == experiment)
            self._candidates[experiment] = replace(self, settings=with_candidate(self.settings, known))
        return self._candidates[experiment]

    def use_case_of(self, request: ChatRequest) -> UseCaseSettings:
        """Return the settings of a request's use case.

        Raises:
            UnknownNameError: config.yaml does not define it.
        """
        return self.settings.use_cases[self.use_case_named(request.use_case)]

    def use_case_named(self, name: str | None) -> str:
        """Return the name of a use case, the default one for None: its limit counts under no other.

        Raises:
            UnknownNameError: config.yaml does not define it.
            InvalidRequestError: that is no name.
        """
        name = self.settings.default_use_case if name is None else name_of(name, "use_case")
        if name not in self.settings.use_cases:
            raise UnknownNameError(unknown("use case", name, self.settings.use_cases))
        return name

    def facts_of(self, use_case_name: str, *, today: date) -> Mapping[str, DeploymentFacts]:
        """Return what counts of each usable deployment in a use case that is defined, whatever the request.

        It is computed once for a day.
        """
        return self._of_the_day(use_case_name, today)[0]

    def hosts_of(self, use_case_name: str) -> str:
        """Return which of OpenRouter's hosts may serve a use case, as one text; empty is any."""
        if use_case_name not in self._hosts:
            nearest = self.settings.use_cases[use_case_name].openrouter_preferences
            self._hosts[use_case_name] = self.catalog.hosts_of(nearest)
        return self._hosts[use_case_name]

    def shortlists_of(self, use_case_name: str, *, today: date) -> Shortlists:
        """Return which of these deployments have to be looked at for a request."""
        return self._of_the_day(use_case_name, today)[1]

    def _of_the_day(
        self, use_case_name: str, today: date
    ) -> tuple[Mapping[str, DeploymentFacts], Shortlists]:
        known = self._facts.get(use_case_name)
        if known is None or known[0] != today:
            use_case = self.settings.use_cases[use_case_name]
            facts = facts_of(
                self.catalog.deployments.values(), use_case_name=use_case_name, use_case=use_case, today=today
            )
            known = self._facts[use_case_name] = (today, facts, Shortlists(facts))
        return known[1:]

    def profile_of(self, request: ChatRequest) -> RetryProfile:
        """Return the retry profile of a request.

        Raises:
            UnknownNameError: config.yaml does not define the profile the request names.
        """
        name = request.profile or self.use_case_of(request).profile
        if name == NAME and isinstance(request, ProbeRequest):
            return PROFILE
        profile = self.settings.retry_profiles.get(name)
        if profile is None:
            raise UnknownNameError(unknown("retry profile", name, self.settings.retry_profiles))
        return profile

    def deadline_s_of(self, request: ChatRequest) -> float:
        """Return the seconds of a whole request: its own, its use case's, or those of the profile.

        A profile that the request names itself counts before what its use case says.

        Raises:
            UnknownNameError: config.yaml does not define the use case or the profile.
        """
        of_use_case = self.use_case_of(request).deadline_s if request.profile is None else None
        return request.deadline_s or of_use_case or self.profile_of(request).deadline_s


def default_path() -> Path:
    """Return the configuration to use: $ORCHESTRATOR_CONFIG, ./config.yaml, or the embedded one.

    Raises:
        ConfigError: another user has put a config.yaml into a working folder that everybody may write.
    """
    named = os.environ.get(PATH_VARIABLE)
    if named:
        return expanded(named)
    here = Path(FILE_NAME)
    if not here.is_file():
        return embedded_path()
    strange = planted(here)
    if strange is not None:
        # It says where keys and prompts are sent, and which commands are run.
        raise ConfigError(
            f"{FILE_NAME} is not read: {words_on_planted(strange)}. If it is meant, say so with --config or "
            f"${PATH_VARIABLE}"
        )
    return here


def embedded_path() -> Path:
    """Return the config.yaml that comes with the package (in a checkout: the one at its top)."""
    package = Path(__file__).parents[1]
    packaged = package / FILE_NAME
    return packaged if packaged.is_file() else package.parent / FILE_NAME


_OF_WHOLE_PARTS = ("model_type", "attributes_type", "dict_type", "mapping_type", "list_type", "tuple_type")
"""The ends of pydantic's types of errors about a part that is none, such as a model that is a number."""


def load_config(
    path: Path | str | None = None, *, today: date, environment: Mapping[str, str] | None = None
) -> Config:
    """Read, check and complete a configuration.

    Raises:
        ConfigError: the file cannot be used; the message has one line for each mistake.
    """
    try:
        return _loaded(expanded(path) if path is not None else default_path(), today, environment)
    except ConfigError as exc:
        refusal = exc
    finally:
        del environment
    # The frames that found it hold the values of keys, and what reports errors shows the variables of frames.
    refusal.__cause__ = refusal.__context__ = None
    raise refusal.with_traceback(None)


def _loaded(chosen: Path, today: date, environment: Mapping[str, str] | None) -> Config:
    document, policies = read_whole(chosen, environment=environment)
    settings = _validated(document)
    mistakes = list(islice(broken_references(document, settings), _MISTAKES_MAX + 1))
    mistakes.extend(outdated(settings, policies))
    catalog, notices, unpriced = built_catalog(document, settings, today=today)
    mistakes.extend(unpriced)
    experiments, overlaps = experiments_of(document, settings, chosen)
    mistakes.extend(overlaps)
    if mistakes:
        raise _refusal(document, mistakes)
    decided = tuple(experiment.decision for experiment in experiments)
    fingerprint = sha256(repr((document.data, decided)).encode()).hexdigest()
    named = {name for names in document.mentioned.values() for name in names if name.startswith(FILE_MARK)}
    secret_files = tuple(Path(name.removeprefix(FILE_MARK)) for name in sorted(named))
    decisions = tuple(decision_path(chosen, name) for name in settings.experiments)
    used = (*secret_files, *(file.path for file in policies), *decisions)
    return Config(
        chosen, settings, catalog, tuple(notices), fingerprint, used, experiments, SecretData(document.data)
    )


def _validated(document: Document) -> RootSettings:
    if not isinstance(document.data, dict):
        raise ConfigError(
            f"{document.where(())}: expected keys such as 'providers:' and 'models:' at the top"
        )
    try:
        return RootSettings.model_validate(document.data)
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_input=False)[: _MISTAKES_MAX + 1]
        mistakes = [_explained(document, error) for error in errors]
        raise _refusal(document, [*mistakes, *_broken_besides(document, errors)]) from None


def _broken_besides(document: Document, errors: Sequence[Any]) -> list[str]:
    """Return the names that lead nowhere in a file with wrong values, as far as its rest is whole."""
    if any(error["type"].endswith(_OF_WHOLE_PARTS) for error in errors):
        # What else is wrong in such a part nobody knows, and its name would be missed elsewhere.
        return []
    try:
        rest = RootSettings.model_validate(_without(document.data, [tuple(error["loc"]) for error in errors]))
    except ValidationError:
        return []
    return list(islice(broken_references(document, rest), _MISTAKES_MAX + 1))


def _without(value: Any, paths: Sequence[tuple[str | int, ...]]) -> Any:
    """Return a part of the file without the single values at these paths; places in lists stay."""
    if isinstance(value, dict):
        deeper = {key: [path[1:] for path in paths if path[:1] == (key,)] for key in value}
        return {
            key: _without(item, deeper[key])
            for key, item in value.items()
            if () not in deeper[key] or isinstance(item, dict | list)
        }
    if isinstance(value, list):
        places = [[path[1:] for path in paths if path[:1] == (place,)] for place in range(len(value))]
        return [_without(item, deeper) for item, deeper in zip(value, places, strict=True)]
    return value


def _refusal(document: Document, mistakes: Sequence[str]) -> ConfigError:
    """Return the error that tells every mistake, up to a number that people read; it quotes no variable."""
    lines = [document.without_values(mistake) for mistake in mistakes[:_MISTAKES_MAX]]
    if len(mistakes) > _MISTAKES_MAX:
        lines.append(f"{document.name}: and more; mend these first")
    return ConfigError("\n".join(lines))


def _explained(document: Document, error: Any) -> str:
    path = tuple(error["loc"])
    where = document.where(path)
    name = ".".join(map(_shown, path))
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key '{name}'{hint_for(str(path[-1]), _keys_at(RootSettings, path[:-1]))}"
    if error["type"] == "missing":
        return f"{where}: '{name}' is missing{_description_of(path)}"
    variables = document.variables_at(path)
    is_unquoted = isinstance(error.get("ctx", {}).get("error"), UnquotedError)
    if variables and error["type"] == "value_error" and not is_unquoted:
        # The words of a check of ours may quote what it refused, or a part of it.
        return f"{where}: {name}: what {_held(variables)} cannot stand here"
    text = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {name}: {text[0].lower()}{text[1:]}"


def _shown(part: str | int) -> str:
    """Return a step of a path so that a mistake stays one line that people read."""
    text = str(part)
    shown = text if text.isprintable() else ascii(text)[1:-1]
    return shown if len(shown) <= _NAME_MAX else f"{shown[:_NAME_MAX]}…"


def _held(variables: str) -> str:
    return f"{variables} holds" if "file:" in variables else f"{variables} holds in the environment"


def _description_of(path: Sequence[str | int]) -> str:
    """Return what the documentation says of a key, as the end of a sentence."""
    holder: Any = RootSettings
    for step in path[:-1]:
        holder = _inner(holder, step)
    description = key_descriptions(holder).get(str(path[-1])) if _is_settings(holder) else None
    return f": {description[0].lower()}{description[1:].rstrip('.')}" if description else ""


def _is_settings(kind: Any) -> TypeGuard[type[Settings]]:
    return isinstance(kind, type) and issubclass(kind, Settings)


def _keys_at(kind: Any, path: Sequence[str | int]) -> Iterator[str]:
    """Yield the keys that a settings type knows at `path`."""
    if path:
        yield from _keys_at(_inner(kind, path[0]), path[1:])
    elif _is_settings(kind):
        yield from kind.model_fields


def _inner(kind: Any, step: str | int) -> Any:
    if _is_settings(kind):
        field = kind.model_fields.get(str(step))
        return _without_none(field.annotation) if field else None
    arguments = typing.get_args(kind)
    return (
        _without_none(arguments[1] if isinstance(step, str) and len(arguments) > 1 else arguments[0])
        if arguments
        else None
    )


def _without_none(kind: Any) -> Any:
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        return next((argument for argument in typing.get_args(kind) if argument is not type(None)), None)
    return kind
