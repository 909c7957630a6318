"""An event loop whose time passes as soon as nobody has anything to do: days of traffic in seconds.

    run_virtually(main, began=moment)    # as asyncio.run(main(clock)), with a clock of that loop

Timers, time-outs and sleeps keep their order. Work for other threads is done at once on the loop's own, so
that what happens does not depend on how busy the machine is; with `other_threads_s` it goes to real threads.
"""

import asyncio
import random
import selectors
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

_BEGAN_S = 1_000.0
"""Where the monotonic seconds of a loop begin; any number would do."""


class _Selector(selectors.DefaultSelector):
    """Waits for nothing but other threads, and lets the time pass that it was to wait."""

    def __init__(self, other_threads_s: float) -> None:
        super().__init__()
        self.passed_s = 0.0
        self._other_threads_s = other_threads_s

    def select(self, timeout_s: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout_s is None:
            return super().select(None)
        if timeout_s > 0:
            events = super().select(self._other_threads_s) if self._other_threads_s else []
            self.passed_s += 0.0 if events else timeout_s
            return events
        # Without other threads nothing is ever there to be read, and asking is a call of the system.
        return super().select(timeout_s) if self._other_threads_s else []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop with a time of its own."""

    def __init__(self, *, other_threads_s: float = 0.0) -> None:
        """Wait `other_threads_s` real seconds for other threads before time passes; with 0 there are none."""
        self._virtual = _Selector(other_threads_s)
        self._has_threads = other_threads_s > 0
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return the seconds of this loop."""
        return _BEGAN_S + self._virtual.passed_s

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Call `func` at once and on this thread, where the loop has no others."""
        if self._has_threads:
            return super().run_in_executor(executor, func, *args)
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as exc:  # noqa: BLE001 -- it is the caller's, who gets it from the future
            future.set_exception(exc)
        return future


class VirtualClock:
    """The time of a virtual loop."""

    def __init__(self, loop: VirtualLoop, *, began: datetime) -> None:
        """Let the calendar of the loop begin at `began`."""
        self._loop = loop
        # In a zone that changes its clock an hour later is not always an hour by its clock.
        self._began = began.astimezone(UTC) - timedelta(seconds=loop.time())

    def now(self) -> datetime:
        """Return the calendar time in UTC, as `SystemClock` does."""
        return self._began + timedelta(seconds=self._loop.time())

    def monotonic_s(self) -> float:
        """Return the seconds of the loop."""
        return self._loop.time()

    async def sleep(self, duration_s: float) -> None:
        """Let other tasks run for `duration_s` of the loop's seconds."""
        await asyncio.sleep(duration_s)

    def pause(self, duration_s: float) -> None:
        """Pass no time: a pause is for another thread or process."""


class SeededChance:
    """Chance that comes out the same for the same seed."""

    def __init__(self, seed: int) -> None:
        """Begin a row of numbers."""
        self._random = random.Random(seed)  # noqa: S311 -- no secret

    def up_to(self, most: float) -> float:
        """Return a number from 0 to `most`, each as likely as another."""
        return self._random.uniform(0, most)


def run_virtually(
    main: Callable[[VirtualClock], Awaitable[T]], *, began: datetime, other_threads_s: float = 0.0
) -> T:
    """Run `main` on a virtual loop, with its clock; beside a loop that runs here, on a thread of its own."""

    def run() -> T:
        loop = VirtualLoop(other_threads_s=other_threads_s)
        try:
            return loop.run_until_complete(main(VirtualClock(loop, began=began)))
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run()
    # A notebook's.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(run).result()
