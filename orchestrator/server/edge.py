"""The outermost layer of the server: security headers on every answer, and no error that is not answered.

Nothing of an unforeseen error leaves the process, and its text is not logged either: it may quote a prompt.
The log has its type and where it came from.
"""

import asyncio
import logging
from collections.abc import Iterable

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.core.clock import Clock
from orchestrator.core.error_place import place_of_error
from orchestrator.ledger.records import new_operation_id
from orchestrator.server.error_answers import AnswerError, ErrorAnswer

logger = logging.getLogger("orchestrator.server")

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""Of every answer that does not set them itself, as a page may."""
_STOPPING = ErrorAnswer(
    503, "the server is stopping; ask again, with the same Idempotency-Key", "stopping", "api_error",
    retry_after_s=1.0,
)  # fmt: skip


class Edge:
    """Answers what nothing inside answered, and completes the headers of what was."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        """Wrap an application."""
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            await self._app(scope, receive, answer)
        except AnswerError as error:
            await answer.end_with(error.answer)
        except asyncio.CancelledError:
            # The time of a graceful stop is over.
            await answer.end_with(_STOPPING)
        except Exception as error:  # noqa: BLE001 -- the last place that can answer it; it is logged
            request_id = new_operation_id(self._clock.now())
            log_unforeseen(error, request_id)
            await answer.end_with(unforeseen(request_id))


def unforeseen(request_id: str) -> ErrorAnswer:
    """Return the answer to a mistake of ours."""
    return ErrorAnswer(
        500, f"a mistake of the server; operations find it as request {request_id}", "internal_error",
        "api_error", request_id=request_id,
    )  # fmt: skip


def log_unforeseen(error: BaseException, request_id: str) -> None:
    """Log an error's type and where it came from, and nothing that it says."""
    logger.error("request %s: unforeseen %s", request_id, place_of_error(error))


def with_security(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return headers with those that are missing."""
    present = list(headers)
    names = {name.lower() for name, _ in present}
    return present + [header for header in SECURITY_HEADERS if header[0] not in names]


async def send_error(send: Send, answer: ErrorAnswer) -> None:
    """Send an error as a whole answer."""
    body = orjson.dumps(answer.as_json())
    headers = {
        **answer.all_headers(), "content-type": "application/json", "content-length": str(len(body)),
    }  # fmt: skip
    encoded = [(name.encode(), value.encode("ascii", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


class _Answer:
    """What is sent, and how far it came."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = self._ended = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            message = {**message, "headers": with_security(message.get("headers", ()))}
        elif message["type"] == "http.response.body":
            self._ended = not message.get("more_body", False)
        await self._send(message)

    async def end_with(self, answer: ErrorAnswer) -> None:
        """Send an error: whole, or as the last event of a stream that has begun."""
        if not self._begun:
            await send_error(self, answer)
        elif not self._ended:
            event = b"data: " + orjson.dumps(answer.as_json()) + b"\n\n"
            await self({"type": "http.response.body", "body": event})
