"""What has happened in one dispatch so far: every attempt that ended, and every deployment passed over."""

from dataclasses import dataclass, field

from orchestrator.core.errors import FailedStep
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Attempt, spent_on


@dataclass(slots=True)
class DispatchHistory:
    """What has happened in one dispatch so far."""

    attempts: list[Attempt] = field(default_factory=list)
    """Those that have ended, in the order of their end."""
    skipped: list[FailedStep] = field(default_factory=list)
    """Deployments that were passed over, with the latest reason of each."""
    notices: list[str] = field(default_factory=list)
    remarks: dict[int, str] = field(default_factory=dict)
    """What our own parts say of an attempt, by its number."""
    admitted: int = 0
    """Attempts that were admitted so far; the last one has this number."""

    @property
    def spent_nusd(self) -> NanoUsd:
        """Return what all attempts cost so far."""
        return spent_on(self.attempts)

    def skip(self, deployment: str, reason: str, *, failure: str | None = None) -> None:
        """Note a deployment that is passed over; of several reasons the latest counts."""
        self.skipped = [step for step in self.skipped if step.deployment != deployment]
        self.skipped.append(FailedStep(deployment, reason, failure))
