"""One usage is read alike at each entry: the core, LangChain, `/v1`, a vendor's own client, LiteLLM's callers."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import litellm
import pytest

from orchestrator import BudgetGuard, CacheUse, Orchestrator
from orchestrator.access.settings import ServerSettings
from tests.metering import test_budget_guard as with_guard
from tests.metering.test_budget_guard import HELLO, standing, until
from tests.providers.wire.misbehaving import Exchanged, serving
from tests.server.conftest import served

make_guard = with_guard.make_guard
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")

OPENAI = {"prompt_tokens": 1_000, "completion_tokens": 50, "total_tokens": 1_050}
OPENAI_USAGES: list[Any] = [
    OPENAI,
    *({**OPENAI, "total_tokens": total} for total in (None, 10, 2_000)),
    *({**OPENAI, "prompt_tokens_details": {"cached_tokens": count}} for count in (900, 2_000, None, -1)),
    *({**OPENAI, "prompt_tokens_details": details} for details in (None, [], {"audio_tokens": 100})),
    {**OPENAI, "prompt_tokens_details": {"cache_write_tokens": 900}},
    *({**OPENAI, "completion_tokens_details": {"reasoning_tokens": count}} for count in (40, 90)),
    *({**OPENAI, "completion_tokens_details": {f"{kind}_tokens": 80}} for kind in ("audio", "rejected_prediction")),
    {**OPENAI, "prompt_cache_hit_tokens": 900, "prompt_cache_miss_tokens": 100},
    *({**OPENAI, f"cache_{kind}_input_tokens": 300} for kind in ("creation", "read")),
    *({**OPENAI, "prompt_tokens": count} for count in (1_000.0, "1000", -1, 0, 2**63)),
    *({**OPENAI, "completion_tokens": count} for count in (0, None)),
    {"prompt_tokens": 1_000}, {"total_tokens": 1_050}, {"input_tokens": 1_000, "output_tokens": 50}, {}, None,
    {**OPENAI, "input_tokens": 1, "output_tokens": 1},
    *({**OPENAI, "cost": cost} for cost in (0.001, 0, 1e-9, "0.001", -1, True, 5)),
    *({**OPENAI, "cost": 0.001, "is_byok": is_byok} for is_byok in (True, False)),
    {**OPENAI, "cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.036}},
    {"cost": 0.001}, {"cost": 1e-6}, {"cost": "0.5", "is_byok": False},
    {**OPENAI, "queue_time": 0.1}, {**OPENAI, "iterations": [{"input_tokens": 5}]}, {**OPENAI, "num_sources_used": 5},
]  # fmt: skip
GOOGLE = {"promptTokenCount": 1_000, "candidatesTokenCount": 50, "totalTokenCount": 1_050}
GOOGLE_USAGES: list[Any] = [
    GOOGLE,
    *({**GOOGLE, "thoughtsTokenCount": count, "totalTokenCount": 1_050 + count} for count in (40, 90)),
    *({**GOOGLE, "thoughtsTokenCount": count} for count in (40, 90)),
    *({**GOOGLE, "cachedContentTokenCount": count} for count in (900, 2_000)),
    *({**GOOGLE, "toolUsePromptTokenCount": count} for count in (70, None)),
    *({**GOOGLE, "totalTokenCount": total} for total in (10, 2_000, None)),
    *({**GOOGLE, "promptTokenCount": count} for count in (-1, 0)),
    *({**GOOGLE, "candidatesTokenCount": count} for count in (0, None)),
    {"promptTokenCount": 1_000, "totalTokenCount": 1_050}, {"totalTokenCount": 1_050}, {"promptTokenCount": 1_000}, {},
    {**GOOGLE, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 900}]},
    {**GOOGLE, "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 90}]},
    {**GOOGLE, "trafficType": "ON_DEMAND"},
]  # fmt: skip

Piece = Callable[..., bytes]


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chat_piece(text: str = "", finish: str | None = None, *, is_alone: bool = False, **more: Any) -> bytes:
    names = {"id": "gen-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    in_choice = {"usage": more.pop("in_choice")} if "in_choice" in more else {}
    delta = {"role": "assistant", "content": text} if text else {}
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **in_choice}
    return event({**names, "choices": [] if is_alone else [choice], **more})


def scaled(usage: Any, times: float) -> Any:
    """Return a usage of so many times the tokens, as far as it has whole numbers."""
    if not isinstance(usage, dict):
        return usage
    return {name: int(value * times) if type(value) is int else value for name, value in usage.items()}


CHAT_SHAPES: dict[str, Callable[[Any], Iterator[bytes]]] = {
    "alone": lambda usage: iter([chat_piece("Chào"), chat_piece("", "stop"), chat_piece(is_alone=True, usage=usage)]),
    "with the finish": lambda usage: iter([chat_piece("Chào"), chat_piece("", "stop", usage=usage)]),
    "in the choice": lambda usage: iter([chat_piece("Chào"), chat_piece("", "stop", in_choice=usage)]),
    "growing": lambda usage: iter(
        [chat_piece("Chào", usage=scaled(usage, 0.5)), chat_piece("", "stop", usage=usage),
         chat_piece(is_alone=True, usage=usage)]
    ),
    "falling": lambda usage: iter(
        [chat_piece("Chào", usage=scaled(usage, 2)), chat_piece("", "stop"), chat_piece(is_alone=True, usage=usage)]
    ),
    "twice": lambda usage: iter(
        [chat_piece("Chào"), chat_piece("", "stop", usage=usage), chat_piece(is_alone=True, usage=scaled(usage, 0.5))]
    ),
    "behind the end": lambda usage: iter(
        [chat_piece("Chào"), chat_piece("", "stop"), b"data: [DONE]\n\n", chat_piece(is_alone=True, usage=usage)]
    ),
}  # fmt: skip


def google_body(text: str = "", finish: str | None = None, **more: Any) -> dict[str, Any]:
    candidate = {"index": 0, "content": {"role": "model", "parts": [{"text": text}] if text else []}}
    return {
        "candidates": [candidate | ({"finishReason": finish} if finish else {})],
        "responseId": "gen-1",
        **more,
    }


GOOGLE_SHAPES: dict[str, Callable[[Any], Iterator[bytes]]] = {
    "with the finish": lambda usage: map(
        event, [google_body("Chào"), google_body("!", "STOP", usageMetadata=usage)]
    ),
    "growing": lambda usage: map(
        event,
        [
            google_body("Chào", usageMetadata=scaled(usage, 0.5)),
            google_body("!", "STOP", usageMetadata=usage),
        ],
    ),
    "falling": lambda usage: map(
        event,
        [google_body("Chào", usageMetadata=scaled(usage, 2)), google_body("!", "STOP", usageMetadata=usage)],
    ),
    "once early": lambda usage: map(
        event, [google_body("Chào", usageMetadata=usage), google_body("!", "STOP")]
    ),
}
WHOLE = "whole"


class Vendor:
    """A server that answers each format with the usage that a test says."""

    def __init__(self) -> None:
        self.usage: Any = None
        self.shape = WHOLE
        self.text = "Chào"
        self.url = ""

    async def answer(self, exchanged: Exchanged) -> None:
        is_google = b"contents" in exchanged.body
        if self.shape == WHOLE:
            body = google_body("Chào", "STOP", usageMetadata=self.usage) if is_google else self._chat()
            await exchanged.answer(json.dumps(body).encode())
            return
        await exchanged.begin_stream()
        for piece in (GOOGLE_SHAPES if is_google else CHAT_SHAPES)[self.shape](self.usage):
            await exchanged.chunk(piece)
        if not is_google:
            await exchanged.chunk(b"data: [DONE]\n\n")
        await exchanged.end_stream()

    def _chat(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": self.text}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        names = {"id": "gen-1", "object": "chat.completion", "created": 1, "model": "m"}
        return {**names, "choices": [choice], "usage": self.usage}


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    vendor = Vendor()
    async with serving(vendor.answer) as server:
        vendor.url = server.base_url
        yield vendor


MODELS = {
    "openai": ("openai/gpt-6-luna", "openai/gpt-6-luna"),
    "openrouter": ("openrouter/gpt-6-luna", "openrouter/openai/gpt-6-luna"),
    "google": ("google/gemini-3.8-flash", "gemini/gemini-3.8-flash"),
}
"""How config.yaml and how LiteLLM call a model of each vendor."""


async def by_core(orchestrator: Orchestrator, name: str, *, in_pieces: bool) -> None:
    wanted: dict[str, Any] = {"model": name, "tenant": "acme", "max_tokens": 64, "cache": CacheUse.OFF}
    if in_pieces:
        await asyncio.to_thread(lambda: list(orchestrator.stream("Xin chào", **wanted)))
    else:
        await orchestrator.acomplete("Xin chào", **wanted)


async def by_chat(orchestrator: Orchestrator, name: str, *, in_pieces: bool) -> None:
    chat = orchestrator.chat_model(model=name, tenant="acme", max_tokens=64, cache=CacheUse.OFF)
    if in_pieces:
        assert [piece async for piece in chat.astream("Xin chào")]
    else:
        await chat.ainvoke("Xin chào")


async def by_server(client: httpx.AsyncClient, name: str, *, in_pieces: bool) -> None:
    asked = {"model": name, "messages": HELLO, "max_tokens": 64, "stream": in_pieces}
    answered = await client.post(
        "/v1/chat/completions", json=asked, headers={"x-nextflow-cache": CacheUse.OFF.value}
    )
    assert answered.status_code == 200, answered.text
    assert not in_pieces or answered.text.endswith("data: [DONE]\n\n")


async def by_native(orchestrator: Orchestrator, name: str, *, in_pieces: bool) -> None:
    client = orchestrator.native(name, tenant="acme", max_tokens=64)
    if in_pieces:
        assert [piece async for piece in client.astream("Xin chào")]
    else:
        await client.ainvoke("Xin chào")


@asynccontextmanager
async def served_client(orchestrator: Orchestrator, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the server, with a key of the tenant."""
    with served(orchestrator, ServerSettings(port=0, keys_path=str(folder / "keys"))) as running:
        key = running.make_key(tenant="acme")
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=running.address, headers=headers, trust_env=False) as client:
            yield client


