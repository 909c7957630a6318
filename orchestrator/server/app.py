"""The application that a server runs: its routes, when it is ready, and how it opens and closes.

Others add routes: `build_app(..., routes=[...])`. A route that a key must open asks
`door_of(request).callers.caller_of(request.scope, role)` first.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orchestrator.access.key_folder import KeyRing
from orchestrator.access.settings import ServerSettings
from orchestrator.client import Orchestrator
from orchestrator.core.clock import Clock, SystemClock
from orchestrator.server.callers import Callers
from orchestrator.server.chat import ChatCompletions
from orchestrator.server.door import Door, door_of
from orchestrator.server.duties import Duties
from orchestrator.server.edge import Edge
from orchestrator.server.embeddings import Embeddings
from orchestrator.server.error_answers import ErrorAnswer
from orchestrator.server.feedback import take_feedback
from orchestrator.server.ledger_look import LedgerLook
from orchestrator.server.metrics import Metrics
from orchestrator.server.model_list import list_models, show_model
from orchestrator.server.start import Start, Waiting

_PATHS = "/v1/chat/completions, /v1/embeddings, /v1/models, /v1/feedback, /dashboard, /metrics, /healthz and /readyz"


def build_app(  # noqa: PLR0913 -- one keyword for each independent thing
    orchestrator: Orchestrator,
    settings: ServerSettings,
    keys: KeyRing,
    *,
    clock: Clock | None = None,
    routes: Sequence[BaseRoute] = (),
    duties: Duties | None = None,
    load: Callable[[], None] | None = None,
    on_failed_start: Callable[[BaseException], None] | None = None,
) -> Starlette:
    """Return the application for an orchestrator, which it warms up when it starts and closes at its end.

    `duties` are begun and ended with it. `load` stands in the place of the warm-up. With `on_failed_start`
    it takes requests from the beginning, and they wait until it is warm.
    """
    clock = clock or SystemClock()
    door = Door(
        orchestrator, settings, Callers(keys, settings, clock), clock, LedgerLook(orchestrator, clock)
    )

    async def open_all() -> None:
        await asyncio.to_thread(load or orchestrator.warm_up)
        if duties is not None:
            duties.begin()
        door.is_ready = True

    start = Start(open_all, on_failed_start)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await start.begin()
        try:
            yield
        finally:
            # What it opens must be there to be closed.
            await start.is_done()
            door.is_ready = False
            await asyncio.to_thread(orchestrator.close if duties is None else duties.end)

    handlers: dict[Any, Any] = {HTTPException: _no_route}
    app = Starlette(
        routes=[*_own_routes(door), *routes],
        middleware=[Middleware(Edge, clock=clock), Middleware(Waiting, start=start)],
        exception_handlers=handlers,
        lifespan=lifespan,
    )
    app.state.door = door
    return app


def _own_routes(door: Door) -> tuple[BaseRoute, ...]:
    return (
        Route("/healthz", _healthz),
        Route("/readyz", _readyz),
        Route("/metrics", Metrics(door).answer),
        Route("/v1/models", list_models),
        Route("/v1/models/{name:path}", show_model),
        Route("/v1/chat/completions", ChatCompletions(door), methods=["POST"]),
        Route("/v1/feedback", take_feedback, methods=["POST"]),
        Route("/v1/embeddings", Embeddings(door), methods=["POST"]),
    )


async def _healthz(_request: Request) -> Response:
    return JSONResponse({"status": "alive"})


async def _readyz(request: Request) -> Response:
    """Answer 200 while requests can be served: between warm-up and end, with a ledger that can be used."""
    door = door_of(request)
    if not door.is_ready:
        return JSONResponse({"status": "not ready", "reason": "starting or stopping"}, 503)
    if not await door.ledger_look.is_usable():
        return JSONResponse({"status": "not ready", "reason": "the ledger cannot be used"}, 503)
    return JSONResponse({"status": "ready"})


async def _no_route(_request: Request, error: HTTPException) -> Response:
    headers = dict(error.headers or {})
    if error.status_code == 405:  # noqa: PLR2004 -- the status of HTTP
        code, message = "method_not_allowed", f"this path takes {headers.get('Allow', 'another method')}"
    else:
        code, message = "not_found", f"{error.detail}: this server has {_PATHS}"
    answer = ErrorAnswer(error.status_code, message, code, headers=headers)
    return JSONResponse(answer.as_json(), answer.status, headers=answer.all_headers())
