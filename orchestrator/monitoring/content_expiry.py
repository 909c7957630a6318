"""Deletes kept prompts and replies when their time is over, also where nothing new is kept.

with ContentExpiry(orchestrator):
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


class ContentExpiry:
    """Deletes what has expired, from `start` until `stop` or until the orchestrator is closed."""

    def __init__(self, orchestrator: Orchestrator, *, clock: Clock | None = None) -> None:
        """Keep the orchestrator; nothing is deleted before `start`."""
        self._orchestrator = orchestrator
        self._clock = clock or SystemClock()
        self._job: Job[None] | None = None

    def start(self) -> Self:
        """Delete now, and every hour."""
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
            try:
                # A disk may be slow, and requests run on this loop.
                await asyncio.to_thread(self._orchestrator.delete_expired)
            except OrchestratorError as error:
                logger.warning("expired prompts and replies are not deleted yet: %s", error)
            await self._clock.sleep(EVERY_S)
