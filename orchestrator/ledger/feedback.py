"""Feedback: what somebody thought of an answer, one word of each source for each request.

Kept is a score and whether somebody wrote a better answer; the better answer itself is a reply, which is kept
where config.yaml says that replies are (`ledger.record_settings`).
"""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.names import name_of

SCORE_MIN, SCORE_MAX = 1, 5


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a source thinks of the answer to a request; its next word takes the place of this one."""

    operation_id: str
    source: str
    """Who says so: `user`, `agent`, `review`; a name of the caller's choice."""
    given_at: datetime
    score: int | None = None
    """1, useless, to 5, perfect."""
    corrected: bool = False
    """Somebody wrote a better answer."""

    def __post_init__(self) -> None:
        """Refuse what is no feedback.

        Raises:
            InvalidRequestError: it says nothing, or a score that is none.
        """
        object.__setattr__(self, "source", name_of(self.source, "source"))
        if self.score is None and not self.corrected:
            raise InvalidRequestError("feedback needs a score from 1 to 5, or a corrected answer")
        is_whole = isinstance(self.score, int) and not isinstance(self.score, bool)
        if self.score is not None and not (is_whole and SCORE_MIN <= self.score <= SCORE_MAX):
            raise InvalidRequestError(f"'score' is a whole number from 1 to 5, got {self.score!r}")


@dataclass(frozen=True, slots=True)
class FeedbackSum:
    """The feedback on requests of one tenant, use case and model; a name is empty where it is of all."""

    tenant: str
    use_case: str
    model: str
    answers: int
    """How many pieces of feedback there are."""
    scored: int
    score_sum: int
    corrected: int

    @property
    def average_score(self) -> float | None:
        """Return the average of the scores, None without any."""
        return self.score_sum / self.scored if self.scored else None
