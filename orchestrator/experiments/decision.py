"""Decisions on experiments, each a file beside config.yaml that every running process follows.

    experiments/faq.json    promoted or rolled back, when, by whom, why, and which candidate

A decision is on one candidate. Where config.yaml names another by now, it decides nothing, and the experiment
begins anew.
"""

from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import AwareDatetime, ValidationError

from orchestrator.core.bounded_file import read_bounded
from orchestrator.core.errors import ConfigError, StateError
from orchestrator.core.private_folder import check_folder_of
from orchestrator.core.settings import Settings
from orchestrator.core.whole_file import write_whole

_FOLDER = "experiments"
_SIZE_MAX_BYTES = 65_536


class Verdict(StrEnum):
    """What was decided."""

    PROMOTED = "promoted"
    """The candidate answers for all."""
    ROLLED_BACK = "rolled_back"
    """It is asked no more."""


class DecidedBy(StrEnum):
    """Who decided."""

    COMMAND = "command"
    RULE = "rule"


class ExperimentDecision(Settings):
    """What was decided of an experiment."""

    experiment: str
    verdict: Verdict
    candidate: str
    """The fingerprint of the candidate that it is on."""
    at: AwareDatetime
    by: DecidedBy
    reason: str = ""
    """For people: what was proven then."""


def decision_path(config_path: Path, experiment: str) -> Path:
    """Return where the decision on an experiment stands, whether there is one or not."""
    return config_path.parent / _FOLDER / f"{experiment}.json"


def read_decision(path: Path, experiment: str) -> ExperimentDecision | None:
    """Return the decision of a file, None where there is none.

    Raises:
        ConfigError: it cannot be read, or is no decision on this experiment.
    """
    remedy = "delete it, and decide again: without it the experiment runs as config.yaml says"
    try:
        check_folder_of(path)
        raw = read_bounded(path, bytes_max=_SIZE_MAX_BYTES)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise ConfigError(f"{path}: the decision cannot be read: {exc.strerror}; {remedy}") from None
    try:
        decision = ExperimentDecision.model_validate_json(raw)
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, error["loc"])) or "the file"
        raise ConfigError(f"{path}: no decision: {where}: {error['msg']}; {remedy}") from None
    if decision.experiment != experiment:
        raise ConfigError(f"{path}: this decision is on '{decision.experiment}'; {remedy}")
    return decision


def write_decision(path: Path, decision: ExperimentDecision) -> None:
    """Write a decision in the place of an earlier one; processes that watch config.yaml follow.

    Raises:
        StateError: it cannot be written; nothing is decided.
    """
    try:
        write_whole(path, decision.model_dump_json(indent=2).encode() + b"\n")
    except OSError as exc:
        raise StateError(
            f"{path}: the decision cannot be written: {exc.strerror}; nothing is decided. Decisions stand beside "
            "config.yaml, so its folder must be one that may be written"
        ) from None


def decided(
    experiment: str, verdict: Verdict, *, candidate: str, at: datetime, by: DecidedBy, reason: str
) -> ExperimentDecision:
    """Return a decision."""
    return ExperimentDecision(
        experiment=experiment, verdict=verdict, candidate=candidate, at=at, by=by, reason=reason
    )
