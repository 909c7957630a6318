"""A call that is given up before its first byte has left costs nothing; one that may have been billed its bound."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import httpx
import litellm
import pytest
from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport

from orchestrator.metering.first_byte import CURRENT_METERED
from orchestrator.providers.litellm.http_client import watch_first_byte
from tests.metering.test_budget_guard import (
    HELLO,
    MODELS,
    guard,
    make_guard,
    operations,
    practice,
    sources,
    standing,
    to,
    until,
)

__all__ = ["guard", "make_guard", "practice", "to"]


_SYN_SENT = "02"


def connecting_to(port: int) -> int:
    """Return how many connections to a port are begun and not there yet."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    rows = [line.split() for line in lines]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == _SYN_SENT for row in rows)


@pytest.fixture
def full_house() -> Iterator[int]:
    """A port where every seat is taken: connections to it are begun and never come about."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        guests = [socket.socket() for _ in range(4)]
        for guest in guests:
            guest.setblocking(False)
            guest.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for guest in guests:
            guest.close()


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux tells who is connecting")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_is_cancelled_while_it_connects_costs_nothing(guard, full_house, model, stream):
    address, before = f"http://127.0.0.1:{full_house}", connecting_to(full_house)

    async def ask():
        answer = await litellm.acompletion(
            model=model, messages=HELLO, api_base=address, api_key="none", max_tokens=50, stream=stream
        )
        # Gemini's are sent with the first chunk that is read.
        return [chunk async for chunk in answer] if stream else answer

    call = asyncio.ensure_future(ask())
    await until(lambda: connecting_to(full_house) > before)
    assert standing(guard)[1] > 0
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await until(lambda: standing(guard) == (0, 0))
    assert operations(guard) == [("cancelled", "cancelled", 1)]
    assert sources(guard) == ["none"]
    assert CURRENT_METERED.get() is None


@pytest.mark.parametrize("model", MODELS)
async def test_a_stream_that_is_never_read_costs_nothing_if_it_never_left(guard, to, practice, model):
    stream = await litellm.acompletion(**to(model, stream=True))
    left = bool(practice.requests)
    del stream
    await until(lambda: standing(guard)[1] == 0)
    assert (standing(guard)[0] > 0) == left
    assert sources(guard) == ["bound" if left else "none"]
    assert len(practice.requests) == left


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
