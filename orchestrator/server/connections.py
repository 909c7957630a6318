"""Connections as uvicorn's protocol keeps them, with the bounds that it lacks.

uvicorn closes a connection that is idle after a request. It has no bound on headers with its quick parser,
and none on how long they take, on a client that never begins, or on one that does not read its answer.

When there are as many connections as may be, the one that has waited longest without a request makes room: an
idle crowd does not keep anybody out.
"""

import asyncio
from collections import OrderedDict

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from orchestrator.access.settings import ServerSettings
from orchestrator.server.edge import SECURITY_HEADERS
from orchestrator.server.error_answers import ErrorAnswer

_TOO_LARGE = ErrorAnswer(431, "the headers of this request are too many or too large", "headers_too_large")
_MALFORMED = ErrorAnswer(400, "this is no HTTP request", "malformed_request")
_FULL = ErrorAnswer(503, "too many connections at once", "overloaded", "api_error", retry_after_s=1.0)
_TOO_SLOW = ErrorAnswer(408, "the headers of this request took too long to arrive", "too_slow")
_LINGER_S = 2.0
_PHRASES = {
    400: b"Bad Request",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


def bounded_protocol(settings: ServerSettings) -> type[HttpToolsProtocol]:
    """Return a protocol of uvicorn's that keeps to the bounds of `settings`, for one server."""
    idle: OrderedDict[BoundedProtocol, None] = OrderedDict()

    class Bounded(BoundedProtocol):
        bounds = settings
        waiting = idle

    return Bounded


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    bounds: ServerSettings
    waiting: "OrderedDict[BoundedProtocol, None]"
    """Every connection without a request whose headers have come, the one that waits longest first."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, in the place of the longest idle one where there are too many."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._linger_timer: asyncio.TimerHandle | None = None
        if len(self.connections) > self.bounds.connections:
            if not self.waiting:
                self._refuse(_FULL)
                return
            oldest, _ = self.waiting.popitem(last=False)
            oldest.transport.abort()
        self.waiting[self] = None
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self.waiting.pop(self, None)
        self._stop_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of headers are counted, and have their time."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
            self._watch_head()
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._head_bytes > self.bounds.header_bytes:
            self._refuse(_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Begin the work on a request, if its headers are within the bounds."""
        # Not before: who never ends his headers waits as one that says nothing, and makes room as one.
        self.waiting.pop(self, None)
        self._in_head = False
        self._stop_head_timer()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > self.bounds.header_bytes or len(self.headers) > self.bounds.header_count:
            self._refuse(_TOO_LARGE)
            return
        if self.transport.is_closing():
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body; of a refused request there is nothing to take it for."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request; what follows on the connection is another."""
        self._in_head, self._head_bytes = True, 0
        self._stop_lingering()
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if self.transport.is_closing() or self._is_answering():
            return
        self.waiting[self] = None
        if self.cycle.more_body:
            # Answered before its body was there. Closed at once, the client might never read why.
            self._linger_timer = self.loop.call_later(_LINGER_S, self.transport.close)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 -- uvicorn's words
        """Refuse what is no HTTP."""
        self._refuse(_MALFORMED)

    def pause_writing(self) -> None:
        """Give a client that does not read its answer its time."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.bounds.write_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on with a client that reads."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _watch_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.bounds.header_s, self._end_slow)

    def _end_slow(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self._is_answering():
            # The answer of the request before is under way; the next one may wait for it.
            self._watch_head()
        elif self._head_bytes:
            self._refuse(_TOO_SLOW)
        else:
            self.transport.close()

    def _refuse(self, answer: ErrorAnswer) -> None:
        """Answer without the application, and close."""
        self._stop_head_timer()
        if self.transport.is_closing():
            return
        if not self._is_answering():
            # Bytes between those of a running answer would be read as its own.
            self.transport.write(_as_bytes(answer))
        self.transport.close()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_lingering(self) -> None:
        # The body came after its answer: the connection is good for another request.
        if self._linger_timer is not None:
            self._linger_timer.cancel()
            self._linger_timer = None

    def _stop_timers(self) -> None:
        self._stop_head_timer()
        self._stop_lingering()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


def _as_bytes(answer: ErrorAnswer) -> bytes:
    body = orjson.dumps(answer.as_json())
    lines = [b"HTTP/1.1 %d %s" % (answer.status, _PHRASES[answer.status])]
    lines += [b"%s: %s" % (name.encode(), value.encode()) for name, value in answer.all_headers().items()]
    lines += [b"%s: %s" % header for header in SECURITY_HEADERS]
    lines += [b"content-type: application/json", b"content-length: %d" % len(body), b"connection: close"]
    return b"\r\n".join([*lines, b"", body])
