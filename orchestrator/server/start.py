"""A server's start: waited for, or while it says that it lives and lets others wait."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.server.edge import send_error
from orchestrator.server.error_answers import ErrorAnswer

_ANSWERED_AT_ONCE = frozenset({"/healthz", "/readyz"})
_NO_START = ErrorAnswer(
    503, "the server could not start; operations can see why", "stopping", "api_error", retry_after_s=1.0
)


class Start:
    """The start of one server.

    With `on_failure` connections are taken meanwhile, and an error that ends it is handed over; without it
    the start is waited for, and raises.
    """

    def __init__(
        self,
        open_all: Callable[[], Coroutine[Any, Any, None]],
        on_failure: Callable[[BaseException], None] | None,
    ) -> None:
        """Keep what opens everything; nothing runs yet."""
        self._open_all = open_all
        self._on_failure = on_failure
        self._opening: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Start it."""
        self._opening = asyncio.create_task(self._open_all())
        if self._on_failure is None:
            await self._opening
        else:
            self._opening.add_done_callback(self._tell)

    async def is_done(self) -> bool:
        """Wait until it is over, however often it is asked; return whether it came to a good end."""
        if self._opening is None:
            return True
        if not self._opening.done():
            # Who waits and leaves must not end it for the others.
            await asyncio.wait({self._opening})
        return not self._opening.cancelled() and self._opening.exception() is None

    def _tell(self, opening: asyncio.Task[None]) -> None:
        error = None if opening.cancelled() else opening.exception()
        if error is not None and self._on_failure is not None:
            self._on_failure(error)


class Waiting:
    """Lets requests wait for the start: they are then answered whole, or told to ask again."""

    def __init__(self, app: ASGIApp, start: Start) -> None:
        """Wrap an application."""
        self._app = app
        self._start = start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan."""
        is_held = scope["type"] == "http" and scope["path"] not in _ANSWERED_AT_ONCE
        if is_held and not await self._start.is_done():
            await send_error(send, _NO_START)
        else:
            await self._app(scope, receive, send)
