"""Whom `benchmarks.peers` compares: everybody asks the same model of the same practice provider.

Each is built as its manual says, with retries of its own off. A subject runs alone in a process, for what
LiteLLM and LangChain register is process-wide.

    python -m benchmarks.peer_subjects NAME '{"openai": "http://127.0.0.1:…"}'     what `peers` starts
"""

import asyncio
import gc
import json
import os
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.stage import answer_orders, orchestrator_at

MODEL = "gpt-6-luna"
MAX_TOKENS = 400
CACHE_HIT = "cache hit"
_IN_FLIGHT_OF_MEMORY = 150
"""Below the places that the shipped configuration has."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody who can be asked, whole or as a stream of pieces."""

    ask: Callable[[int], Awaitable[object]]
    pieces: Callable[[int], AsyncIterator[object]]


def messages(number: int) -> list[dict[str, str]]:
    """Return the question of one call; each call asks another."""
    return [{"role": "user", "content": f"Đơn hàng DH{number} của tôi đang ở đâu?"}]


def router(base_url: str, stack: ExitStack) -> Subject:
    """Return a Router with all its defaults, as a program that imports LiteLLM makes it."""
    del stack
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "true"  # no network
    import litellm

    return _subject(_router(litellm, base_url))


def light_router(base_url: str, stack: ExitStack) -> Subject:
    """Return a Router without the callbacks and the logging that LiteLLM brings."""
    del stack
    return _subject(light_litellm_router(base_url))


def light_litellm_router(base_url: str) -> Any:
    """Return LiteLLM's Router without the callbacks and the logging that LiteLLM brings."""
    from orchestrator.providers.litellm.loading import load_litellm

    litellm = load_litellm()
    litellm.callbacks.clear()
    return _router(litellm, base_url, num_retries=0)


def _router(litellm: Any, base_url: str, **setting: Any) -> Any:
    params = {"model": f"openai/{MODEL}", "api_key": "practice", "api_base": base_url, "max_retries": 0}
    return litellm.Router(model_list=[{"model_name": MODEL, "litellm_params": params}], **setting)


def _subject(routed: Any) -> Subject:
    async def ask(number: int) -> object:
        return await routed.acompletion(model=MODEL, messages=messages(number), max_tokens=MAX_TOKENS)

    async def pieces(number: int) -> AsyncIterator[object]:
        stream = await routed.acompletion(
            model=MODEL, messages=messages(number), max_tokens=MAX_TOKENS, stream=True
        )
        async for chunk in stream:
            yield chunk

    return Subject(ask, pieces)


def orchestrator(base_url: str, stack: ExitStack) -> Subject:
    """Return the whole of ours: budgets, ledger, plan and cache, which keeps what it has not seen."""
    return _ours(base_url, stack, cache="refresh")


def frozen(base_url: str, stack: ExitStack) -> Subject:
    """Return ours in a program that freezes what it has loaded when it has started, as our server does."""
    subject = orchestrator(base_url, stack)
    gc.collect()
    gc.freeze()
    return subject


def cache_hit(base_url: str, stack: ExitStack) -> Subject:
    """Return ours where every question was asked before: in the round that warms up."""
    return _ours(base_url, stack, cache="use")


def _ours(base_url: str, stack: ExitStack, *, cache: str) -> Subject:
    ours = _opened(base_url, stack)
    asked: dict[str, Any] = {"model": f"openai/{MODEL}", "max_tokens": MAX_TOKENS, "cache": cache}

    async def pieces(number: int) -> AsyncIterator[object]:
        async for delta in ours.stream(messages(number), **asked):
            yield delta

    return Subject(lambda number: ours.acomplete(messages(number), **asked), pieces)


def chat_model(base_url: str, stack: ExitStack) -> Subject:
    """Return a chain of LangChain's on our chat model."""
    model = _opened(base_url, stack).chat_model(model=f"openai/{MODEL}", cache_use="refresh")
    return _chain(model)


def _opened(base_url: str, stack: ExitStack) -> Any:
    folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))

    def change(data: dict[str, Any]) -> None:
        data["budgets"]["limits"] = [{"scope": "all", "request": 1, "day": 1_000_000, "month": 1_000_000}]

    ours = orchestrator_at(Path(folder), {"openai": base_url}, change)
    stack.callback(ours.close)
    ours.warm_up()
    return ours


def chat_openai(base_url: str, stack: ExitStack) -> Subject:
    """Return a chain of LangChain's on its ChatOpenAI, which counts and limits nothing."""
    del stack
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    return _chain(
        ChatOpenAI(
            model=MODEL,
            base_url=base_url,
            api_key=SecretStr("practice"),
            max_completion_tokens=MAX_TOKENS,
            max_retries=0,
            stream_usage=True,
        )
    )


def _chain(model: Any) -> Subject:
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate

    chain = ChatPromptTemplate.from_messages([("user", "{question}")]) | model | StrOutputParser()

    def asked(number: int) -> dict[str, str]:
        return {"question": messages(number)[0]["content"]}

    async def pieces(number: int) -> AsyncIterator[object]:
        async for piece in chain.astream(asked(number)):
            yield piece

    return Subject(lambda number: chain.ainvoke(asked(number)), pieces)


