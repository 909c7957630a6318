"""Policies that `calibrate` or `eval --policy` has proven and config.yaml leaves unused: `policies/*.json`.

A proof holds under its conditions. One that is of another use case by now, or cannot be read, proves nothing
and is left out; where config.yaml names such a file, the configuration is refused (`policy_files`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import ConfigDict, Field, ValidationError

from orchestrator.config.loader import Config
from orchestrator.config.policy_files import PolicyFile, outdated
from orchestrator.config.yaml_bounds import FILE_BYTES_MAX
from orchestrator.core.bounded_file import read_bounded
from orchestrator.core.settings import Settings
from orchestrator.policies.settings import PolicySettings

FOLDER = "policies"


class QualityDifference(Settings):
    """How much better or worse a policy is than the reference, with its 95 % interval; a whole is 1."""

    mean: float
    low: float
    high: float


class Proof(Settings):
    """What was measured of a policy, on rows that had not chosen it."""

    # A file of a later version may say more.
    model_config = ConfigDict(**{**Settings.model_config, "extra": "ignore"})

    day: date
    reference: str
    """The deployment that it is as good as."""
    margin: Annotated[float, Field(ge=0, le=1)]
    """How much worse is still as good."""
    rows: int
    confirmed_on: int
    """The rows of them that had not chosen it."""
    difference: QualityDifference
    share: Annotated[float, Field(ge=0, alias="cost_share")]
    """Its cost as a part of the reference's."""
    conditions: dict[str, Any]

    @property
    def is_not_inferior(self) -> bool:
        """Return whether the lower end of the interval is within the margin."""
        return self.difference.low >= -self.margin


@dataclass(frozen=True, slots=True)
class MeasuredPolicy:
    """A policy that is proven for a use case, and not in force."""

    use_case: str
    file: str
    """As config.yaml would name it."""
    proof: Proof


def measured_policies(config: Config) -> tuple[MeasuredPolicy, ...]:
    """Return the proofs beside a configuration that hold for its use cases, by file."""
    folder = config.path.parent / FOLDER
    try:
        paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    except OSError:
        return ()
    return tuple(policy for path in paths for policy in _holding(config, path))


def _holding(config: Config, path: Path) -> Iterator[MeasuredPolicy]:
    try:
        content = orjson.loads(read_bounded(path, bytes_max=FILE_BYTES_MAX))
        use_case, proof = content["use_case"], Proof.model_validate(content["measured"])
        policy = PolicySettings.model_validate(content["policy"])
    except (OSError, ValueError, ValidationError, KeyError, TypeError):
        return
    settings = config.settings.use_cases.get(use_case) if isinstance(use_case, str) else None
    named = (proof.reference, *policy.named)
    if (
        settings is None
        or settings.policy == policy
        or not all(name in config.catalog.deployments for name in named)
    ):
        return
    if not any(outdated(config.settings, [PolicyFile(path, use_case, proof.conditions, str(path))])):
        yield MeasuredPolicy(use_case, f"{FOLDER}/{path.name}", proof)
