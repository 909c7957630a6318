"""An HTTP client for LiteLLM that sends a request once.

LiteLLM's own client sends a request again when the connection breaks, without telling anyone: an
attempt could be billed twice and would be booked once. Whether to try again is the walk's decision.
"""

from typing import Any

from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler


class SendOnceClient(AsyncHTTPHandler):
    """LiteLLM's HTTP client without its hidden second send."""

    async def single_connection_post_request(self, *_: Any, **__: Any) -> Any:
        """Raise the error that LiteLLM is about to answer with a second send.

        LiteLLM calls this inside its `except`, so the error is the one being handled.
        """
        raise  # noqa: PLE0704 -- the error being handled by the caller