def openai_sdk(base_url: str, stack: ExitStack) -> Subject:
    """Return OpenAI's own client."""
    del stack
    from openai import AsyncOpenAI

    client: Any = AsyncOpenAI(base_url=base_url, api_key="practice", max_retries=0)

    async def pieces(number: int) -> AsyncIterator[object]:
        async for chunk in await _create(number, stream=True, stream_options={"include_usage": True}):
            yield chunk

    def _create(number: int, **more: Any) -> Awaitable[Any]:
        asking: Awaitable[Any] = client.chat.completions.create(
            model=MODEL, messages=messages(number), max_completion_tokens=MAX_TOKENS, **more
        )
        return asking

    return Subject(_create, pieces)


def raw_aiohttp(base_url: str, stack: ExitStack) -> Subject:
    """Return the least that can be done: one session, JSON, and lines that are not even looked at."""
    del stack
    import aiohttp
    import orjson

    opened: list[aiohttp.ClientSession] = []

    def posting(number: int, *, stream: bool) -> Any:
        if not opened:
            opened.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        body = {"model": MODEL, "messages": messages(number), "max_tokens": MAX_TOKENS, "stream": stream}
        return opened[0].post(
            f"{base_url}/chat/completions",
            data=orjson.dumps(body),
            headers={"Authorization": "Bearer practice", "Content-Type": "application/json"},
        )

    async def ask(number: int) -> object:
        async with posting(number, stream=False) as response:
            return orjson.loads(await response.read())

    async def pieces(number: int) -> AsyncIterator[object]:
        async with posting(number, stream=True) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    yield orjson.loads(line[6:])

    return Subject(ask, pieces)


SUBJECTS: Mapping[str, Callable[[str, ExitStack], Subject]] = {
    "Router": router,
    "light Router": light_router,
    "orchestrator": orchestrator,
    "orchestrator, frozen": frozen,
    CACHE_HIT: cache_hit,
    "our chat model": chat_model,
    "ChatOpenAI": chat_openai,
    "openai SDK": openai_sdk,
    "raw aiohttp": raw_aiohttp,
}


async def calls(subject: Subject, *, number: int, in_flight: int) -> dict[str, float]:
    """Return what `number` calls cost, `in_flight` of them at a time: CPU in ms a call, calls a second."""
    numbers = iter(range(number))
    latencies_s: list[float] = []

    async def worker() -> None:
        for index in numbers:
            began_s = time.perf_counter()
            await subject.ask(index)
            latencies_s.append(time.perf_counter() - began_s)

    cpu_s, began_s = time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - began_s
    return {
        "cpu_ms": 1e3 * cpu_s / number,
        "per_s": number / wall_s,
        "latency_ms": 1e3 * statistics.median(latencies_s),
    }


async def streams(subject: Subject, *, number: int, in_flight: int) -> dict[str, float]:
    """Return what `number` streams cost: CPU in ms a stream, and the median time to the first piece in ms."""
    numbers = iter(range(number))
    firsts_s: list[float] = []

    async def worker() -> None:
        for index in numbers:
            began_s = time.perf_counter()
            first_s = None
            async for _ in subject.pieces(index):
                first_s = first_s or time.perf_counter() - began_s
            assert first_s is not None, "a stream without a piece"
            firsts_s.append(first_s)

    cpu_s = time.process_time()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    cpu_s = time.process_time() - cpu_s
    return {"cpu_ms": 1e3 * cpu_s / number, "first_ms": 1e3 * statistics.median(firsts_s)}


async def memory(subject: Subject) -> dict[str, float]:
    """Return the KB that one more call in flight holds, of Python's own memory."""
    await calls(subject, number=_IN_FLIGHT_OF_MEMORY, in_flight=_IN_FLIGHT_OF_MEMORY)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    asked = [asyncio.ensure_future(subject.ask(number)) for number in range(_IN_FLIGHT_OF_MEMORY)]
    most = before
    while not any(call.done() for call in asked):
        most = max(most, tracemalloc.get_traced_memory()[0])
        await asyncio.sleep(0.005)
    await asyncio.gather(*asked)
    tracemalloc.stop()
    return {"kb": (most - before) / _IN_FLIGHT_OF_MEMORY / 1024}


def main() -> None:
    """Be one subject: what to measure comes on standard input, the figures go to standard output."""
    name, addresses = sys.argv[1], json.loads(sys.argv[2])
    with ExitStack() as stack, asyncio.Runner() as runner:
        subjects = {kind: SUBJECTS[name](address, stack) for kind, address in addresses.items()}

        def answer(order: dict[str, Any]) -> dict[str, float]:
            subject = subjects[order.pop("at")]
            measure = {"calls": calls, "streams": streams, "memory": memory}[order.pop("what")]
            return runner.run(measure(subject, **order))

        answer_orders(answer)


if __name__ == "__main__":
    main()
