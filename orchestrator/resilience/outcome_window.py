"""The latest outcomes of one deployment within a window of time, counted as they come and go."""

import math
from collections import deque

REMEMBERED = 256
"""Older outcomes are forgotten, however long the window is."""


class OutcomeWindow:
    """The latest outcomes in the order of their coming; used on one event loop.

    Time only goes forward, so what has left a window never comes back into it, and a question costs as much
    as has left since the last one. Another window than the last one is counted anew.
    """

    def __init__(self) -> None:
        """Start with no outcome."""
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=REMEMBERED)
        """(monotonic seconds, healthy), oldest first."""
        self._window_s = math.inf
        self._outside = 0
        """So many of the oldest have left the window."""
        self._healthy = 0
        """So many within the window were healthy."""

    def add(self, at_s: float, *, healthy: bool) -> None:
        """Remember an outcome of now; the oldest is forgotten where there are too many."""
        if len(self._outcomes) == REMEMBERED:
            _, forgotten_healthy = self._outcomes[0]
            if self._outside:
                self._outside -= 1
            else:
                self._healthy -= forgotten_healthy
        self._outcomes.append((at_s, healthy))
        self._healthy += healthy

    def clear(self) -> None:
        """Forget every outcome."""
        self._outcomes.clear()
        self._outside = self._healthy = 0

    def counts(self, now_s: float, *, window_s: float) -> tuple[int, int]:
        """Return how many outcomes the last `window_s` seconds had, and how many of them were healthy."""
        if window_s != self._window_s:
            self._window_s, self._outside = window_s, 0
            self._healthy = sum(healthy for _, healthy in self._outcomes)
        oldest_s = now_s - window_s
        while self._outside < len(self._outcomes) and self._outcomes[self._outside][0] < oldest_s:
            self._healthy -= self._outcomes[self._outside][1]
            self._outside += 1
        return len(self._outcomes) - self._outside, self._healthy
