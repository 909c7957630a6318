"""Whether the ledger can be used, as often as anybody asks `/readyz`, which needs no key."""

import asyncio

from orchestrator.client import Orchestrator
from orchestrator.core.clock import Clock
from orchestrator.core.errors import ClosedError

KEPT_S = 1.0
"""A look writes to the file: more often than that says nothing new."""


class LedgerLook:
    """Looks at most once in `KEPT_S`; whoever asks meanwhile gets the same answer."""

    def __init__(self, orchestrator: Orchestrator, clock: Clock) -> None:
        """Look when somebody asks."""
        self._orchestrator = orchestrator
        self._clock = clock
        self._look: asyncio.Task[bool] | None = None
        self._began_s = 0.0

    async def is_usable(self) -> bool:
        """Return whether the ledger can be used; it waits for other processes as long as a request would."""
        now_s = self._clock.monotonic_s()
        look = self._look
        if look is None or (look.done() and now_s - self._began_s >= KEPT_S):
            self._began_s = now_s
            look = self._look = asyncio.create_task(asyncio.to_thread(self._look_now))
        # A caller that leaves must not end it for the others.
        return await asyncio.shield(look)

    def _look_now(self) -> bool:
        try:
            return self._orchestrator.ledger_problem() is None
        except ClosedError:
            return False
