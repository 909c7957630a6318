"""What is done every hour, whoever asks: expired prompts are deleted, days that are over are summed.

with Housekeeping(orchestrator):
    serve()
"""

import asyncio
import logging
from types import TracebackType
from typing import Self

from orchestrator.client import Orchestrator
from orchestrator.core.background_loop import Job
from orchestrator.core.clock import Clock, SystemClock
from orchestrator.core.errors import OrchestratorError

logger = logging.getLogger("orchestrator.monitoring")

EVERY_S = 3600.0
"""`record.keep_days` counts days; nothing stays for more than an hour after them."""


class Housekeeping:
    """Deletes and sums, from `start` until `stop` or until the orchestrator is closed."""

    def __init__(self, orchestrator: Orchestrator, *, clock: Clock | None = None) -> None:
        """Keep the orchestrator; nothing is done before `start`."""
        self._orchestrator = orchestrator
        self._clock = clock or SystemClock()
        self._job: Job[None] | None = None

    def start(self) -> Self:
        """Begin now, and do it every hour."""
        if self._job is None:
            self._job = self._orchestrator.begin(self._run())
        return self

    def stop(self) -> None:
        """End."""
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
            for what, act in (
                ("expired prompts and replies are not deleted", self._orchestrator.delete_expired),
                ("days that are over are not summed", self._orchestrator.sum_closed_days),
            ):
                try:
                    # A disk may be slow, and requests run on this loop.
                    await asyncio.to_thread(act)
                except OrchestratorError as error:
                    logger.warning("%s yet: %s", what, error.in_one_line)
            await self._clock.sleep(EVERY_S)
