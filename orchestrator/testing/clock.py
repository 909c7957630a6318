"""Time that passes as soon as somebody waits for it: a test of an outage takes no second."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta


class TestClock:
    """A calendar and a stopwatch that a test sets; every sleep is over at once, and moves both.

    Sleeps that run side by side end in their order: the shorter one first, and none is added to another.
    """

    __test__ = False
    _TURNS = 10
    """So often others may do something before time passes."""

    def __init__(self, now: datetime | None = None) -> None:
        """Begin at `now`, or at the moment it is."""
        self._now = now or datetime.now(UTC)  # noqa: TID251 -- here time is handed out
        self._monotonic_s = 1_000.0
        self._waiting: list[float] = []
        self._lock = threading.Lock()
        self.slept_s: list[float] = []
        """Every sleep that was asked for, in order, in seconds."""

    def now(self) -> datetime:
        """Return the calendar's moment."""
        return self._now

    def monotonic_s(self) -> float:
        """Return the stopwatch, in seconds."""
        return self._monotonic_s

    async def sleep(self, duration_s: float) -> None:
        """Let the time pass, after those who wait for less."""
        self.slept_s.append(duration_s)
        until_s = self._monotonic_s + duration_s
        with self._lock:
            self._waiting.append(until_s)
        try:
            for _ in range(self._TURNS):
                await asyncio.sleep(0)
            while min(self._waiting) < until_s:  # noqa: ASYNC110 -- these waits take no time
                await asyncio.sleep(0)
            self.advance(max(0.0, until_s - self._monotonic_s))
        finally:
            with self._lock:
                self._waiting.remove(until_s)

    def pause(self, duration_s: float) -> None:
        """Let the time pass, in synchronous code."""
        self.slept_s.append(duration_s)
        self.advance(duration_s)

    def advance(self, duration_s: float) -> None:
        """Let time pass on both, in seconds."""
        with self._lock:
            self._monotonic_s += duration_s
            self._now += timedelta(seconds=duration_s)

    def set(self, moment: datetime) -> None:
        """Set the calendar alone, as an administrator does."""
        self._now = moment
