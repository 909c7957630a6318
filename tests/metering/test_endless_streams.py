"""A stream that ignores its limit of output is ended at each entry for other people's code, and booked."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import cycle
from typing import Any

import litellm
import pytest

from orchestrator.dispatch.pace import THOUGHT_BYTES_MAX
from orchestrator.metering.vendor_answers import VendorAnswer
from tests.metering import test_budget_guard as with_guard
from tests.metering.test_budget_guard import HELLO, operations, standing
from tests.providers.wire.misbehaving import Exchanged, Server, serving

make_guard = with_guard.make_guard
MAX_TOKENS = 64
WORDS = ("một ", "hai ", "ba ", "bốn ")
"""More than one: LiteLLM ends a hundred times the same piece by itself."""
MODELS = {
    "openai": ("openai/gpt-6-luna", "openai/gpt-6-luna"),
    "openrouter": ("openrouter/openai/gpt-6-luna", "openrouter/gpt-6-luna"),
    "google": ("gemini/gemini-3.8-flash", "google/gemini-3.8-flash"),
}
"""How LiteLLM and how config.yaml calls a model of each vendor."""
ENTRIES = ["completion", "acompletion", "invoke", "ainvoke"]
"""Each asked for a stream; the last two are of a native client."""


def chat_piece(**delta: Any) -> bytes:
    choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}
    names = {"id": "gen-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps({**names, "choices": [choice]}).encode() + b"\n\n"


def google_piece(text: str, **more: Any) -> bytes:
    candidate = {"content": {"role": "model", "parts": [{"text": text, **more}]}}
    return b"data: " + json.dumps({"candidates": [candidate], "responseId": "gen-1"}).encode() + b"\r\n\r\n"


def call_piece(text: str) -> bytes:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": text}}
    return chat_piece(tool_calls=[call])


class Endless:
    """A vendor that writes on until its connection is closed."""

    def __init__(self) -> None:
        self.piece: Callable[[str], bytes] = lambda text: chat_piece(content=text)
        self.was_left = asyncio.Event()

    async def answer(self, exchanged: Exchanged) -> None:
        await exchanged.begin_stream()
        try:
            for word in cycle(WORDS):
                # Piece by piece, as of a model that has just made each.
                await exchanged.chunk(self.piece(word))
                await asyncio.sleep(0.0005)
        except OSError:
            self.was_left.set()
            raise


@pytest.fixture
def vendor() -> Endless:
    return Endless()


@pytest.fixture
async def server(vendor: Endless) -> AsyncIterator[Server]:
    async with serving(vendor.answer) as server:
        yield server


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[VendorAnswer]:
    """Note each answer that is heard."""
    answers: list[VendorAnswer] = []
    begin = VendorAnswer.begin

    def begun(answer: VendorAnswer, *args: Any) -> None:
        answers.append(answer)
        begin(answer, *args)

    monkeypatch.setattr(VendorAnswer, "begin", begun)
    return answers


def sync_pieces(entry: str, vendor_name: str, base_url: str, payer: Any) -> Iterator[str]:
    """Yield the words of a stream that is read in a thread."""
    guarded, native = MODELS[vendor_name]
    if entry == "completion":
        yield from map(said_in, litellm.completion(**asked_of(guarded, base_url)))
    else:
        client = payer.native(native, tenant="acme", max_tokens=MAX_TOKENS)
        yield from (piece.text for piece in client.stream("Xin chào"))


async def pieces(entry: str, vendor_name: str, base_url: str, payer: Any) -> AsyncIterator[str]:
    """Yield the words of a stream that is read on the event loop."""
    guarded, native = MODELS[vendor_name]
    if entry == "acompletion":
        async for chunk in await litellm.acompletion(**asked_of(guarded, base_url)):
            yield said_in(chunk)
    else:
        async for piece in payer.native(native, tenant="acme", max_tokens=MAX_TOKENS).astream("Xin chào"):
            yield piece.text


def asked_of(model: str, base_url: str) -> dict[str, Any]:
    return {
        "model": model,
        "messages": HELLO,
        "max_tokens": MAX_TOKENS,
        "api_base": base_url,
        "api_key": "k",
        "stream": True,
    }


def said_in(chunk: Any) -> str:
    return (chunk.choices[0].delta.content or "") if chunk.choices else ""


async def read(entry: str, vendor_name: str, base_url: str, payer: Any) -> int:
    """Read a stream to its end; return how many characters of it reached its reader, who got an error."""
    words: list[str] = []
    # LiteLLM and the vendors' clients each raise an error of their own.
    with pytest.raises(Exception, match="past its limit"):
        if entry in {"completion", "invoke"}:
            sync = sync_pieces(entry, vendor_name, base_url, payer)
            await asyncio.to_thread(words.extend, sync)
        else:
            async for word in pieces(entry, vendor_name, base_url, payer):
                words.append(word)  # noqa: PERF401 -- what came before the error counts
    return len("".join(words))


@pytest.mark.parametrize("vendor_name", MODELS)
@pytest.mark.parametrize("entry", ENTRIES)
async def test_a_stream_past_its_limit_is_ended_and_booked(
    vendor: Endless, server: Server, heard, make_guard, make_orchestrator, entry: str, vendor_name: str
) -> None:
    """It would write on until 64 MB have come, or its caller lets go of it."""
    url = server.base_url
    if vendor_name == "google":
        vendor.piece = google_piece
        url = url.removesuffix("/v1") + "/v1beta"
    changes = {"providers": {vendor_name: {"base_url": url}}}
    payer = (make_guard if entry.endswith("completion") else make_orchestrator)(changes)
    letters = await read(entry, vendor_name, url, payer)
    await asyncio.wait_for(vendor.was_left.wait(), 20)
    assert 0 < letters <= (2 * MAX_TOKENS + 256 + 1) * max(map(len, WORDS))
    spent, held = standing(payer)
    assert held == 0
    (answer,) = heard
    assert answer.overrun is not None
    assert answer.overrun.answer is not None
    # A token is at least a byte, and what one costs at these prices is more than 200 nano-dollars.
    assert spent > answer.overrun.answer.usage.output_tokens * 200
    if entry.endswith("completion"):
        assert operations(payer) == [("failed", "endless", 1)]


@pytest.mark.parametrize("entry", ["acompletion", "ainvoke"])
async def test_arguments_of_a_tool_call_are_written_too(
    vendor: Endless, server: Server, make_guard, make_orchestrator, entry: str
) -> None:
    vendor.piece = call_piece
    changes = {"providers": {"openai": {"base_url": server.base_url}}}
    payer = (make_guard if entry.endswith("completion") else make_orchestrator)(changes)
    await read(entry, "openai", server.base_url, payer)
    await asyncio.wait_for(vendor.was_left.wait(), 20)
    assert standing(payer)[1] == 0


@pytest.mark.parametrize("vendor_name", ["openai", "google"])
@pytest.mark.parametrize("entry", ["acompletion", "ainvoke"])
async def test_thoughts_alone_are_ended_too_and_all_of_them_are_booked(
    vendor: Endless, server: Server, heard, make_guard, make_orchestrator, entry: str, vendor_name: str
) -> None:
    """Nothing ended them before 64 MB or a time-out of the caller's; each came back as a sign of life."""
    url = server.base_url
    vendor.piece = lambda text: chat_piece(reasoning_content=text * 8_192)
    if vendor_name == "google":
        vendor.piece = lambda text: google_piece(text * 8_192, thought=True)
        url = url.removesuffix("/v1") + "/v1beta"
    changes = {"providers": {vendor_name: {"base_url": url}}}
    payer = (make_guard if entry.endswith("completion") else make_orchestrator)(changes)
    assert await read(entry, vendor_name, url, payer) == 0
    await asyncio.wait_for(vendor.was_left.wait(), 20)
    spent, held = standing(payer)
    assert held == 0
    (answer,) = heard
    assert answer.overrun is not None
    assert answer.overrun.answer is not None
    # A token is at least a byte, and costs at these prices more than 200 nano-dollars.
    assert spent > answer.overrun.answer.usage.output_tokens * 200 > THOUGHT_BYTES_MAX * 200