async def by_guard(guard: BudgetGuard, name: str, url: str, *, in_pieces: bool) -> None:
    assert guard in litellm.callbacks
    asked = {"model": name, "messages": HELLO, "max_tokens": 64, "api_base": url, "api_key": "k"}
    if in_pieces:
        assert [chunk async for chunk in await litellm.acompletion(**asked, stream=True)]
    else:
        await litellm.acompletion(**asked)


CASES = [
    *(("openai", shape) for shape in (WHOLE, "alone")),
    *(("openrouter", shape) for shape in (WHOLE, *CHAT_SHAPES)),
    *(("google", shape) for shape in (WHOLE, *GOOGLE_SHAPES)),
]


@pytest.mark.parametrize(("provider", "shape"), CASES)
async def test_each_entry_books_the_same_for_the_same_usage(
    vendor: Vendor, make_guard, make_orchestrator, tmp_path, provider: str, shape: str
) -> None:
    """Whichever an application calls: an answer, and the same nano-dollars."""
    url = vendor.url.removesuffix("/v1") + "/v1beta" if provider == "google" else vendor.url
    changes: dict[str, Any] = {"providers": {provider: {"base_url": url}}, "local_model": {"enabled": False}}
    orchestrator = make_orchestrator(changes)
    path = f"{orchestrator.config.settings.ledger.path}-guard"
    guard = make_guard({**changes, "ledger": {"path": path}})
    (name, guarded), in_pieces = MODELS[provider], shape != WHOLE
    differing = {}
    async with served_client(orchestrator, tmp_path) as client:
        for usage in GOOGLE_USAGES if provider == "google" else OPENAI_USAGES:
            vendor.usage, vendor.shape = usage, shape
            booked = {}
            for entry, payer, asked in (
                ("core", orchestrator, by_core(orchestrator, name, in_pieces=in_pieces)),
                ("chat model", orchestrator, by_chat(orchestrator, name, in_pieces=in_pieces)),
                ("server", orchestrator, by_server(client, name, in_pieces=in_pieces)),
                ("native", orchestrator, by_native(orchestrator, name, in_pieces=in_pieces)),
                ("guard", guard, by_guard(guard, guarded, url, in_pieces=in_pieces)),
            ):
                before, _ = standing(payer)
                await asked
                spent, held = standing(payer)
                assert held == 0
                booked[entry] = spent - before
            if len(set(booked.values())) > 1 or not min(booked.values()):
                differing[json.dumps(usage)] = booked
    assert differing == {}


