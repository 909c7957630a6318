"""Our HTTP client takes LiteLLM's second send away; `test_router` shows it at a real provider."""

import pytest
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

from orchestrator.providers.litellm.http_client import SendOnceClient


async def test_the_second_send_is_the_first_ones_error() -> None:
    client = SendOnceClient()
    with pytest.raises(ConnectionResetError):
        try:
            raise ConnectionResetError
        except ConnectionResetError:
            await client.single_connection_post_request(url="http://127.0.0.1:9", client=None)
    await client.close()


async def test_litellm_still_sends_again_through_the_method_we_replace() -> None:
    """The day it does otherwise, this client no longer does what its name says."""
    assert "single_connection_post_request" in AsyncHTTPHandler.post.__wrapped__.__code__.co_names
