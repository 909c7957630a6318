"""What has happened in one dispatch so far: every attempt that ended, and every deployment passed over."""

from dataclasses import dataclass, field

from orchestrator.core.errors import FailedStep
from orchestrator.core.money import NanoUsd
from orchestrator.core.progress import Progress, ProgressStep
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
    drawn: int = 0
    """The highest number of an attempt so far."""
    returned: list[int] = field(default_factory=list)
    """Numbers that no attempt took, to be drawn again."""

    @property
    def spent_nusd(self) -> NanoUsd:
        """Return what all attempts cost so far."""
        return spent_on(self.attempts)

    @property
    def latest_remark(self) -> str:
        """Return what our own parts say of the latest attempt, empty where they say nothing."""
        return self.remarks.get(self.attempts[-1].number, "") if self.attempts else ""

    def draw_number(self) -> int:
        """Return a number for an attempt that is about to be admitted; no other lane gets it."""
        if self.returned:
            self.returned.sort()
            return self.returned.pop(0)
        self.drawn += 1
        return self.drawn

    def return_number(self, number: int) -> None:
        """Give a number back whose attempt was not admitted."""
        self.returned.append(number)

    def skip(
        self, deployment: str, reason: str, *, failure: str | None = None, scope: str | None = None
    ) -> None:
        """Note a deployment that is passed over; of several reasons the latest counts."""
        self.skipped = [step for step in self.skipped if step.deployment != deployment]
        self.skipped.append(FailedStep(deployment, reason, failure, scope))

    def step_to(self, deployment: str, number: int) -> Progress:
        """Return what is told of the next attempt: it is a fallback where another one failed."""
        last = self.attempts[-1] if self.attempts else None
        falls_back = last is not None and last.deployment != deployment
        return Progress(
            ProgressStep.FALLBACK if falls_back else ProgressStep.ATTEMPT,
            deployment,
            number,
            failure=None if last is None else last.failure,
        )
