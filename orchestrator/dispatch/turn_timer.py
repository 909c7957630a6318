"""The timer of one way along a plan: it ends the attempt whose time is over."""

import asyncio
from types import TracebackType

from orchestrator.core.deadline import STOOD_STILL_S

_READING_S = 1.0
"""So long what arrived meanwhile may take to be read."""


class TurnTimer:
    """Ends the current attempt of one way along a plan when its time is over.

    An `async with` block runs without a limit, until an attempt sets its own with `allow`. It raises
    TimeoutError when that is over; whatever was awaited has been cancelled. Where the whole process stood
    still meanwhile (it was suspended, or had no processor), what has arrived is read first.
    """

    def __init__(self) -> None:
        """Run no time yet."""
        self._timeout: asyncio.Timeout | None = None
        self._bell: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        """Begin."""
        self._timeout = await asyncio.timeout(None).__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        timeout, self._timeout = self._timeout, None
        self._silence()
        if timeout is not None:
            await timeout.__aexit__(kind, error, trace)

    def allow(self, duration_s: float) -> None:
        """Let the current attempt run for `duration_s` more seconds."""
        if self._timeout is not None:
            self._silence()
            loop = asyncio.get_running_loop()
            at_s = loop.time() + duration_s
            self._bell = loop.call_at(at_s, self._ring, loop, at_s)

    def stop(self) -> None:
        """Take the limit away: it was the attempt's, not that of the wait before the next one."""
        if self._timeout is not None and not self._timeout.expired():
            self._silence()
            self._timeout.reschedule(None)

    def _silence(self) -> None:
        if self._bell is not None:
            self._bell.cancel()
            self._bell = None

    def _ring(self, loop: asyncio.AbstractEventLoop, at_s: float) -> None:
        """End the attempt; a bell that is much too late rings once more, when what waited has been read."""
        if self._timeout is None:
            return
        if loop.time() - at_s < STOOD_STILL_S:
            self._timeout.reschedule(loop.time())
            return
        again_s = loop.time() + _READING_S
        self._bell = loop.call_at(again_s, self._ring, loop, again_s)
