"""What a vendor's own client sends goes to one address, each send held for, and is settled however it ends."""

import asyncio
import gc
import json

import httpx
import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.errors import InvalidRequestError
from orchestrator.metering.metered_http import MeteredHttp, VendorAddress
from tests.providers.wire.misbehaving import Exchanged, serving

BODY = {"model": "gpt-6-luna", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10}


@pytest.fixture
def http_to(practised):
    """Make the metered way to an address, with the meter of a client of the shipped configuration."""

    def make(url: str, kind: ProviderKind = ProviderKind.OPENAI) -> MeteredHttp:
        meter = practised.native("openai/gpt-6-luna", tenant="acme").http_client._transport._meter
        return MeteredHttp(VendorAddress(kind, "gpt-6-luna", url), meter)

    return make


def held(orchestrator) -> int:
    return sum(one.held for one in orchestrator.standings())


def spent(orchestrator) -> int:
    return max((one.spent for one in orchestrator.standings()), default=0)


@pytest.mark.parametrize("configured", ["http://127.0.0.1:9/v1", "https://127.0.0.1:10/v1"])
def test_another_address_is_refused(http_to, practised, configured: str) -> None:
    with httpx.Client(transport=http_to(configured)) as client, pytest.raises(InvalidRequestError):
        client.post("http://127.0.0.1:10/v1/chat/completions", json=BODY)
    assert (held(practised), spent(practised)) == (0, 0)


async def test_counting_tokens_at_google_is_free_and_held_for_by_nobody(http_to, practised) -> None:
    async def answer(exchanged: Exchanged) -> None:
        await exchanged.answer(b'{"totalTokens": 3}')

    async with serving(answer) as server:
        way = http_to(server.base_url, ProviderKind.GOOGLE)
        async with httpx.AsyncClient(transport=way) as client:
            answered = await client.post(f"{server.base_url}/models/gpt-6-luna:countTokens", json={})
    assert answered.json() == {"totalTokens": 3}
    assert spent(practised) == 0


@pytest.mark.parametrize("when", ["before it connects", "in the middle of the answer"])
async def test_a_cancelled_send_is_paid_for_only_once_a_byte_has_left(http_to, practised, when: str) -> None:
    arrived = asyncio.Event()

    async def answer(exchanged: Exchanged) -> None:
        arrived.set()
        await exchanged.closed_by_client()

    async with serving(answer) as server:
        way = http_to(server.base_url)
        async with httpx.AsyncClient(transport=way) as client:
            sending = asyncio.ensure_future(client.post(f"{server.base_url}/chat/completions", json=BODY))
            await (asyncio.sleep(0) if when == "before it connects" else arrived.wait())
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
    assert held(practised) == 0
    assert (spent(practised) > 0) is (when != "before it connects")


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_no_cookie_of_a_provider_goes_back_to_it(http_to, asynchronous: bool) -> None:
    """It would tie the requests of all tenants of a client together."""
    heads = []
    choice = {"index": 0, "message": {"role": "assistant", "content": "Chào"}, "finish_reason": "stop"}
    counted = json.dumps({"totalTokens": 3, "choices": [choice]}).encode()

    async def answer(exchanged: Exchanged) -> None:
        heads.append(exchanged.head.lower())
        await exchanged.answer(counted, headers="set-cookie: who=acme; Path=/\r\n")

    async with serving(answer) as server:
        for path, body in (("models/gpt-6-luna:countTokens", {}), ("chat/completions", BODY)) * 2:
            url = f"{server.base_url}/{path}"
            kind = ProviderKind.OPENAI if body else ProviderKind.GOOGLE
            way = http_to(server.base_url, kind)
            if asynchronous:
                async with httpx.AsyncClient(transport=way) as client:
                    for _ in range(2):
                        await client.post(url, json=body)
            else:
                with httpx.Client(transport=way) as client:
                    for _ in range(2):
                        await asyncio.to_thread(client.post, url, json=body)
    assert len(heads) == 8
    assert not any("cookie" in head for head in heads)


async def test_every_send_of_a_client_that_retries_holds_for_itself(http_to, practised) -> None:
    message = {"role": "assistant", "content": "Hi"}
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 1}
    told = {"id": "a", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.answer(json.dumps(told).encode())

    async with serving(answer) as server, httpx.AsyncClient(transport=http_to(server.base_url)) as client:
        await client.post(f"{server.base_url}/chat/completions", json=BODY)
        once = spent(practised)
        await client.post(f"{server.base_url}/chat/completions", json=BODY)
    assert spent(practised) == 2 * once > 0


def test_connections_are_closed_with_the_loop_that_made_them(http_to) -> None:
    left_open, ways = [], []

    async def ask() -> None:
        async def answer(exchanged: Exchanged) -> None:
            await exchanged.answer(b'{"totalTokens": 3}')

        async with serving(answer) as server:
            ways.append(http_to(server.base_url, ProviderKind.GOOGLE))
            # Nobody closes a vendor's client.
            client = httpx.AsyncClient(transport=ways[0])
            await client.post(f"{server.base_url}/models/gpt-6-luna:countTokens", json={})
            (connections,) = ways[0]._by_loop.values()
            left_open.extend(connections.transport._pool.connections)

    asyncio.run(ask())
    assert [connection.is_closed() for connection in left_open] == [True]
    assert ways[0]._by_loop == {}


def test_connections_of_threads_are_closed_with_their_client(http_to) -> None:
    way = http_to("http://127.0.0.1:9/v1")
    with pytest.raises(httpx.ConnectError):
        way.handle_request(httpx.Request("POST", "http://127.0.0.1:9/v1/chat/completions", json=BODY))
    pool, closed = way._sync._pool, []
    pool.close = lambda: closed.append(True)
    del way
    gc.collect()
    assert closed == [True]
