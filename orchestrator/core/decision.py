"""How a policy came to its answer: who was asked, who said the same, and why one answer was accepted."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orchestrator.core.formatting import money
from orchestrator.core.money import ZERO_NUSD, NanoUsd


class AcceptedFor(StrEnum):
    """Why an answer was accepted."""

    AGREED = "agreed"
    """So many models as it takes gave the same value."""
    JUDGED = "judged"
    """They did not agree, and the judge was asked."""
    UNCONFIRMED = "unconfirmed"
    """They did not agree, and the judge gave no answer that counts: the first with a value."""
    PASSED = "passed"
    """It passed every check of its use case."""
    UNCHECKED = "unchecked"
    """No answer passed every check; the last one counts."""


class VoteRole(StrEnum):
    """For what a model was asked."""

    VOTER = "voter"
    TIE_BREAKER = "tie_breaker"
    JUDGE = "judge"
    STEP = "step"
    """A place of an escalation."""


class VoteOutcome(StrEnum):
    """What became of a model that a policy asked."""

    ANSWERED = "answered"
    NO_VALUE = "no_value"
    """It answered, and nothing in it can be compared."""
    FAILED_CHECK = "failed_check"
    FAILED = "failed"
    """It did not answer."""
    CANCELLED = "cancelled"
    """Others agreed before it answered."""
    NOT_ASKED = "not_asked"
    """It is not in the plan, or would have cost more than the request may."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What became of one model that a policy asked."""

    deployment: str
    """The one of the policy, also where another answered in its place."""
    role: VoteRole
    outcome: VoteOutcome
    group: int | None = None
    """Equal numbers gave equal values; None where it gave none."""
    reason: str = ""
    """Why it does not count, for people; no word of its answer."""
    cost_nusd: NanoUsd = ZERO_NUSD
    """Of all its attempts."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How a policy came to its answer."""

    policy: str
    """`agreement` or `escalate`."""
    version: str
    accepted_for: AcceptedFor
    text: str
    """Why, for people."""
    votes: tuple[Vote, ...]


def plain_decision(decision: Decision) -> dict[str, Any]:
    """Return how a policy chose: every vote, what it cost, and why the answer was accepted."""
    return {
        "policy": decision.policy,
        "version": decision.version,
        "accepted_for": decision.accepted_for.value,
        "text": decision.text,
        "votes": [
            {
                "deployment": vote.deployment,
                "role": vote.role.value,
                "outcome": vote.outcome.value,
                "group": vote.group,
                "reason": vote.reason,
                **money("cost", vote.cost_nusd),
            }
            for vote in decision.votes
        ],
    }
