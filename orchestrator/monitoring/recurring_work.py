"""Work that goes on beside the requests, again and again: on the orchestrator's own loop, between two calls.

with Housekeeping(orchestrator):
    serve()
"""

import logging
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from orchestrator.client import Orchestrator
from orchestrator.core.background_loop import Job
from orchestrator.core.clock import Clock, SystemClock

logger = logging.getLogger("orchestrator.monitoring")


class RecurringWork(ABC):
    """A round of work and a pause, from `start` until `stop` or until the orchestrator is closed."""

    def __init__(self, orchestrator: Orchestrator, *, clock: Clock | None = None) -> None:
        """Keep the orchestrator to look after; nothing is done before `start`."""
        self._orchestrator = orchestrator
        self._clock = clock or SystemClock()
        self._job: Job[None] | None = None

    @abstractmethod
    async def _round(self) -> None:
        """Do it once; what may fail is logged here, so that the next round comes."""

    @abstractmethod
    def _pause_s(self) -> float:
        """Return the seconds until the next round, by the settings in force."""

    def start(self) -> Self:
        """Begin now; the orchestrator answers requests meanwhile."""
        if self._job is None:
            self._job = self._orchestrator.begin(self._run())
        return self

    def stop(self) -> None:
        """End; a request that is under way is cancelled and booked."""
        job, self._job = self._job, None
        if job is not None:
            job.cancel()

    def __enter__(self) -> Self:
        """Begin."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self.stop()

    async def _run(self) -> None:
        while True:
            await self._round()
            await self._clock.sleep(self._pause_s())
