"""Waiting for a file that another process holds: a thread pauses, an event loop goes on with other work.

SQLite's own busy handler sleeps up to 100 ms at a time; short random pauses have a p99 of 2.5 ms.
"""

import random
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from orchestrator.core.clock import Clock
from orchestrator.ledger.store import LedgerBusyError

T = TypeVar("T")

_PAUSE_MIN_S = 0.0001
_PAUSE_MAX_S = 0.002
_TRIES_MIN = 20
"""A process that stood still itself, while a library loads or others have the core, has not yet waited."""


class BusyRetry:
    """Does work again and again while the file is busy, for a time."""

    def __init__(self, *, limit_s: float, clock: Clock) -> None:
        """Give up after `limit_s`."""
        self.limit_s = limit_s
        self._clock = clock

    def wait(self, work: Callable[[], T], *, limit_s: float | None = None) -> T:
        """Return what `work` returns, pausing the thread between tries.

        Raises:
            LedgerBusyError: it was busy all the time.
        """
        is_over = self._patience(limit_s)
        while True:
            try:
                return work()
            except LedgerBusyError:
                if is_over():
                    raise
            self._clock.pause(_pause_s())

    async def wait_aside(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, leaving the event loop to others between tries.

        Raises:
            LedgerBusyError: it was busy all the time.
        """
        is_over = self._patience(None)
        while True:
            try:
                return work()
            except LedgerBusyError:
                if is_over():
                    raise
            await self._clock.sleep(_pause_s())

    def _patience(self, limit_s: float | None) -> Callable[[], bool]:
        """Return what tells after a try in vain whether it was the last."""
        tries_left = count(_TRIES_MIN - 1 if limit_s is None and self.limit_s else 0, -1)
        give_up_s = self._clock.monotonic_s() + (self.limit_s if limit_s is None else limit_s)
        return lambda: next(tries_left) <= 0 and self._clock.monotonic_s() > give_up_s


def _pause_s() -> float:
    return random.uniform(_PAUSE_MIN_S, _PAUSE_MAX_S)  # noqa: S311 -- no secret
