"""A call that is given up before its first byte has left costs nothing; one that may have been billed its bound."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import litellm
import openai
import pytest

from orchestrator.metering.first_byte import CURRENT_METERED
from orchestrator.practice import Fault
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
from tests.support.full_house import NEEDS_CONNECTING, full_house
from tests.support.settling import wait_for_settling

__all__ = ["full_house", "guard", "make_guard", "practice", "to"]


@NEEDS_CONNECTING
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_is_cancelled_while_it_connects_costs_nothing(guard, full_house, model, stream):
    async def ask():
        answer = await litellm.acompletion(
            model=model, messages=HELLO, api_base=full_house.url, api_key="none", max_tokens=50, stream=stream
        )
        # Gemini's are sent with the first chunk that is read.
        return [chunk async for chunk in answer] if stream else answer

    call = asyncio.ensure_future(ask())
    await until(full_house.has_caller)
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
    wait_for_settling()
    assert (standing(guard)[0] > 0) == left
    assert sources(guard) == ["bound" if left else "none"]
    assert len(practice.requests) == left


class Left(BaseException):
    """The caller has lost its patience."""


@contextmanager
def leaving_when(is_so: Callable[[], bool]) -> Iterator[None]:
    """Interrupt the block, which waits in the kernel, as Ctrl-C does, as soon as something is so."""

    def leave(*_: object) -> None:
        raise Left

    over = threading.Event()

    def watch() -> None:
        while not is_so() and not over.is_set():
            time.sleep(0.005)
        if not over.is_set():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, leave)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        signal.signal(signal.SIGUSR1, before)


SYNCHRONOUS = pytest.mark.parametrize(
    ("model", "own"), [*((model, False) for model in MODELS), (MODELS[0], True)]
)
"""With the caller's own client too, which is the openai SDK's."""


def client_of(address: str, *, own: bool) -> openai.OpenAI | None:
    return openai.OpenAI(api_key="none", base_url=address) if own else None


@NEEDS_CONNECTING
@SYNCHRONOUS
def test_a_synchronous_call_that_is_left_while_it_connects_costs_nothing(guard, full_house, model, own):
    call = {
        "model": model,
        "messages": HELLO,
        "api_base": full_house.url,
        "api_key": "none",
        "max_tokens": 50,
    }
    with leaving_when(full_house.has_caller), pytest.raises(Left):
        litellm.completion(**call, client=client_of(full_house.url, own=own))
    assert standing(guard) == (0, 0)
    assert sources(guard) == ["none"]


@SYNCHRONOUS
def test_a_synchronous_call_that_is_left_after_its_first_byte_costs_its_bound(
    guard, practice, to, model, own
):
    practice.faults.add(Fault.parse("*:silence"))
    call = to(model)
    with leaving_when(lambda: bool(practice.requests)), pytest.raises(Left):
        litellm.completion(**call, client=client_of(call["api_base"], own=own))
    spent, held = standing(guard)
    assert (spent > 0, held, sources(guard)) == (True, 0, ["bound"])


@NEEDS_CONNECTING
async def test_a_callers_own_asynchronous_client_is_watched_once(guard, full_house):
    """As often as it is handed over."""
    own = openai.AsyncOpenAI(api_key="none", base_url=full_house.url)
    call = {
        "model": MODELS[0],
        "messages": HELLO,
        "api_base": full_house.url,
        "api_key": "none",
        "max_tokens": 50,
    }
    calls = [asyncio.ensure_future(litellm.acompletion(**call, client=own)) for _ in range(3)]
    await until(full_house.has_caller)
    await until(lambda: len(own._client.event_hooks["request"]) == 2)
    for each in calls:
        each.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert len(own._client.event_hooks["request"]) == 2
    assert standing(guard)[1] == 0


async def test_a_client_over_a_transport_of_the_callers_own_is_booked_at_its_bound(guard):
    """Nobody knows what such a transport does, or whom it asks."""

    class OfTheCaller(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request):
            raise httpx.ReadTimeout("the answer was on its way", request=request)

    own = openai.AsyncOpenAI(
        api_key="none", base_url="http://127.0.0.1:9", http_client=httpx.AsyncClient(transport=OfTheCaller())
    )
    with pytest.raises(litellm.exceptions.Timeout):
        await litellm.acompletion(model=MODELS[0], messages=HELLO, api_key="none", max_tokens=50, client=own)
    assert sources(guard) == ["bound"]
