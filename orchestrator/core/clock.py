"""Time and chance: the only module that reads a clock, sleeps or draws lots.

`Clock` is handed to whatever needs time, so that a test can hand it another one. Two clocks
are kept apart: `now()` is the calendar (it may jump), `monotonic_s()` measures durations (it
never goes back).
"""

import asyncio
import random
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the system knows of time."""

    def now(self) -> datetime:
        """Return the calendar time, with its zone."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds since some fixed moment; differences are durations."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Return after `duration_s` seconds."""
        ...

    def pause(self, duration_s: float) -> None:
        """Block the calling thread for `duration_s` seconds; for milliseconds only."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the calendar time in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    async def sleep(self, duration_s: float) -> None:
        """Let other tasks run for `duration_s` seconds."""
        await asyncio.sleep(duration_s)

    def pause(self, duration_s: float) -> None:
        """Block the calling thread for `duration_s` seconds."""
        time.sleep(duration_s)


class Chance(Protocol):
    """What the system leaves to chance: how far waits are spread."""

    def up_to(self, most: float) -> float:
        """Return a number from 0 to `most`."""
        ...


class SystemChance:
    """Numbers that nobody can foretell well enough to matter; no secrets."""

    def up_to(self, most: float) -> float:
        """Return a number from 0 to `most`, each as likely as another."""
        return random.uniform(0, most)  # noqa: S311 -- no secret
