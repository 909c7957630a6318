"""What the requests of one replay share: the clock, the evidence, the seed, and what has to be assumed."""

from dataclasses import dataclass

from orchestrator.core.virtual_time import VirtualClock
from orchestrator.whatif.evidence import SendEvidence

RIGHT = "right"
"""The answer on which models agree, and which passes the checks of a policy."""


def wrong_answer_of(deployment: str) -> str:
    """Return what a deployment answers otherwise: nobody else says the same."""
    return f"other of {deployment}"


@dataclass(frozen=True, slots=True)
class World:
    """What the requests of one replay share."""

    clock: VirtualClock
    evidence: SendEvidence
    seed: int
    accepted_share: float
    """How many answers under a policy are right or pass its checks: assumed, for none is kept."""
