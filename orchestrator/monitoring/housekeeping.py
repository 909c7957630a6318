"""What is done every hour, whoever asks: expired prompts are deleted, days that are over are summed.

with Housekeeping(orchestrator):
    serve()
"""

import asyncio

from orchestrator.core.errors import OrchestratorError
from orchestrator.monitoring.recurring_work import RecurringWork, logger

EVERY_S = 3600.0
"""`record.keep_days` counts days; nothing stays for more than an hour after them."""


class Housekeeping(RecurringWork):
    """Deletes what has expired and sums the days that are over."""

    async def _round(self) -> None:
        for what, act in (
            ("expired prompts and replies are not deleted", self._orchestrator.delete_expired),
            ("days that are over are not summed", self._orchestrator.sum_closed_days),
        ):
            try:
                # A disk may be slow, and requests run on this loop.
                await asyncio.to_thread(act)
            except OrchestratorError as error:
                logger.warning("%s yet: %s", what, error.in_one_line)

    def _pause_s(self) -> float:
        return EVERY_S
