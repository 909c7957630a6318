"""The metered send of this task, and when its first byte leaves: until then nothing can have been billed.

A call may be cancelled while LiteLLM still writes it, or while there is no connection yet.
"""

from contextvars import ContextVar
from weakref import WeakSet

import httpx

from orchestrator.metering.meter import MeteredSend
from orchestrator.providers.litellm.byte_watch import watch_first_byte

CURRENT_METERED: ContextVar[MeteredSend | None] = ContextVar("orchestrator_metered", default=None)
"""The send of this task, for which money is held."""


def note_first_byte() -> None:
    """Take it that the current send may have been billed from now on."""
    sending = CURRENT_METERED.get()
    if sending is not None:
        sending.was_sent = True
        sending.has_left = True


def watch_requests(client: httpx.Client | httpx.AsyncClient) -> None:
    """Let a client tell of each metered send through it when it waits and when its first byte leaves.

    By this nothing is free but what this very client has and has not sent: LiteLLM may send through another
    one. A second call for a client changes nothing.
    """
    if client not in _WATCHED:
        _WATCHED.add(client)
        watch_first_byte(client, note_first_byte, _note_waiting)
        watch_leaving(client)


def watch_leaving(client: httpx.Client | httpx.AsyncClient) -> None:
    """Let a metered send hand a client one request alone, which costs no more than is held."""
    is_sync = isinstance(client, httpx.Client)
    hooks = client.event_hooks
    client.event_hooks = {
        "request": [*hooks.get("request", ()), _use_leave if is_sync else _use_leave_in_task],
        "response": [_note_status if is_sync else _note_status_in_task, *hooks.get("response", ())],
    }


def _use_leave(request: httpx.Request) -> None:
    sending = CURRENT_METERED.get()
    if sending is not None and sending.leave is not None:
        sending.leave.use(request)


def _note_status(response: httpx.Response) -> None:
    sending = CURRENT_METERED.get()
    if sending is not None and sending.leave is not None:
        sending.leave.hear(response)


async def _use_leave_in_task(request: httpx.Request) -> None:
    _use_leave(request)


async def _note_status_in_task(response: httpx.Response) -> None:
    _note_status(response)


def _note_waiting() -> None:
    """Take it that the current send is with a client that tells, and that nothing has left as yet."""
    sending = CURRENT_METERED.get()
    if sending is not None and not sending.has_left:
        sending.was_sent = False


_WATCHED: WeakSet[httpx.Client | httpx.AsyncClient] = WeakSet()
