"""Bills that no reference shows: at each entry for other people's code they are read on the dear side."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import litellm
import pytest

from orchestrator import BudgetGuard
from orchestrator.catalog.catalog import ProviderKind
from orchestrator.metering.litellm_call import MeteredCall, for_provider
from tests.metering import test_budget_guard as with_guard
from tests.metering.test_budget_guard import HELLO, standing
from tests.providers.wire.misbehaving import Exchanged, serving

make_guard = with_guard.make_guard
ENTRIES = ["completion", "acompletion", "stream", "astream", "native", "native stream"]
COUNTS = {"prompt_tokens": 1_000, "completion_tokens": 50, "total_tokens": 1_050}
ODD: list[Any] = [
    {"prompt_tokens": True, "completion_tokens": True, "total_tokens": True},
    {**COUNTS, "prompt_tokens": True},
    {**COUNTS, "completion_tokens": True},
    {**COUNTS, "prompt_tokens": "1"},
    {**COUNTS, "completion_tokens": "1", "total_tokens": "2"},
    {**COUNTS, "prompt_tokens": 1.5},
    {**COUNTS, "prompt_tokens": {"tokens": 1}},
    {**COUNTS, "prompt_tokens": [1]},
    {**COUNTS, "prompt_tokens_details": {"cached_tokens": True}},
    {**COUNTS, "prompt_tokens_details": {"cached_tokens": "999"}},
    {**COUNTS, "completion_tokens_details": {"reasoning_tokens": "40"}},
    {**COUNTS, "prompt_tokens": 10**400},
    "50", 50, True, [], [COUNTS],
]  # fmt: skip
"""Counts that are no numbers: LiteLLM makes numbers of some of them."""
BOUND_NUSD = 67_125
"""What is held for `HELLO` and 64 tokens."""
LIST_NUSD = 125_000
"""What the counts cost by the list."""
BYOK = {**COUNTS, "cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.036}}


class Vendor:
    """A server in OpenAI's format that bills what a test says."""

    def __init__(self) -> None:
        self.usage: Any = COUNTS
        self.tier: Any = "default"
        self.url = ""

    async def answer(self, exchanged: Exchanged) -> None:
        head = {"id": "gen-1", "created": 1, "model": "gpt-6-luna", "service_tier": self.tier}
        if not json.loads(exchanged.body).get("stream"):
            choice = {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Chào"},
            }
            whole = {**head, "object": "chat.completion", "choices": [choice], "usage": self.usage}
            await exchanged.answer(json.dumps(whole).encode())
            return
        await exchanged.begin_stream()
        for delta, finish in (({"role": "assistant", "content": "Chào"}, None), ({}, "stop")):
            await self._piece(
                exchanged, head, choices=[{"index": 0, "delta": delta, "finish_reason": finish}]
            )
        await self._piece(exchanged, head, choices=[], usage=self.usage)
        await exchanged.chunk(b"data: [DONE]\n\n")
        await exchanged.end_stream()

    async def _piece(self, exchanged: Exchanged, head: dict[str, Any], **more: Any) -> None:
        event = {**head, "object": "chat.completion.chunk", **more}
        await exchanged.chunk(b"data: " + json.dumps(event).encode() + b"\n\n")


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    vendor = Vendor()
    async with serving(vendor.answer) as server:
        vendor.url = server.base_url
        yield vendor


async def booked(entry: str, provider: str, vendor: Vendor, make_guard: Any, make_orchestrator: Any) -> int:
    """Ask once, and return what was booked for it."""
    changes = {"providers": {provider: {"base_url": vendor.url}}}
    native = make_orchestrator(changes) if entry.startswith("native") else None
    guard: Any = native or make_guard(changes)
    if native is None:
        await guarded(entry, provider, vendor, guard)
    else:
        client = native.native(f"{provider}/gpt-6-luna", tenant="acme", max_tokens=64)
        assert (
            await client.ainvoke("Xin chào")
            if entry == "native"
            else [piece async for piece in client.astream("Xin chào")]
        )
    spent, held = standing(guard)
    assert held == 0
    return spent


