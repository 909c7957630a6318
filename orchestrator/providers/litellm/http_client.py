"""An HTTP client for LiteLLM that sends a request once, to its own address, and lets no broken stream pass.

LiteLLM's own client sends a request again when the connection breaks, without telling anyone: an
attempt could be billed twice and would be booked once. Whether to try again is the dispatcher's decision.
It also follows redirects, which take the prompt and every header but one, Google's key among them, to a host
that nobody configured; here a redirect is a failure.
"""

import os
from collections.abc import Mapping
from typing import Any

import httpx
import litellm
from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler
from openai import AsyncAzureOpenAI, AsyncOpenAI

from orchestrator.catalog.litellm_prefixes import ClientKind
from orchestrator.catalog.vendors import is_of_this_machine
from orchestrator.providers.litellm.body_limit import limit_body
from orchestrator.providers.litellm.byte_watch import watch_first_byte
from orchestrator.providers.litellm.outgoing import check_outgoing
from orchestrator.providers.litellm.provider_bodies import listen, refusal_of
from orchestrator.providers.litellm.provider_words import ProviderWords
from orchestrator.providers.litellm.sending import CURRENT_SENDING
from orchestrator.providers.litellm.sse_check import checked
from orchestrator.providers.openai_sdk import from_no_environment
from orchestrator.providers.tls import shared_tls_context
from orchestrator.providers.wire import sessions
from orchestrator.providers.wire.outbound import UnsendableError
from orchestrator.providers.wire.proxies import ProxiesOfEnvironment

_REFUSED_FROM = 300
_OPENAI_URL = "https://api.openai.com/v1"


class _SentOnce:
    """What keeps a client of the openai SDK from asking again, and from adding what the environment names.

    LiteLLM writes its own number of retries into it.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        from_no_environment(self)

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

    def create_client(self, *args: Any, **kwargs: Any) -> Any:
        """Return the client of httpx to send through; LiteLLM makes another one once it has closed it."""
        # Else LiteLLM takes what SSL_VERIFY and other variables say of checking certificates, and with
        # DISABLE_AIOHTTP_TRANSPORT httpx, which asks proxies for this machine too.
        context = shared_tls_context("litellm")
        certificate = os.getenv("SSL_CERTIFICATE", litellm.ssl_certificate)
        if certificate:
            # A gateway may want to see it, as LiteLLM documents it.
            context.load_cert_chain(certificate)
        self.transport = self.create_aiohttp_transport(ssl_context=context)
        _keep_to_proxies(self.transport)
        client = super().create_client(*args, **kwargs)
        watch_first_byte(client, self.note_first_byte)
        return client

    def note_first_byte(self) -> None:
        """Take it that the attempt of this task may have been billed from now on."""
        sending = CURRENT_SENDING.get()
        if sending is not None and sending.source.current is not None:
            sending.source.current.mark_sent()

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
        if kwargs.get("stream") and CURRENT_SENDING.get() is None:
            # Of a call that others make; what the answer to an attempt says is checked as its bytes come.
            lines = response.aiter_lines
            response.aiter_lines = lambda: checked(lines())
        return response

    async def single_connection_post_request(self, *_: Any, **__: Any) -> Any:
        """Raise the error that LiteLLM is about to answer with a second send.

        LiteLLM calls this inside its `except`, so the error is the one being handled.
        """
        raise  # noqa: PLE0704 -- the error being handled by the caller


def _keep_to_proxies(transport: LiteLLMAiohttpTransport) -> None:
    """Let the proxies of the environment hold, whatever LiteLLM is told, and none to this machine."""
    proxies = ProxiesOfEnvironment()

    async def proxy_of(request: httpx.Request) -> str | None:
        _check_proxy(proxies, request)
        return None if is_of_this_machine(str(request.url)) else transport._proxy_from_env(request.url)  # noqa: SLF001

    transport._get_proxy_settings = proxy_of  # type: ignore[method-assign]  # noqa: SLF001 -- the only way


def _check_proxy(proxies: ProxiesOfEnvironment, request: httpx.Request) -> None:
    try:
        proxies.for_url(str(request.url))
    except UnsendableError as error:
        sending = CURRENT_SENDING.get()
        if sending is not None and sending.source.current is not None:
            sending.source.current.remark(str(error))
        raise


async def _limit_connect(request: httpx.Request) -> None:
    """Let a connection come within seconds or never: LiteLLM and the SDK wait as long as for an answer."""
    timeouts = request.extensions.setdefault("timeout", {})
    set_s = timeouts.get("connect")
    limit_s = sessions.CONNECT_TIMEOUT_S
    timeouts["connect"] = limit_s if set_s is None else min(set_s, limit_s)


async def _check_outgoing(request: httpx.Request) -> None:
    """Let what holds its bounds leave, once; for httpx's event hook, before it connects."""
    check_outgoing(request, CURRENT_SENDING.get())


async def _listen(response: httpx.Response) -> None:
    """Hear what the provider says itself; for httpx's event hook, before anything of it is read."""
    sending = CURRENT_SENDING.get()
    if sending is not None:
        sending.last_status = response.status_code
        if response.status_code < _REFUSED_FROM:
            sending.heard = sending.words or ProviderWords()
            listen(response, sending.heard)
        elif sending.words is not None:
            sending.refusal = await refusal_of(response)