async def test_a_text_far_beyond_its_limit_that_nobody_counts_is_booked_above_its_bound_at_each_entry(
    vendor: Vendor, make_guard, make_orchestrator, tmp_path
) -> None:
    """A whole body has no pieces by which it would be ended."""
    vendor.text = "haha " * 100_000
    changes: dict[str, Any] = {"providers": {"openai": {"base_url": vendor.url}}}
    core, native = (
        make_orchestrator(changes),
        make_orchestrator(changes | {"ledger": {"path": str(tmp_path / "native.db")}}),
    )
    guard = make_guard(changes | {"ledger": {"path": str(tmp_path / "guard.db")}})
    await by_core(core, "openai/gpt-6-luna", in_pieces=False)
    await by_native(native, "openai/gpt-6-luna", in_pieces=False)
    await by_guard(guard, "openai/gpt-6-luna", vendor.url, in_pieces=False)
    # Half a million bytes, each of which may be a token at 500 nano-dollars.
    assert [standing(payer)[0] > 250_000_000 for payer in (core, native, guard)] == [True] * 3


@pytest.mark.parametrize("entry", ["native", "guard"])
async def test_who_reads_to_the_finish_and_no_further_pays_what_was_counted(
    vendor: Vendor, make_guard, make_orchestrator, entry: str
) -> None:
    """Many applications leave a stream at its finish reason: it was booked at its bound."""
    vendor.usage, vendor.shape = OPENAI, "with the finish"
    changes: dict[str, Any] = {"providers": {"openai": {"base_url": vendor.url}}}
    if entry == "native":
        payer = make_orchestrator(changes)
        stream = payer.native("openai/gpt-6-luna", tenant="acme", max_tokens=64).astream("Xin chào")
        async for piece in stream:
            if piece.response_metadata.get("finish_reason"):
                break
        await stream.aclose()
        # What LangChain's stream reads from is closed by the event loop.
        await until(lambda: standing(payer)[1] == 0)
    else:
        payer = make_guard(changes)
        asked = {"model": "openai/gpt-6-luna", "messages": HELLO, "max_tokens": 64}
        chunks = await litellm.acompletion(**asked, api_base=vendor.url, api_key="k", stream=True)
        async for chunk in chunks:
            if chunk.choices and chunk.choices[0].finish_reason:
                break
        await chunks.aclose()
    assert standing(payer) == (125_000, 0)
