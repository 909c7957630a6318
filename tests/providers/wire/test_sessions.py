"""A session for each loop: no cookies, no ~/.netrc, no request that is written twice, whatever its size."""

import asyncio
import contextlib
import os
import socket
import threading
from dataclasses import replace

import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import AttemptFailedError
from orchestrator.providers.wire import http, sessions
from orchestrator.providers.wire.building import wire_request_of
from orchestrator.providers.wire.http import WireClient
from orchestrator.providers.wire.outbound import OutboundRequest, UnsendableError, WireRequest
from orchestrator.providers.wire.parameter_rules import ParameterRules
from tests.providers.wire import openai_exchanges as openai
from tests.providers.wire.misbehaving import Exchanged, serving
from tests.providers.wire.outbound_requests import outbound

CONNECT_TIMEOUT_S = sessions.CONNECT_TIMEOUT_S
"""As it is for users: the run of these tests waits longer."""
WHOLE = openai.body(openai.said("Xin chào"))


async def answer(exchanged: Exchanged) -> None:
    await exchanged.answer(WHOLE, headers="set-cookie: session=secret; path=/\r\n")


async def ask(client: WireClient, base_url: str, *messages, **changes):
    return await client.call(
        outbound(ProviderKind.OPENAI, *messages, base_url=base_url, **changes), on_sent=lambda: None
    )


async def test_no_cookie_is_kept() -> None:
    client = WireClient()
    async with serving(answer) as server:
        for _ in range(2):
            await ask(client, server.base_url)
        await client.close()
    assert ["cookie:" in each.head.lower() for each in server.requests] == [False, False]


async def test_a_netrc_does_not_replace_the_key(tmp_path, monkeypatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    client = WireClient()
    async with serving(answer) as server:
        await ask(client, server.base_url)
        await client.close()
    assert "authorization: Bearer sk-secret" in server.requests[0].head.replace(
        "Authorization", "authorization"
    )


async def test_a_large_request_arrives_whole_and_without_a_warning(recwarn) -> None:
    client, text = WireClient(), "chào " * 700_000
    async with serving(answer) as server:
        await ask(client, server.base_url, {"role": "user", "content": text})
        await client.close()
    assert text.encode() in server.requests[0].body
    assert [each for each in recwarn if issubclass(each.category, ResourceWarning)] == []


async def test_a_body_is_held_no_longer_than_it_takes_to_send_it(monkeypatch) -> None:
    """A call waits for its answer for seconds or minutes, a hundred of them beside each other."""
    let_go, held_when_answered = threading.Event(), []

    class Watched(bytes):
        def __del__(self) -> None:
            let_go.set()

    def watched(request: OutboundRequest, rules: ParameterRules) -> WireRequest:
        written = wire_request_of(request, rules)
        return replace(written, body=Watched(written.body))

    async def look_and_answer(exchanged: Exchanged) -> None:
        # The answer would be there a turn of the loop later at the earliest.
        for _ in range(3):
            await asyncio.sleep(0)
        held_when_answered.append(not let_go.is_set())
        await answer(exchanged)

    monkeypatch.setattr(http, "wire_request_of", watched)
    client = WireClient()
    async with serving(look_and_answer) as server:
        await ask(client, server.base_url)
        await client.close()
    assert held_when_answered == [False]


async def test_each_loop_has_its_own_connections() -> None:
    client = WireClient()
    texts: list[str] = []

    async def ask_once(base_url: str) -> None:
        texts.append((await ask(client, base_url)).text)
        await client.close()

    async with serving(answer) as server:
        threads = [threading.Thread(target=lambda: asyncio.run(ask_once(server.base_url))) for _ in range(3)]
        for thread in threads:
            thread.start()
        await ask_once(server.base_url)
        for thread in threads:
            await asyncio.to_thread(thread.join)
    assert (texts, server.connections) == (["Xin chào"] * 4, 4)


async def test_a_forked_child_does_not_write_into_its_parents_connections(monkeypatch) -> None:
    client = WireClient()
    async with serving(answer) as server:
        await ask(client, server.base_url)
        parent = client._sessions._session()
        monkeypatch.setattr(os, "getpid", lambda: -1)
        await ask(client, server.base_url)
        assert client._sessions._session() is not parent
        await client.close()
        await parent.close()
    assert server.connections == 2


async def test_a_client_that_was_closed_opens_anew() -> None:
    client = WireClient()
    async with serving(answer) as server:
        await ask(client, server.base_url)
        await client.close()
        await client.close()
        assert (await ask(client, server.base_url)).text == "Xin chào"
        await client.close()


async def test_a_proxy_of_the_environment_is_used_but_for_this_machine(monkeypatch) -> None:
    client = WireClient()
    async with serving(answer) as proxy, serving(answer) as server:
        monkeypatch.setenv("http_proxy", proxy.base_url.removesuffix("/v1").replace("://", "://user:word@"))
        await ask(client, server.base_url)
        await ask(client, "http://provider.example/v1")
        await client.close()
        assert (len(proxy.requests), len(server.requests)) == (1, 1)
        assert proxy.requests[0].head.startswith("POST http://provider.example/v1/chat/completions")
        assert "proxy-authorization: basic" in proxy.requests[0].head.lower()


@pytest.fixture
def unaccepted():
    """A port whose queue is full: a connection to it neither comes nor is refused."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


async def test_a_connection_that_never_comes_is_given_up_within_seconds(unaccepted, monkeypatch) -> None:
    """Not with the time of a whole answer; and nothing was sent, so nothing is booked."""
    assert CONNECT_TIMEOUT_S <= 5
    monkeypatch.setattr(sessions, "CONNECT_TIMEOUT_S", 0.2)
    await not_connected(f"http://127.0.0.1:{unaccepted}/v1")


async def test_a_handshake_that_never_ends_is_given_up_too(monkeypatch) -> None:
    """The port takes the connection and says no word of TLS."""
    monkeypatch.setattr(sessions, "CONNECT_TIMEOUT_S", 0.2)
    silent = await asyncio.start_server(lambda reader, _: reader.read(), "127.0.0.1", 0)
    async with silent:
        await not_connected(f"https://127.0.0.1:{silent.sockets[0].getsockname()[1]}/v1")


async def not_connected(base_url: str) -> None:
    client, sent = WireClient(), []
    request = outbound(ProviderKind.OPENAI, base_url=base_url)
    with pytest.raises(AttemptFailedError) as caught:
        # Far beyond the limit: it is the session that gives up, and not the test.
        await asyncio.wait_for(client.call(request, on_sent=lambda: sent.append(1)), 30)
    assert caught.value.failure.kind is FailureKind.UNREACHABLE
    assert sent == []
    await client.close()


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.vn", ".vn"])
async def test_a_host_that_no_name_can_be_is_an_error_of_ours_before_anything_leaves(host) -> None:
    """Python refuses to look it up with a UnicodeError; by an address or a proxy of the environment."""
    opened = sessions.Sessions()
    with pytest.raises(UnsendableError, match="cannot be called"):
        await opened.send(WireRequest(f"http://{host}/v1", {}, b"{}"), lambda: None)
    await opened.close()
