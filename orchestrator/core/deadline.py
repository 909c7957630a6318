"""When a request must have ended: one instant, asked for what is left until it."""

from dataclasses import dataclass
from typing import Self

from orchestrator.core.clock import Clock


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