async def guarded(entry: str, provider: str, vendor: Vendor, guard: BudgetGuard) -> None:
    assert guard in litellm.callbacks
    name = "openai/gpt-6-luna" if provider == "openai" else "openrouter/openai/gpt-6-luna"
    asked = {"model": name, "messages": HELLO, "max_tokens": 64, "api_base": vendor.url, "api_key": "k"}
    if entry == "completion":
        await asyncio.to_thread(litellm.completion, **asked)
    elif entry == "acompletion":
        await litellm.acompletion(**asked)
    elif entry == "stream":
        assert await asyncio.to_thread(lambda: list(litellm.completion(**asked, stream=True)))
    else:
        assert [chunk async for chunk in await litellm.acompletion(**asked, stream=True)]


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(
    ("tier", "times"),
    [("priority", 2.5), ("not_yet_invented", 6), ("priority\u0085", 6), ("x" * 300, 6), ("flex", 1)],
)
async def test_an_answer_in_another_class_of_service_is_booked_at_its_price(
    vendor: Vendor, make_guard, make_orchestrator, entry: str, tier: str, times: float
) -> None:
    """The piece of a stream that counts does not say the class; the pieces before it do."""
    vendor.tier = tier
    spent = await booked(entry, "openai", vendor, make_guard, make_orchestrator)
    assert spent == LIST_NUSD * times


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(
    ("usage", "least_nusd"),
    [
        (BYOK, 36_000_000),
        ({**BYOK, "cost": 0.001}, 37_000_000),
        ({**COUNTS, "cost": 0}, LIST_NUSD),
        ({**COUNTS, "cost": -5}, LIST_NUSD),
        ({**COUNTS, "prompt_tokens_details": {"cached_tokens": 9_000}}, 900_000),
        ({**COUNTS, "completion_tokens_details": {"reasoning_tokens": 500}}, 350_000),
        ({**COUNTS, "total_tokens": 9_000}, 4_000_000),
    ],
    ids=["byok", "byok fee", "free", "negative", "cached", "thoughts", "total"],
)
async def test_odd_counts_are_read_on_the_dear_side(
    vendor: Vendor, make_guard, make_orchestrator, entry: str, usage: dict[str, Any], least_nusd: int
) -> None:
    vendor.usage = usage
    spent = await booked(entry, "openrouter", vendor, make_guard, make_orchestrator)
    assert spent >= least_nusd


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": -5, "completion_tokens": -7}, {"prompt_tokens": 2**63, "completion_tokens": 2**63}, {"prompt_tokens": None}, *ODD])  # fmt: skip
async def test_counts_that_are_none_are_booked_at_the_bound(
    vendor: Vendor, make_guard, make_orchestrator, entry: str, usage: Any
) -> None:
    vendor.usage = usage
    spent = await booked(entry, "openai", vendor, make_guard, make_orchestrator)
    assert spent == BOUND_NUSD


@pytest.mark.parametrize("entry", ["native", "acompletion"])
async def test_a_price_that_changes_while_the_process_runs_is_the_price_from_its_day_on(
    vendor: Vendor, make_orchestrator, make_config, clock, entry: str
) -> None:
    """Both the hold and what is booked go by the day of the send, not by that of the start."""
    begins = clock.now().date() + timedelta(days=2)
    dearer = {"begins": str(begins), "input": 10, "output": 50}
    stated = {"input": 1, "output": 5, "changes": [dearer], "source": "a contract", "date": "2026-01-01"}
    changes = {
        "providers": {"openai": {"base_url": vendor.url}},
        "deployments": {"openai/gpt-6-luna": {"price": stated}},
    }
    if entry == "native":
        holder: Any = make_orchestrator(changes, clock=clock)
        client = holder.native("openai/gpt-6-luna", tenant="acme", max_tokens=64)
    else:
        holder = BudgetGuard(make_config(changes), tenant="acme", clock=clock)
        litellm.callbacks.append(holder)

    async def ask() -> int:
        before = standing(holder)[0]
        if entry == "native":
            await client.ainvoke("Xin chào")
        else:
            await guarded(entry, "openai", vendor, holder)
        return standing(holder)[0] - before

    try:
        cheap = await ask()
        clock.advance(2 * 24 * 3600)
        assert await ask() == 10 * cheap
    finally:
        if entry != "native":
            litellm.callbacks.remove(holder)
            holder.close()


@pytest.mark.parametrize(("address", "tier"), [(None, "default"), ("https://vllm.example/v1", None)])
def test_a_guarded_call_names_the_class_of_service_at_openai_itself(
    address: str | None, tier: str | None
) -> None:
    call = MeteredCall(ProviderKind.OPENAI, "gpt-6-luna", address, None)
    assert for_provider({"model": "gpt-6-luna"}, call).get("service_tier") == tier


def test_a_native_client_names_the_class_of_service_at_openai_itself(make_orchestrator) -> None:
    at_home = make_orchestrator({"providers": {"openai": {"base_url": None, "api_key": "k"}}})
    assert at_home.native("openai/gpt-6-luna", tenant="acme").service_tier == "default"
