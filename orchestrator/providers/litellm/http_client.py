"""An HTTP client for LiteLLM that sends a request once, to its own address, and lets no broken stream pass.

LiteLLM's own client sends a request again when the connection breaks, without telling anyone: an
attempt could be billed twice and would be booked once. Whether to try again is the dispatcher's decision.
It also follows redirects, which take the prompt and every header but one, Google's key among them, to a host
that nobody configured; here a redirect is a failure.
"""

from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import httpx
from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler
from openai import AsyncAzureOpenAI, AsyncOpenAI

from orchestrator.catalog.litellm_prefixes import ClientKind
from orchestrator.providers.litellm.body_limit import limit_body
from orchestrator.providers.litellm.outgoing import check_outgoing
from orchestrator.providers.litellm.provider_bodies import listen, refusal_of
from orchestrator.providers.litellm.sending import CURRENT_SENDING
from orchestrator.providers.litellm.sse_check import checked
from orchestrator.providers.wire.sessions import CONNECT_TIMEOUT_S

_FIRST_BYTE = "send_request_headers.started"
_TELLING = httpx.AsyncHTTPTransport | LiteLLMAiohttpTransport
"""Transports that tell when the first byte leaves."""
_REFUSED_FROM = 300
_OPENAI_URL = "https://api.openai.com/v1"


class _SentOnce:
    """What keeps a client of the openai SDK from asking again: LiteLLM writes its own number into it."""

    @property
    def max_retries(self) -> int:
        return 0

    @max_retries.setter
    def max_retries(self, _: int) -> None:
        """Leave it as it is."""


class _OpenAI(_SentOnce, AsyncOpenAI):
    """The SDK's client, without its retries."""


class _Azure(_SentOnce, AsyncAzureOpenAI):
    """The SDK's client for Azure, without its retries."""


class SendOnceClient(AsyncHTTPHandler):
    """LiteLLM's HTTP client without its hidden second send, a limit to what it reads, and checked streams."""

    def __init__(self) -> None:
        """Open nothing yet."""
        super().__init__(
            event_hooks={"request": [_limit_connect, _check_outgoing], "response": [limit_body, _listen]},
            follow_redirects=False,
        )
        self._sdks: dict[tuple[str, str], AsyncOpenAI] = {}
        self._azures: dict[tuple[str, str, str], AsyncAzureOpenAI] = {}

    def of(self, kind: ClientKind, arguments: Mapping[str, Any]) -> Any:
        """Return the client through which LiteLLM sends a call with these arguments."""
        if kind is ClientKind.HTTP:
            return self
        address, key = arguments.get("api_base"), str(arguments.get("api_key") or "none")
        if kind is ClientKind.OPENAI:
            return self.sdk(base_url=address, api_key=key)
        token = str(arguments.get("azure_ad_token") or "")
        return self._azure(str(address), "" if token else key, str(arguments.get("api_version")), token)

    def _azure(self, address: str, key: str, version: str, token: str) -> AsyncAzureOpenAI:
        place = (address, key or token, version)
        if place not in self._azures:
            self._azures[place] = _Azure(
                azure_endpoint=address,
                api_version=version,
                api_key=key or None,
                azure_ad_token=token or None,
                http_client=self.client,
                max_retries=0,
            )
        return self._azures[place]

    def sdk(self, *, base_url: str | None, api_key: str) -> AsyncOpenAI:
        """Return the openai SDK's client on the same connections, for what LiteLLM asks through it."""
        place = (base_url or _OPENAI_URL, api_key)
        if place not in self._sdks:
            self._sdks[place] = _OpenAI(
                base_url=place[0], api_key=api_key, http_client=self.client, max_retries=0
            )
        return self._sdks[place]

    async def post(self, *args: Any, **kwargs: Any) -> Any:
        """Send, and check the events of a streamed response as LiteLLM reads them."""
        response = await super().post(*args, **kwargs)
        if kwargs.get("stream"):
            lines = response.aiter_lines
            response.aiter_lines = lambda: checked(lines())
        return response

    async def single_connection_post_request(self, *_: Any, **__: Any) -> Any:
        """Raise the error that LiteLLM is about to answer with a second send.

        LiteLLM calls this inside its `except`, so the error is the one being handled.
        """
        raise  # noqa: PLE0704 -- the error being handled by the caller


def watch_first_byte(client: httpx.AsyncClient, note: Callable[[], None]) -> None:
    """Let a client call `note`, in the task that sends, when the first byte of a request goes to a socket.

    A client over a transport of others calls it before it sends: nobody knows what that one tells of.
    """
    transports = [client._transport, *client._mounts.values()]  # noqa: SLF001 -- httpx tells nobody whom it sends with
    is_telling = all(isinstance(each, _TELLING | None) for each in transports)

    async def note_event(event: str, _: Any) -> None:
        if event.endswith(_FIRST_BYTE):
            note()

    async def trace(request: httpx.Request) -> None:
        if not is_telling:
            note()
        # For httpx's own transports; LiteLLM's, over aiohttp, knows no such extension.
        request.extensions = {**request.extensions, "trace": note_event}

    async def note_headers(*_: Any) -> None:
        # aiohttp tells of the headers before it writes them.
        note()

    hooks = client.event_hooks
    client.event_hooks = {**hooks, "request": [*hooks.get("request", ()), trace]}
    for transport in transports:
        if isinstance(transport, LiteLLMAiohttpTransport):
            telling = aiohttp.TraceConfig()
            telling.on_request_headers_sent.append(note_headers)
            telling.freeze()
            _watch_sessions(transport, telling)


def _watch_sessions(transport: LiteLLMAiohttpTransport, telling: aiohttp.TraceConfig) -> None:
    """Have every session that LiteLLM sends through tell: it opens another one for another event loop.

    One that is closed under a request gives way to another, through which that request is sent at once.
    """

    def watched(session_of: Callable[[], aiohttp.ClientSession]) -> Callable[[], aiohttp.ClientSession]:
        def session_that_tells() -> aiohttp.ClientSession:
            session = session_of()
            if telling not in session.trace_configs:
                session.trace_configs.append(telling)
            return session

        return session_that_tells

    transport.get_valid_client_session = watched(transport.get_valid_client_session)  # type: ignore[method-assign]
    transport._rebuild_session = watched(transport._rebuild_session)  # type: ignore[method-assign]  # noqa: SLF001 -- the only other way to a session


async def _limit_connect(request: httpx.Request) -> None:
    """Let a connection come within seconds or never: LiteLLM and the SDK wait as long as for an answer."""
    timeouts = request.extensions.setdefault("timeout", {})
    set_s = timeouts.get("connect")
    timeouts["connect"] = CONNECT_TIMEOUT_S if set_s is None else min(set_s, CONNECT_TIMEOUT_S)


async def _check_outgoing(request: httpx.Request) -> None:
    """Let what holds its bounds leave, once; for httpx's event hook, before it connects."""
    check_outgoing(request, CURRENT_SENDING.get())


async def _listen(response: httpx.Response) -> None:
    """Hear what the provider says itself; for httpx's event hook, before anything of it is read."""
    sending = CURRENT_SENDING.get()
    if sending is not None:
        sending.last_status = response.status_code
        if sending.words is not None and response.status_code >= _REFUSED_FROM:
            sending.refusal = await refusal_of(response)
        elif sending.words is not None:
            listen(response, sending.words)
