"""An HTTP client for LiteLLM that sends a request once, to its own address, and lets no broken stream pass.

LiteLLM's own client sends a request again when the connection breaks, without telling anyone: an
attempt could be billed twice and would be booked once. Whether to try again is the dispatcher's decision.
It also follows redirects, which take the prompt and every header but one, Google's key among them, to a host
that nobody configured; here a redirect is a failure.
"""

from typing import Any

import httpx
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler
from openai import AsyncOpenAI

from orchestrator.providers.litellm.body_limit import limit_body
from orchestrator.providers.litellm.sending import CURRENT_SENDING
from orchestrator.providers.litellm.sse_check import checked
from orchestrator.providers.wire.sessions import CONNECT_TIMEOUT_S

_BREAKS = frozenset(b"\r\n\0")
_OPENAI_URL = "https://api.openai.com/v1"


class UnsendableHeaderError(Exception):
    """A header, which may be the key, holds a line break or a NUL; carries its name and not its value."""


class SendOnceClient(AsyncHTTPHandler):
    """LiteLLM's HTTP client without its hidden second send, a limit to what it reads, and checked streams."""

    def __init__(self) -> None:
        """Open nothing yet."""
        super().__init__(
            event_hooks={"request": [_limit_connect, _mark_sent], "response": [limit_body]},
            follow_redirects=False,
        )
        self._sdks: dict[tuple[str, str], AsyncOpenAI] = {}

    def sdk(self, *, base_url: str | None, api_key: str) -> AsyncOpenAI:
        """Return the openai SDK's client on the same connections, for what LiteLLM asks through it."""
        place = (base_url or _OPENAI_URL, api_key)
        if place not in self._sdks:
            self._sdks[place] = AsyncOpenAI(
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


async def _limit_connect(request: httpx.Request) -> None:
    """Let a connection come within seconds or never: LiteLLM and the SDK wait as long as for an answer."""
    timeouts = request.extensions.setdefault("timeout", {})
    set_s = timeouts.get("connect")
    timeouts["connect"] = CONNECT_TIMEOUT_S if set_s is None else min(set_s, CONNECT_TIMEOUT_S)


async def _mark_sent(request: httpx.Request) -> None:
    """Tell the attempt of this task that its bytes leave; for httpx's event hook, before it connects.

    Raises:
        UnsendableHeaderError: what would leave is no HTTP, so nothing does.
    """
    for name, value in request.headers.raw:
        if any(byte in _BREAKS for byte in value):
            raise UnsendableHeaderError(name.decode("ascii", "replace"))
    sending = CURRENT_SENDING.get()
    attempt = None if sending is None else sending.source.current
    if attempt is not None:
        attempt.mark_sent()
