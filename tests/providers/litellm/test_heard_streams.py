"""What LiteLLM reads is heard on its way, and a guarded call waits no longer than it says."""

import asyncio
import gzip
import json
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import litellm
import pytest
from openai import OpenAIError

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import UnavailableError
from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import AttemptFailedError
from orchestrator.metering.vendor_answers import AskedAnswer, VendorAnswer
from orchestrator.practice import Fault, PracticeServer
from orchestrator.providers.litellm import heard_streams
from orchestrator.providers.litellm.heard_streams import Ear, hear
from orchestrator.providers.wire.body_reading import EVENTS_STEP_BYTES
from tests.metering import test_budget_guard as with_guard
from tests.metering.test_budget_guard import MODELS, sources, standing
from tests.providers.wire.misbehaving import Exchanged, serving
from tests.support.settling import wait_for_settling

practice, make_guard, guard, to = (
    with_guard.practice,
    with_guard.make_guard,
    with_guard.guard,
    with_guard.to,
)
BODY = b'{"choices": [{"message": {"content": "Ch"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}'


def expected() -> VendorAnswer:
    return VendorAnswer(
        ProviderKind.OPENAI, AskedAnswer(64, 1, False), path="/chat/completions", clock=SystemClock()
    )


def listened(response: httpx.Response) -> VendorAnswer:
    answer = expected()
    hear(response, Ear(answer))
    return answer


def test_a_body_is_heard_while_it_is_read() -> None:
    response = httpx.Response(200, stream=httpx.ByteStream(BODY))
    answer = listened(response)
    assert json.loads(response.read()) == json.loads(BODY)
    assert answer.whole().usage.input_tokens == 9


@pytest.mark.parametrize("status", [201, 202])
def test_an_answer_with_another_status_of_success_is_one_for_every_reader(status: int) -> None:
    """Google's client threw what had been billed away."""
    response = httpx.Response(status, stream=httpx.ByteStream(BODY))
    answer = listened(response)
    assert json.loads(response.read()) == json.loads(BODY)
    assert (response.status_code, answer.whole().usage.input_tokens) == (200, 9)


@pytest.mark.parametrize("packed", [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_what_comes_packed_is_heard_too(packed: tuple[str, Any]) -> None:
    stream = httpx.ByteStream(packed[1](BODY))
    response = httpx.Response(200, headers={"content-encoding": packed[0]}, stream=stream)
    answer = listened(response)
    assert json.loads(response.read()) == json.loads(BODY)
    assert answer.whole().usage.input_tokens == 9


@pytest.mark.parametrize("named", ["br", "gzip"])
def test_what_cannot_be_unfolded_is_no_answer(named: str) -> None:
    stream = httpx.ByteStream(BODY)
    response = httpx.Response(200, headers={"content-encoding": named}, stream=stream)
    listened(response)
    with pytest.raises(httpx.DecodingError):
        response.read()


class Served(httpx.SyncByteStream):
    """A stream that gives its blocks, and tells how many threads wait for its last word when it is asked on."""

    def __init__(self, *blocks: bytes) -> None:
        self._blocks = blocks
        self._before = threads_that_wait()
        self.waited: set[threading.Thread] = set()

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            yield block
            self.waited |= threads_that_wait() - self._before


def threads_that_wait() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.name == "orchestrator-last-word"}


def test_nobody_waits_for_more_behind_as_many_bytes_as_were_announced() -> None:
    """Each whole answer would have a thread of its own, which takes longer than to read it."""
    stream = Served(BODY)
    response = httpx.Response(200, headers={"content-length": str(len(BODY))}, stream=stream)
    answer = listened(response)
    assert (json.loads(response.read()), stream.waited) == (json.loads(BODY), set())
    assert answer.whole().usage.input_tokens == 9


def test_one_thread_waits_however_many_words_come_behind_a_finish() -> None:
    """It is gone with the stream: the connection is another answer's then."""
    piece = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]}\n\n'
    stream = Served(*[piece] * 20, b"data: [DONE]\n\n")
    response = httpx.Response(200, stream=stream)
    answer = VendorAnswer(
        ProviderKind.OPENAI, AskedAnswer(64, 1, True), path="/chat/completions", clock=SystemClock()
    )
    hear(response, Ear(answer))
    response.read()
    assert (len(stream.waited), answer.whole().text) == (1, "a" * 20)
    for waiting in stream.waited:
        waiting.join(30)
        assert not waiting.is_alive()


