"""The server itself: start, stop, keys, models, logs."""

import asyncio
import concurrent.futures
import time

import aiohttp
import httpx
import pytest

from orchestrator.practice import PracticeError, PracticeServer, Scripted

HELLO = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}


def test_a_port_in_use_is_an_error_that_says_what_to_do(server):
    """Not a traceback of asyncio."""
    with pytest.raises(PracticeError, match="choose another port"):
        PracticeServer(port=server.port).start()


def test_it_listens_on_the_loopback_interface_only():
    """Any other host is refused before a socket is opened."""
    with pytest.raises(PracticeError, match="loopback"):
        PracticeServer(host="0.0.0.0")  # noqa: S104 -- this is what must be refused


def test_it_says_when_it_does_not_run():
    """Asking for an address before the start is an error; stopping twice is none."""
    stopped = PracticeServer()
    with pytest.raises(PracticeError, match="call start"):
        stopped.base_url("openai")
    with stopped as running:
        assert running.base_url("openrouter") == f"http://127.0.0.1:{running.port}/openrouter/api/v1"
        assert running.base_url("openai") == f"http://127.0.0.1:{running.port}/openai/v1"
        assert running.base_url("google") == f"http://127.0.0.1:{running.port}/google/v1beta"
        with pytest.raises(ValueError, match="choose one of"):
            running.base_url("cohere")
        with pytest.raises(PracticeError, match="runs already"):
            running.start()
    stopped.stop()


def test_it_can_be_started_again_and_keeps_its_bill():
    """On a new port, with new reply ids."""
    again = PracticeServer()
    for _ in range(2):
        with again:
            httpx.post(f"{again.base_url('openai')}/chat/completions", json=HELLO)
    assert len({charge.request_id for charge in again.bill.charges}) == 2


def test_stopping_does_not_wait_for_hanging_requests(caller):
    """A silent request ends with the server."""
    caller.server.faults.add("openai:silence")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        hanging = pool.submit(caller.post, "openai")
        while not caller.server.requests:
            time.sleep(0.01)
        with pytest.raises(PracticeError, match="still being answered"):
            caller.server.wait_idle(timeout_s=0.05)
        began_s = time.monotonic()
        caller.server.stop()
        assert time.monotonic() - began_s < 1
        assert isinstance(hanging.exception(timeout=300), httpx.TransportError)


async def test_a_thousand_concurrent_requests_are_all_answered_and_billed(server):
    """With one loop on each side."""
    url = f"{server.base_url('openai')}/chat/completions"
    async with aiohttp.ClientSession() as client:

        async def ask() -> tuple[int, str]:
            async with client.post(url, json=HELLO) as response:
                return response.status, (await response.json())["id"]

        replies = await asyncio.gather(*(ask() for _ in range(1000)))
    assert {status for status, _ in replies} == {200}
    assert len({reply_id for _, reply_id in replies}) == server.bill.count() == 1000


def test_a_large_prompt_is_taken(caller):
    """Ten megabytes."""
    body = {"messages": [{"role": "user", "content": "x" * 10_000_000}]}
    assert caller.post("openai", body=body).status_code == 200
    assert caller.server.bill.charges[-1].input_tokens == 2_500_004


def test_the_beginning_of_a_repeated_long_prompt_is_cheaper(caller):
    """The second time it says cached tokens, and charges less."""
    body = {"messages": [{"role": "user", "content": "x" * 8000}]}
    first, second = (caller.post("openrouter", body=body).json()["usage"] for _ in range(2))
    assert second["prompt_tokens_details"]["cached_tokens"] == 1920
    assert second["cost"] < first["cost"]


def test_a_script_answers_in_order():
    """Through HTTP as well."""
    with PracticeServer(answerer=Scripted(["one", "two"])) as scripted:
        url = f"{scripted.base_url('openai')}/chat/completions"
        texts = [httpx.post(url, json=HELLO).json()["choices"][0]["message"]["content"] for _ in range(2)]
    assert texts == ["one", "two"]
