"""A client tells when the first byte of a request leaves it; one over a transport of others tells before."""

import asyncio

import aiohttp
import httpx
import pytest
from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport

from orchestrator.providers.litellm.byte_watch import watch_first_byte
from tests.metering.test_budget_guard import until
from tests.support.full_house import NEEDS_CONNECTING, full_house
from tests.support.prefixed import CLAUDE, DEEPSEEK, prefixed, prefixed_server

__all__ = ["full_house"]


async def test_a_session_that_is_closed_under_a_request_gives_way_to_one_that_tells_too(practice):
    sent = []
    transport = LiteLLMAiohttpTransport(client=aiohttp.ClientSession)
    proxy_of = transport._get_proxy_settings

    async def close_first(request):
        transport._get_proxy_settings = proxy_of
        await transport.client.close()
        return await proxy_of(request)

    transport._get_proxy_settings = close_first
    async with httpx.AsyncClient(transport=transport) as client:
        watch_first_byte(client, lambda: sent.append("first byte"))
        await client.post(practice.base_url("openai"), json={})
        assert sent == ["first byte"]
        await client.post(practice.base_url("openai"), json={})
    assert len(sent) == 2


async def test_a_client_over_a_transport_of_others_tells_before_it_sends():
    class OfOthers(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            del request
            raise httpx.ReadTimeout("the answer was on its way")

    sent = []
    for mounts in (None, {"http://": OfOthers()}):
        sent.clear()
        async with httpx.AsyncClient(transport=None if mounts else OfOthers(), mounts=mounts) as client:
            watch_first_byte(client, lambda: sent.append("may have left"))
            with pytest.raises(httpx.ReadTimeout):
                await client.post("http://127.0.0.1:9", json={})
        assert sent == ["may have left"]


def test_a_synchronous_client_tells_too_and_keeps_the_callers_own_trace(practice):
    noted = []
    request = {"extensions": {"trace": lambda event, _: noted.append(event)}}
    with httpx.Client() as client:
        watch_first_byte(client, lambda: noted.append("first byte"), lambda: noted.append("waiting"))
        client.post(practice.base_url("openai"), json={}, **request)
    steps = [step for step in noted if step in {"waiting", "connection.connect_tcp.started", "first byte"}]
    assert steps == ["waiting", "connection.connect_tcp.started", "first byte"]
    assert noted.count("http11.send_request_headers.started") == 1


@NEEDS_CONNECTING
@pytest.mark.parametrize("name", [CLAUDE, DEEPSEEK])
async def test_an_attempt_of_litellms_that_is_cancelled_while_it_connects_costs_nothing(
    make_orchestrator, full_house, name
):
    """Over aiohttp, and over the openai SDK's client."""
    with prefixed_server() as server:
        nowhere = {name.partition("/")[0]: {"base_url": full_house.url}}
        orchestrator = make_orchestrator(prefixed(server, name, providers=nowhere))
    asking = asyncio.ensure_future(orchestrator.acomplete("Xin chào", deadline_s=60))
    await until(full_house.has_caller)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    query = "SELECT deployment, cost_source FROM attempts"
    file = orchestrator._services.ledger.store.file
    assert file.write(lambda connection: connection.execute(query).fetchall()) == [(name, "none")]
