"""An experiment as a configuration has it: whether it runs, and on which side of it a request is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from hashlib import blake2b, sha256

import orjson

from orchestrator.core.arms import Arm, ArmKind
from orchestrator.experiments.decision import ExperimentDecision, Verdict
from orchestrator.experiments.settings import ExperimentMode, ExperimentSettings

_WHOLE = 2**64


class ExperimentState(StrEnum):
    """How an experiment stands."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    ENDED = "ended"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment of a configuration."""

    name: str
    settings: ExperimentSettings
    label: str
    """`faq@1a2b3c4d`: under which its rows are measured. Whatever changes what is compared changes it."""
    candidate: str
    """A fingerprint of the candidate."""
    decision: ExperimentDecision | None = None
    """On this candidate; None where nothing is decided."""

    def state(self, today: date) -> ExperimentState:
        """Return how it stands on a day of the budgets' time zone; a decision counts before its days."""
        if self.decision is not None:
            return ExperimentState(self.decision.verdict.value)
        if self.settings.start is not None and today < self.settings.start:
            return ExperimentState.SCHEDULED
        if self.settings.end is not None and today > self.settings.end:
            return ExperimentState.ENDED
        return ExperimentState.RUNNING

    def arm_of(self, *, tenant: str, user: str | None, request_id: str, today: date) -> Arm | None:
        """Return the side that a request is on, None where it is on none.

        The side of ab is that of the user, of this tenant, as long as the experiment has its name; a larger
        share keeps who was on the candidate's side. Requests without a user, and shadows, are drawn each by
        itself.
        """
        state = self.state(today)
        if state is ExperimentState.PROMOTED:
            return Arm(self.label, ArmKind.PROMOTED, "promoted: for all", self.candidate)
        if state is not ExperimentState.RUNNING:
            return None
        is_shadow = self.settings.mode is ExperimentMode.SHADOW
        by_user = user is not None and not is_shadow
        drawn = _drawn(self.name, ("user", tenant, user) if by_user else ("request", request_id))
        is_in = drawn < self.settings.share
        if is_shadow:
            live = Arm(self.label, ArmKind.LIVE, "drawn", self.candidate, is_shadowed=True)
            return live if is_in else None
        because = "always this side for this user" if by_user else "drawn for this request: it names no user"
        return Arm(self.label, ArmKind.CANDIDATE if is_in else ArmKind.LIVE, because, self.candidate)


def fingerprint_of(*parts: object) -> str:
    """Return eight hexadecimal digits of plain parts."""
    packed = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    return sha256(packed).hexdigest()[:8]


def experiment_from(
    name: str, settings: ExperimentSettings, *, live: Sequence[object], decision: ExperimentDecision | None
) -> Experiment:
    """Return an experiment; `live` is, as plain data, what answers else."""
    candidate = settings.candidate.model_dump(mode="json")
    fingerprint = fingerprint_of(candidate)
    compared = settings.model_dump(mode="json", include={"use_case", "mode", "share", "checks"})
    if settings.judge is not None:
        compared["judge"] = settings.judge.deployment
    label = f"{name}@{fingerprint_of(candidate, compared, list(live))}"
    is_on_it = decision is not None and decision.candidate == fingerprint
    return Experiment(name, settings, label, fingerprint, decision if is_on_it else None)


def is_over(experiment: Experiment) -> bool:
    """Return whether it is rolled back: then another may have its use case."""
    return experiment.decision is not None and experiment.decision.verdict is Verdict.ROLLED_BACK


def _drawn(name: str, parts: tuple[str | None, ...]) -> float:
    """Return a number from 0 to 1 that hangs on these words alone."""
    key = sha256(name.encode()).digest()
    digest = blake2b(orjson.dumps(parts), digest_size=8, key=key).digest()
    return int.from_bytes(digest) / _WHOLE
