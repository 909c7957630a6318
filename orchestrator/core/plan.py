"""The plan of a request: which deployments are asked, in which order, and why."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.core.money import NanoUsd


@dataclass(frozen=True, slots=True)
class Candidate:
    """One deployment of a plan, with why it stands where it stands."""

    deployment: str
    score: float
    parts: Mapping[str, float]
    """The four factors of the score, each 0 to 1: quality, cost, speed, specialisation."""
    expected_nusd: NanoUsd
    """What the request will probably cost there."""
    bound_nusd: NanoUsd
    """The most the request can cost there."""
    input_expected_tokens: int
    input_bound_tokens: int
    max_tokens: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Excluded:
    """A deployment that a plan leaves out, with the reason."""

    deployment: str
    reason: str
    too_small: bool = False
    """Its context does not hold the request."""
    needed_nusd: NanoUsd | None = None
    """The least the request can be bounded to there, where that is more than one request may cost."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The order in which deployments are asked, and why."""

    use_case: str
    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...] = ()
    notices: tuple[str, ...] = ()
    reserve: tuple[Candidate, ...] = ()
    """Left out for their health alone; asked when all candidates failed, before the emergency model."""

    @property
    def asked(self) -> tuple[Candidate, ...]:
        """Return everybody who may be asked."""
        return (*self.candidates, *self.reserve)
