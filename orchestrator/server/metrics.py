"""`GET /metrics`: what Prometheus scrapes.

The numbers are those of every tenant together, so a key needs the role `operate`.
"""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.access.api_keys import Role
from orchestrator.core.errors import OrchestratorError
from orchestrator.server.door import Door
from orchestrator.server.error_answers import AnswerError, answer_of
from orchestrator.telemetry.prometheus import PrometheusMetrics


class Metrics:
    """Counts from the moment it is made, and answers scrapes."""

    def __init__(self, door: Door) -> None:
        """Begin to count what the orchestrator books."""
        self._door = door
        self._metrics = PrometheusMetrics(door.orchestrator)
        self._rendering = asyncio.Lock()

    async def answer(self, request: Request) -> Response:
        """Answer one scrape; scrapes at once take turns, for each reads the ledger.

        Raises:
            AnswerError: the caller may not see it, or the ledger cannot be read.
        """
        self._door.callers.caller_of(request.scope, Role.OPERATE)
        try:
            async with self._rendering:
                body, content_type = await asyncio.to_thread(self._metrics.render)
        except OrchestratorError as error:
            raise AnswerError(answer_of(error, now=self._door.clock.now(), scopes=frozenset())) from error
        return Response(body, headers={"content-type": content_type})
