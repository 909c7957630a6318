"""When the first byte of a metered send leaves LiteLLM's clients: until then nothing can have been billed.

A call may be cancelled while LiteLLM still writes it, or while there is no connection yet.
"""

from contextvars import ContextVar
from typing import Any

import aiohttp
import httpx
from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport

from orchestrator.metering.meter import MeteredSend

CURRENT_METERED: ContextVar[MeteredSend | None] = ContextVar("orchestrator_metered", default=None)
"""The send of this task, for which money is held."""

_FIRST_BYTE = "send_request_headers.started"


def note_first_byte() -> None:
    """Take it that the current send may have been billed from now on."""
    sending = CURRENT_METERED.get()
    if sending is not None:
        sending.was_sent = True


def watch_first_byte(client: httpx.AsyncClient) -> None:
    """Let a client note, in the task that sends, when the first byte of a request is handed to a socket."""
    hooks = client.event_hooks
    client.event_hooks = {**hooks, "request": [*hooks.get("request", ()), _trace]}
    transport = client._transport  # noqa: SLF001 -- httpx tells nobody whom it sends with
    if isinstance(transport, LiteLLMAiohttpTransport):
        _watch_sessions(transport)


async def _trace(request: httpx.Request) -> None:
    """Have httpx's own transports tell; LiteLLM's, over aiohttp, knows no such extension."""
    request.extensions = {**request.extensions, "trace": _note_event}


async def _note_event(event: str, _: Any) -> None:
    if event.endswith(_FIRST_BYTE):
        note_first_byte()


def _watch_sessions(transport: LiteLLMAiohttpTransport) -> None:
    """Have every session that LiteLLM opens tell: it opens another one for another event loop."""
    session_of = transport.get_valid_client_session

    def watched() -> aiohttp.ClientSession:
        session = session_of()
        if _TELLING not in session.trace_configs:
            session.trace_configs.append(_TELLING)
        return session

    transport.get_valid_client_session = watched  # type: ignore[method-assign]


async def _note_headers(*_: Any) -> None:
    # aiohttp tells of the headers before it writes them.
    note_first_byte()


_TELLING = aiohttp.TraceConfig()
_TELLING.on_request_headers_sent.append(_note_headers)
_TELLING.freeze()
