"""Our HTTP client takes LiteLLM's second send away; `test_router` shows it at a real provider."""

import httpx
import pytest
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

from orchestrator.providers.litellm.http_client import SendOnceClient
from orchestrator.providers.wire.sessions import CONNECT_TIMEOUT_S


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


@pytest.mark.parametrize(
    ("set_s", "expected_s"),
    [
        (httpx.Timeout(30), CONNECT_TIMEOUT_S),
        (httpx.Timeout(None), CONNECT_TIMEOUT_S),
        (httpx.Timeout(0.2), 0.2),
    ],
)
async def test_a_connection_comes_within_seconds_or_never(set_s, expected_s) -> None:
    """LiteLLM and the SDK send over this one client, each with a time of its own."""
    seen: list[dict[str, float | None]] = []

    def answered(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"])
        return httpx.Response(200, json={})

    client = SendOnceClient()
    client.client._transport = httpx.MockTransport(answered)
    client.client._mounts = {}
    await client.client.post("http://127.0.0.1:9/", timeout=set_s)
    assert seen[0]["connect"] == expected_s
    assert seen[0]["read"] == set_s.read
    await client.close()
