"""What is wanted of some days beside what came: saved, answered, liked."""

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.config.schema import GoalSettings
from orchestrator.reports.savings import Savings
from orchestrator.reports.usage_report import UsageReport


class GoalKind(StrEnum):
    """What a goal is about."""

    SAVED = "saved_share"
    ANSWERED = "success_rate"
    RATING = "rating"


@dataclass(frozen=True, slots=True)
class Goal:
    """A number that `report.goals` wants, and the one that came."""

    kind: GoalKind
    target: float
    """A share of 1, or a score of 1 to 5; reached when the number is at least that."""
    reached: float | None
    """None where nothing is known."""

    @property
    def is_met(self) -> bool | None:
        """Return whether it is reached, None where nothing is known."""
        return None if self.reached is None else self.reached >= self.target


def goals_of(targets: GoalSettings, report: UsageReport, saved: Savings | None) -> tuple[Goal, ...]:
    """Return every goal with what the report says of it."""
    return (
        Goal(GoalKind.SAVED, targets.saved_share, None if saved is None else saved.share),
        Goal(GoalKind.ANSWERED, targets.success_rate, report.success_rate),
        Goal(GoalKind.RATING, targets.rating, report.ratings.total.average_score),
    )
