"""When the first byte of a request goes to a socket, told by clients of httpx, over aiohttp too.

Until then nothing can have been billed: a request may be given up while it is written or connects.
"""

from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
from aiohttp.helpers import reify
from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport

_FIRST_BYTE = "send_request_headers.started"
_TELLING = frozenset({httpx.HTTPTransport, httpx.AsyncHTTPTransport, LiteLLMAiohttpTransport})
"""Transports that tell when the first byte leaves; what a child of theirs does nobody knows."""

Note = Callable[[], None]


def watch_first_byte(
    client: httpx.Client | httpx.AsyncClient, note: Note, note_waiting: Note | None = None
) -> None:
    """Let a client call `note`, in the task that sends, when the first byte of a request goes to a socket.

    A client over a transport of others calls it before it sends: nobody knows what that one tells of. One
    that tells calls `note_waiting` when it is handed a request, of which nothing has left.
    """
    transports = [client._transport, *client._mounts.values()]  # noqa: SLF001 -- httpx tells nobody whom it sends with
    is_telling = all(each is None or type(each) in _TELLING for each in transports)

    def begin(request: httpx.Request) -> None:
        if not is_telling:
            note()
        elif note_waiting is not None:
            note_waiting()
        # For httpx's own transports; LiteLLM's, over aiohttp, knows no such extension.
        add = _trace_of_thread if isinstance(client, httpx.Client) else _trace_of_task
        request.extensions = {**request.extensions, "trace": add(request.extensions.get("trace"), note)}

    async def begin_in_task(request: httpx.Request) -> None:
        begin(request)

    hooks = client.event_hooks
    hook = begin if isinstance(client, httpx.Client) else begin_in_task
    client.event_hooks = {**hooks, "request": [*hooks.get("request", ()), hook]}
    for transport in transports:
        if isinstance(transport, LiteLLMAiohttpTransport):
            _watch_sessions(transport, _telling(note))


def _trace_of_thread(before: Callable[..., object] | None, note: Note) -> Callable[..., object]:
    """Return what httpx calls with each of its steps, in a thread; `before` is the caller's own."""

    def trace(event: str, info: object) -> None:
        if event.endswith(_FIRST_BYTE):
            note()
        if before is not None:
            before(event, info)

    return trace


def _trace_of_task(before: Callable[..., object] | None, note: Note) -> Callable[..., object]:
    """Return what httpx awaits with each of its steps, in a task; `before` is the caller's own."""

    async def trace(event: str, info: object) -> None:
        if event.endswith(_FIRST_BYTE):
            note()
        if before is not None:
            await before(event, info)  # type: ignore[misc]

    return trace


def _telling(note: Note) -> aiohttp.TraceConfig:
    async def note_headers(*_: object) -> None:
        # aiohttp tells of the headers before it writes them.
        note()

    telling = aiohttp.TraceConfig()
    telling.on_request_headers_sent.append(note_headers)
    telling.freeze()
    return telling


class _PlainHeaders(aiohttp.ClientResponse):
    """A response whose headers httpx takes: it would throw a billed answer away for one letter in them."""

    @reify
    def headers(self) -> Any:
        """What came, letters beyond ASCII written out."""
        came = self._headers
        if all(map(str.isascii, came.values())):
            return came
        plain = came.copy()
        plain.clear()
        plain.extend([(name, ascii(value)[1:-1]) for name, value in came.items()])
        return plain


def _watch_sessions(transport: LiteLLMAiohttpTransport, telling: aiohttp.TraceConfig) -> None:
    """Have every session that LiteLLM sends through tell: it opens another one for another event loop.

    One that is closed under a request gives way to another, through which that request is sent at once.
    """

    def watched(session_of: Callable[[], aiohttp.ClientSession]) -> Callable[[], aiohttp.ClientSession]:
        def session_that_tells() -> aiohttp.ClientSession:
            session = session_of()
            if telling not in session.trace_configs:
                session.trace_configs.append(telling)
                # With AIOHTTP_TRUST_ENV aiohttp sends what ~/.netrc has; proxies are LiteLLM's matter.
                session._trust_env = False  # noqa: SLF001 -- it can be set with a new session alone
                session._response_class = _PlainHeaders  # noqa: SLF001 -- as that
            return session

        return session_that_tells

    transport.get_valid_client_session = watched(transport.get_valid_client_session)  # type: ignore[method-assign]
    transport._rebuild_session = watched(transport._rebuild_session)  # type: ignore[method-assign]  # noqa: SLF001 -- the only other way to a session
