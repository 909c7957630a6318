"""When a request must have ended: one instant, asked for what is left until it."""

from dataclasses import dataclass
from typing import Self

from orchestrator.core.clock import Clock

STOOD_STILL_S = 1.0
"""A timer that is so late tells of a process that stood still, and not of the provider."""

_UNUSUAL = 3.0
"""An answer may take so many times its usual time; with twice that a turn ends as the answer comes."""
_HARDLY_LONGER = 1.25
"""So many times where the deadline is no longer."""
_TELLING_S = 2.0
"""A shorter silence says nothing of a provider, however quick it is."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The instant `timeout_s` after a request began, on the monotonic clock."""

    clock: Clock
    started_s: float
    timeout_s: float
    """What the caller allowed for all of it, as errors tell it."""

    @classmethod
    def after(cls, timeout_s: float, *, clock: Clock) -> Self:
        """Return the deadline of a request that begins now."""
        return cls(clock, clock.monotonic_s(), timeout_s)

    @property
    def at_s(self) -> float:
        """Return the instant, on the monotonic clock."""
        return self.started_s + self.timeout_s

    def left_s(self) -> float:
        """Return how long it is until then; less than 0 when it is over."""
        return self.at_s - self.clock.monotonic_s()

    def elapsed_s(self) -> float:
        """Return how long ago the request began."""
        return self.clock.monotonic_s() - self.started_s


def answer_time_s(usual_s: float, *, left_s: float, timeout_s: float, least_s: float = 0.0) -> float:
    """Return how much of what is left no wait may use up: what is sent behind it must come to its answer.

    Half of it where it is not known how long answers take (`usual_s` is 0 then), and where the whole deadline
    is shorter than that: who sets such a one hopes for a quick answer.
    """
    turn_s = turn_time_s(usual_s)
    if not 0 < turn_s <= timeout_s:
        return left_s / 2
    return min(max(least_s, _UNUSUAL * usual_s), max(left_s / 2, turn_s))


def turn_time_s(usual_s: float) -> float:
    """Return how long an answer that usually takes `usual_s` is not given up for another's sake."""
    return _HARDLY_LONGER * usual_s


def telling_silence_s(usual_s: float, *, limit_s: float) -> float:
    """Return after how long a silence speaks against a provider: after its limit, or when it is unusual.

    Where it is not known how long its answers take (`usual_s` is 0 then), only its limit tells.
    """
    return min(limit_s, max(_TELLING_S, _UNUSUAL * usual_s)) if usual_s > 0 else limit_s
