"""However an answer is spoilt, who stands alone before it has the whole one or an error that names it.

Behind a `BudgetGuard` and a vendor's own client nobody goes on with what broke off. So what is handed over
without an exception is the whole answer, and whatever came of it the bill is booked and nothing is held.
"""

import asyncio
import json
import random
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import litellm
import openai
import pytest
from google.genai.errors import APIError
from langchain_core.messages import AIMessageChunk

from orchestrator import BudgetGuard, OrchestratorError
from orchestrator.providers.litellm import heard_streams
from tests.proof.test_spoilt_answers import ANSWERS, FIRST_OF, TOOLS, form_of
from tests.providers.wire.misbehaving import serving
from tests.support.spoilt_answers import CALL, TEXT, Spoiling, sent, spoilt

ERRORS = (OrchestratorError, openai.OpenAIError, APIError, httpx.HTTPError)
"""Ours, and those that the clients document; LiteLLM's are openai's."""
RICH = {"budgets": {"limits": [{"scope": "tenant:acme", "day": 90_000}]}}
GUARDED = {
    "openrouter": "openrouter/openai/gpt-6-luna",
    "google": "gemini/gemini-3.8-flash",
    "openai": "openai/gpt-6-luna",
}
HELLO = [{"role": "user", "content": "Xin chào"}]

Said = tuple[str, list[tuple[str, Any]]]
"""The text of an answer, and its calls."""


@pytest.fixture
def guard(make_config) -> Iterator[BudgetGuard]:
    guard = BudgetGuard(make_config(RICH), tenant="acme")
    litellm.callbacks.append(guard)
    yield guard
    litellm.callbacks.remove(guard)
    guard.close()


def standing(payer: Any) -> tuple[int, int]:
    """Return what is spent and held."""
    (status,) = [each for each in payer.standings() if (each.scope, each.window) == ("tenant:acme", "day")]
    return status.spent, status.held


async def guarded(fields: dict[str, Any], *, stream: bool, sync: bool) -> Said:
    def in_thread() -> Any:
        answer = litellm.completion(**fields, stream=stream)
        return list(answer) if stream else answer

    if sync:
        answer = await asyncio.to_thread(in_thread)
    else:
        answer = await litellm.acompletion(**fields, stream=stream)
        answer = [chunk async for chunk in answer] if stream else answer
    message = (litellm.stream_chunk_builder(answer, messages=HELLO) if stream else answer).choices[0].message
    calls = [
        (each.function.name, json.loads(each.function.arguments or "{}")) for each in message.tool_calls or []
    ]
    return message.content or "", calls


async def native(client: Any, *, stream: bool, sync: bool) -> Said:
    asked = client.bind_tools(TOOLS)
    if sync:
        pieces = await asyncio.to_thread(
            lambda: list(asked.stream("Xin chào")) if stream else [asked.invoke("Xin chào")]
        )
    else:
        pieces = (
            [each async for each in asked.astream("Xin chào")]
            if stream
            else [await asked.ainvoke("Xin chào")]
        )
    message = sum(pieces[1:], start=pieces[0])
    assert stream is isinstance(message, AIMessageChunk)
    return str(message.text), [(each["name"], each["args"]) for each in message.tool_calls]


async def check(
    payer: Any, spoiling: Spoiling, ask: Callable[..., Any], *, name: str, stream: bool, calls: bool
) -> None:
    form = form_of(name, calls=calls)
    chance = random.Random(zlib.crc32(f"{name} {stream} {calls}".encode()))  # noqa: S311 -- no secret
    answers = [sent(form, stream=stream), *(spoilt(form, chance, stream=stream) for _ in range(ANSWERS))]
    bill = 0
    for answer in answers:
        spoiling.answer, spoiling.asked, (before, _) = answer, 0, standing(payer)
        try:
            said = await ask(stream=stream, sync=chance.random() < 0.5)
        except ERRORS:
            # Of this answer, not of the first one, which is whole.
            assert bill, answer.how
        else:
            assert said == (("", [CALL]) if calls else (TEXT, [])), answer.how
        spent, held = standing(payer)
        bill = bill or spent - before
        assert (held, spoiling.asked) == (0, 1), answer.how
        assert spent - before >= bill or "the error" in answer.how, answer.how


every_answer = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
every_kind = pytest.mark.parametrize("calls", [False, True], ids=["text", "call"])
every_provider = pytest.mark.parametrize("name", FIRST_OF)


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard_streams, "LAST_WORD_S", 0.05)


@every_provider
@every_answer
@every_kind
async def test_who_calls_litellm_has_the_whole_answer_or_an_error(
    guard: BudgetGuard, name: str, stream: bool, calls: bool
) -> None:
    spoiling = Spoiling()
    async with serving(spoiling) as server:
        fields: dict[str, Any] = {"model": GUARDED[name], "messages": HELLO, "tools": TOOLS, "max_tokens": 60}
        fields |= {"api_base": address_of(server.base_url, name), "api_key": "practice", "timeout": 60}
        await check(
            guard,
            spoiling,
            lambda **how: guarded(fields, **how),
            name=name,
            stream=stream,
            calls=calls,
        )


# OpenAI's client is OpenRouter's too, and asks OpenAI itself by another API.
@pytest.mark.parametrize("name", ["openrouter", "google"])
@every_answer
@every_kind
async def test_who_has_a_vendors_client_has_the_whole_answer_or_an_error(
    make_orchestrator, name: str, stream: bool, calls: bool
) -> None:
    spoiling = Spoiling()
    async with serving(spoiling) as server:
        address = address_of(server.base_url, name)
        orchestrator = make_orchestrator(RICH, **{f"{name.upper()}_BASE_URL": address})
        client = orchestrator.native(FIRST_OF[name], tenant="acme", max_tokens=60)
        await check(
            orchestrator,
            spoiling,
            lambda **how: native(client, **how),
            name=name,
            stream=stream,
            calls=calls,
        )


def address_of(base_url: str, name: str) -> str:
    return base_url.removesuffix("/v1") + "/v1beta" if name == "google" else base_url
