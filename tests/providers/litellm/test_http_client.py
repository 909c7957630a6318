"""Our HTTP client takes LiteLLM's second send away; `test_router` shows it at a real provider."""

import httpx
import pytest
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler
from openai import APIStatusError

from orchestrator.core.failures import FailureKind
from orchestrator.providers.litellm.error_mapping import failure_of
from orchestrator.providers.litellm.http_client import SendOnceClient
from orchestrator.providers.wire import sessions
from tests.support.redirecting import STATUSES, redirecting


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


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_redirect_is_a_failure_that_may_be_billed(status: int, stream: bool) -> None:
    client = SendOnceClient()
    with redirecting() as elsewhere:
        elsewhere.status = status
        with pytest.raises(httpx.HTTPStatusError) as caught:
            await client.post(url=elsewhere.url, json={}, stream=stream)
    await client.close()
    failure = failure_of(caught.value)
    assert (failure.kind, failure.status) == (FailureKind.MALFORMED, status)
    assert failure.policy.billing == "maybe"
    assert elsewhere.reached == []


async def test_the_sdk_on_the_same_connections_follows_none_either() -> None:
    client = SendOnceClient()
    with redirecting() as elsewhere:
        sdk = client.sdk(base_url=elsewhere.url, api_key="sk-secret")
        with pytest.raises(APIStatusError):
            await sdk.chat.completions.create(model="m", messages=[])
    await client.close()
    assert (len(elsewhere.asked), elsewhere.reached) == (1, [])


async def test_a_proxy_of_the_environment_holds_whatever_litellm_is_told(monkeypatch) -> None:
    """With its variable the key went to the provider itself, past the proxy."""
    monkeypatch.setenv("DISABLE_AIOHTTP_TRUST_ENV", "True")
    client = SendOnceClient()
    with redirecting() as proxy:
        proxy.location = ""
        monkeypatch.setenv("http_proxy", proxy.url)
        with pytest.raises(httpx.HTTPStatusError):
            await client.post(url="http://provider.example/v1/chat", json={})
    await client.close()
    assert len(proxy.asked) == 1


@pytest.mark.parametrize("without_aiohttp", ["False", "True"])
async def test_what_this_machine_answers_itself_goes_through_no_proxy(monkeypatch, without_aiohttp) -> None:
    monkeypatch.setenv("DISABLE_AIOHTTP_TRANSPORT", without_aiohttp)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    client = SendOnceClient()
    with redirecting() as gateway, pytest.raises(httpx.HTTPStatusError):
        await client.post(url=gateway.url, json={})
    await client.close()
    assert gateway.asked == ["/v1"]


@pytest.mark.parametrize(
    ("set_s", "expected_s"),
    [
        (httpx.Timeout(30), 5.0),
        (httpx.Timeout(None), 5.0),
        (httpx.Timeout(0.2), 0.2),
    ],
)
async def test_a_connection_comes_within_seconds_or_never(set_s, expected_s, monkeypatch) -> None:
    """LiteLLM and the SDK send over this one client, each with a time of its own."""
    monkeypatch.setattr(sessions, "CONNECT_TIMEOUT_S", 5.0)
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
