"""An event loop whose time passes as soon as nobody has anything to do: days of traffic in seconds.

    run_virtually(main)    # as asyncio.run(main(clock)), with a clock of that loop

Timers, time-outs and sleeps keep their order. What another thread does takes no time of the loop.
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

BEGAN = datetime(2026, 11, 23, 9, tzinfo=UTC)
_OTHER_THREADS_S = 0.001
"""Real seconds for which an answer of another thread is waited for before time passes."""


class _Selector(selectors.DefaultSelector):
    """Waits for nothing but other threads, and lets the time pass that it was to wait."""

    passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        events = super().select(_OTHER_THREADS_S)
        if not events:
            self.passed_s += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop with a time of its own."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return 1_000.0 + self._virtual.passed_s


class LoopClock:
    """The time of a virtual loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.monotonic_s())

    def monotonic_s(self) -> float:
        return self._loop.time()

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s)

    def pause(self, duration_s: float) -> None:
        """Pass no time: a pause is for another thread or process."""


def run_virtually(main: Callable[[Any], Awaitable[T]]) -> T:
    """Run `main` on a virtual loop, with its clock."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main(LoopClock(loop)))  # type: ignore[arg-type]
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
