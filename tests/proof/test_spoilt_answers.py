"""However an answer is spoilt, its reader has the whole one, once, in time, and its bill is booked.

Behind the provider whose answers are spoilt stands another one that says the same, and goes on with what broke
off: so whatever is lost, and whatever is taken for words and is none, is seen in the reply.
"""

import asyncio
import json
import os
import random
import zlib
from typing import Any

import pytest

from orchestrator import CacheUse, ChatReply, Orchestrator
from orchestrator.practice import PracticeServer, PracticeToolCall, Scripted
from orchestrator.providers.litellm import heard_streams, provider_bodies
from orchestrator.providers.wire import http
from tests.providers.wire.misbehaving import serving
from tests.support.prefixed import AZURE, CLAUDE, DEEPSEEK, prefixed, prefixed_server
from tests.support.spoilt_answers import (
    CALL,
    TEXT,
    Form,
    Spoiling,
    anthropic_form,
    google_form,
    openai_form,
    sent,
    spoilt,
)

ANSWERS = int(os.environ.get("SPOILT_ANSWERS", "25"))
"""Of each kind; those of a smaller number are among those of a larger one, in every run."""
FIRST_OF = {
    "openrouter": "openrouter/gpt-6-luna",
    "google": "google/gemini-3.8-flash",
    "openai": "openai/gpt-6-luna",
}
TOOLS = [{"type": "function", "function": {"name": CALL[0], "parameters": {"type": "object"}}}]
STEADY = {
    "local_model": {"enabled": False},
    "circuit_breaker": {"failures": 1000, "failure_share": 1.0},
    "routing": {"min_samples": 10_000},
}
"""Each answer is asked for, whatever came before it."""


@pytest.fixture
def practice(listed_prices, calls: bool):
    told = PracticeToolCall(CALL[0], json.dumps(CALL[1])) if calls else TEXT
    with PracticeServer(prices=listed_prices, answerer=Scripted(matched={"": told})) as server:
        yield server


@pytest.fixture
def prefixed_practice():
    with prefixed_server() as server:
        yield server


def ask(orchestrator: Orchestrator, *, stream: bool) -> ChatReply:
    wanted: dict[str, Any] = {"cache": CacheUse.REFRESH, "max_tokens": 60, "tools": TOOLS}
    if not stream:
        return orchestrator.complete("Xin chào", **wanted)
    pieces = orchestrator.stream("Xin chào", **wanted)
    deltas = list(pieces)
    assert "".join(delta.text for delta in deltas) == pieces.reply.text
    return pieces.reply


def form_of(provider: str, *, calls: bool) -> Form:
    return google_form(calls=calls) if provider == "google" else openai_form(calls=calls)


@pytest.mark.parametrize("provider", FIRST_OF)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("calls", [False, True], ids=["text", "call"])
async def test_the_reader_has_the_whole_answer_once(
    make_orchestrator, practice: PracticeServer, monkeypatch, provider: str, stream: bool, calls: bool
) -> None:
    monkeypatch.setattr(http, "LAST_WORD_S", 0.05)
    form = form_of(provider, calls=calls)
    route = [FIRST_OF[provider], *(name for key, name in FIRST_OF.items() if key != provider)]
    first, *others = [{"deployment": name, "reason": "a test"} for name in route]
    changes = {
        **STEADY,
        "use_cases": {"customer_service": {"primary": first, "fallbacks": others}},
    }
    spoiling = Spoiling()
    async with serving(spoiling) as server:
        address = server.base_url.removesuffix("/v1") + "/v1beta" if provider == "google" else server.base_url
        orchestrator = make_orchestrator(changes, **{f"{provider.upper()}_BASE_URL": address})
        await check(orchestrator, spoiling, form, provider=provider, stream=stream)


@pytest.mark.parametrize("name", [DEEPSEEK, AZURE, CLAUDE])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("calls", [False, True], ids=["text", "call"])
async def test_the_reader_has_the_whole_answer_of_a_vendor_that_litellm_reaches(
    make_orchestrator, practice, prefixed_practice, monkeypatch, name: str, stream: bool, calls: bool
) -> None:
    monkeypatch.setattr(http, "LAST_WORD_S", 0.05)
    monkeypatch.setattr(heard_streams, "LAST_WORD_S", 0.05)
    monkeypatch.setattr(provider_bodies, "LAST_WORD_S", 0.05)
    form = anthropic_form(calls=calls) if name == CLAUDE else openai_form(calls=calls)
    spoiling, provider = Spoiling(), name.partition("/")[0]
    async with serving(spoiling) as server:
        address = {provider: {"base_url": server.base_url.removesuffix("/v1")}}
        changes = prefixed(prefixed_practice, name, *FIRST_OF.values(), providers=address)
        orchestrator = make_orchestrator(changes | STEADY)
        await check(orchestrator, spoiling, form, provider=provider, stream=stream)


async def check(
    orchestrator: Orchestrator, spoiling: Spoiling, form: Form, *, provider: str, stream: bool
) -> None:
    calls = "find_order" in str(form.whole)
    chance = random.Random(zlib.crc32(f"{provider} {stream} {calls}".encode()))  # noqa: S311 -- no secret
    answers = [sent(form, stream=stream), *(spoilt(form, chance, stream=stream) for _ in range(ANSWERS))]
    bill = 0
    for answer in answers:
        spoiling.answer, spoiling.asked = answer, 0
        reply = await asyncio.to_thread(ask, orchestrator, stream=stream)
        told = [(call.name, json.loads(call.arguments)) for call in reply.tool_calls]
        assert (reply.text, told) == (("", [CALL]) if calls else (TEXT, [])), answer.how
        asked = [attempt for attempt in reply.attempts if attempt.provider == provider]
        assert len(asked) == spoiling.asked > 0, answer.how
        bill = bill or asked[0].cost_nusd
        assert all(each.cost_nusd >= bill for each in asked if "the error" not in answer.how), answer.how