FINISH = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]}\n\n'
NOTHING = b'data: {"choices": [{"index": 0, "delta": {"role": "assistant"}}]}\n\n'
COUNT = b'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}\n\n'


@pytest.mark.parametrize("in_thread", [True, False])
async def test_how_long_its_reader_takes_is_no_silence_of_a_finished_answer(monkeypatch, in_thread) -> None:
    """Whoever writes each piece down for a second lost the count, and the bound was booked."""
    monkeypatch.setattr(heard_streams, "LAST_WORD_S", 1.0)
    has_begun, was_read, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.begin_stream()
        await exchanged.chunk(FINISH)
        await has_begun.wait()
        await exchanged.chunk(NOTHING)
        await was_read.wait()
        await exchanged.chunk(COUNT)
        await exchanged.end_stream()

    async def take(block: bytes) -> None:
        has_begun.set()
        if b"assistant" in block:
            await asyncio.sleep(1.5)
            was_read.set()

    def read_in_thread(url: str) -> None:
        with httpx.Client() as client, client.stream("POST", url) as response:
            hear(response, Ear(heard))
            for block in response.iter_raw():
                asyncio.run_coroutine_threadsafe(take(block), loop).result()

    async def read_in_task(url: str) -> None:
        async with httpx.AsyncClient() as client, client.stream("POST", url) as response:
            hear(response, Ear(heard))
            async for block in response.aiter_raw():
                await take(block)

    heard = VendorAnswer(
        ProviderKind.OPENAI, AskedAnswer(64, 1, True), path="/chat/completions", clock=SystemClock()
    )
    async with serving(answer) as server:
        url = f"{server.base_url}/chat/completions"
        await (asyncio.to_thread(read_in_thread, url) if in_thread else read_in_task(url))
    assert heard.whole().usage.input_tokens == 9


def test_a_refusal_is_read_as_it_came() -> None:
    response = httpx.Response(503, stream=httpx.ByteStream(b"{ }"))
    listened(response)
    assert response.read() == b"{ }"


class _Burst(httpx.AsyncByteStream):
    """What has all arrived before it is read."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self):
        yield self._body


async def test_a_burst_of_events_leaves_the_loop_to_others_between_small_steps() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    piece = b'data: {"choices": [{"delta": {"content": "Ch"}}]}\n\n'
    response = httpx.Response(200, stream=_Burst(piece * 2_000))
    answer = VendorAnswer(ProviderKind.OPENAI, AskedAnswer(64, 1, True), path="/c", clock=SystemClock())
    hear(response, Ear(answer))
    waiting = asyncio.create_task(others())
    shown = [block async for block in response.aiter_raw()]
    waiting.cancel()
    assert max(map(len, shown)) < 3 * EVENTS_STEP_BYTES
    assert (b"".join(shown).count(b"data:"), turns >= len(shown)) == (2_000, True)


async def test_a_stream_without_an_end_is_given_up() -> None:
    """It was handed on for as long as its reader waited."""

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self):
            while True:
                yield b": keep-alive\n" * 5_000

    response = httpx.Response(200, stream=Endless())
    answer = VendorAnswer(ProviderKind.OPENAI, AskedAnswer(64, 1, True), path="/c", clock=SystemClock())
    hear(response, Ear(answer))
    with pytest.raises(UnavailableError, match="larger than any answer"):
        async for _ in response.aiter_raw():
            pass
    with pytest.raises(AttemptFailedError) as caught:
        answer.whole()
    assert caught.value.failure.kind is FailureKind.MALFORMED


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("limit", [0.3, "0.3", httpx.Timeout(0.3)], ids=["number", "text", "httpx"])
@pytest.mark.parametrize("is_sync", [True, False], ids=["sync", "async"])
async def test_a_stream_that_stops_coming_ends_when_the_call_says_so(
    guard, practice: PracticeServer, to, model: str, limit, is_sync: bool
) -> None:
    """LiteLLM hands the limit of a call on to all but Gemini's streams, which waited for minutes."""
    practice.faults.add(Fault.parse("*:stall_stream=2"))

    async def read() -> None:
        async for _ in await litellm.acompletion(**to(model, stream=True, timeout=limit)):
            pass

    asked = to(model, stream=True, timeout=limit)
    async with asyncio.timeout(30):
        with pytest.raises(OpenAIError):
            await (asyncio.to_thread(lambda: list(litellm.completion(**asked))) if is_sync else read())
    wait_for_settling()
    assert standing(guard)[1] == 0
    assert sources(guard) == ["bound"]
