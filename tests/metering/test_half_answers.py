"""Half an answer reaches no reader as a whole one, whichever client of a vendor's reads it; it is booked."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import litellm
import openai
import pytest

from orchestrator.core.errors import UnavailableError
from tests.metering import test_budget_guard as with_guard
from tests.metering.test_budget_guard import HELLO, BudgetGuard
from tests.metering.test_langchain_clients import standing
from tests.providers.wire.misbehaving import Exchanged, serving

practice, make_guard, guard = with_guard.practice, with_guard.make_guard, with_guard.guard

SAID = {"role": "assistant", "content": "Xin chào quý kh"}
CALL = {"index": 0, "id": "a", "type": "function", "function": {"name": "find", "arguments": '{"order'}}
CUT_CALL = {"role": "assistant", "content": None, "tool_calls": [CALL]}
ERROR = {"error": {"message": "upstream died", "code": 502}}
USED = {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105}
HALVES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    **{f"finish {reason}": (SAID, {"finish_reason": reason}) for reason in ("error", "aborted", "weird", "", None)},
    "error beside": (SAID, {"finish_reason": "stop", **ERROR}),
    "host failed": (SAID, {"finish_reason": "stop", "native_finish_reason": "error"}),
    "no calls": (SAID, {"finish_reason": "tool_calls"}),
    "cut call": (CUT_CALL, {"finish_reason": "tool_calls"}),
}  # fmt: skip
"""What is said, and how it ends."""
TOLD = (UnavailableError, litellm.exceptions.MidStreamFallbackError, litellm.exceptions.APIError)
GUARDED = {"openai": "openai/gpt-6-luna", "openrouter": "openrouter/openai/gpt-6-luna"}
NATIVE = {"openai": "openai/gpt-6-luna", "openrouter": "openrouter/gpt-6-luna"}


def answering(name: str) -> Callable[[Exchanged], Any]:
    """Answer with half an answer, whole or in pieces as it is asked for."""
    message, end = HALVES[name]
    head = {"id": "g1", "created": 1, "model": "m"}

    async def answer(exchanged: Exchanged) -> None:
        if not json.loads(exchanged.body).get("stream"):
            choice = {"index": 0, "message": message, **end}
            body = {**head, "object": "chat.completion", "choices": [choice], "usage": USED}
            await exchanged.answer(json.dumps(body).encode())
            return
        choices = ({"index": 0, "delta": message, "finish_reason": None}, {"index": 0, "delta": {}, **end})
        pieces: list[dict[str, Any]] = [{"choices": [choice]} for choice in choices]
        pieces.append({"choices": [], "usage": USED})
        chunks = [{**head, "object": "chat.completion.chunk", **piece} for piece in pieces]
        lines = [*map(json.dumps, chunks), "[DONE]"]
        await exchanged.answer("".join(f"data: {line}\n\n" for line in lines).encode(), json=False)

    return answer


@pytest.mark.parametrize("provider", GUARDED)
@pytest.mark.parametrize("name", HALVES)
@pytest.mark.parametrize("in_pieces", [False, True], ids=["whole", "stream"])
async def test_half_an_answer_is_none_for_a_guarded_call(
    guard: BudgetGuard, provider: str, name: str, in_pieces: bool
) -> None:
    async with serving(answering(name)) as server:
        call: dict[str, Any] = {
            "model": GUARDED[provider],
            "messages": HELLO,
            "max_tokens": 50,
            "api_key": "key",
            "api_base": server.base_url,
            "stream": in_pieces,
        }
        with pytest.raises(TOLD):
            await asyncio.to_thread(lambda: list(litellm.completion(**call)))
        with pytest.raises(TOLD):
            answer = await litellm.acompletion(**call)
            if in_pieces:
                [_ async for _ in answer]
    spent, held = with_guard.standing(guard)
    assert held == 0
    assert spent > 0


@pytest.mark.parametrize("provider", NATIVE)
@pytest.mark.parametrize("name", HALVES)
@pytest.mark.parametrize("in_pieces", [False, True], ids=["whole", "stream"])
async def test_half_an_answer_is_none_for_a_native_client(
    make_orchestrator, provider: str, name: str, in_pieces: bool
) -> None:
    async with serving(answering(name)) as server:
        orchestrator = make_orchestrator({"providers": {provider: {"base_url": server.base_url}}})
        client = orchestrator.native(NATIVE[provider], tenant="acme", max_tokens=50)
        with pytest.raises(UnavailableError, match="no answer, or half of one"):
            await asyncio.to_thread(lambda: list((client.stream if in_pieces else client.invoke)("Xin chào")))
        with pytest.raises(UnavailableError, match="no answer, or half of one"):
            [_ async for _ in client.astream("Xin chào")] if in_pieces else await client.ainvoke("Xin chào")
    spent, held = standing(orchestrator)
    assert held == 0
    assert spent > 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", [*GUARDED.values(), "gemini/gemini-3.8-flash"])
@pytest.mark.parametrize(
    ("status", "body", "source"),
    [
        ("504 Gateway Time-out", b"<html>504</html>", "bound"),
        ("504 Gateway Time-out", b"", "bound"),
        ("524 A Timeout Occurred", b"error code: 524", "bound"),
        ("504 Deadline", b'{"error": {"code": 504, "status": "DEADLINE_EXCEEDED", "message": "x"}}', "none"),
    ],
)
async def test_a_gateway_that_waited_no_longer_is_booked_for_a_guarded_call(
    guard: BudgetGuard, model: str, status: str, body: bytes, source: str, stream: bool
) -> None:
    """What is behind it works on; what the API refuses in its own words is free."""
    async with serving(lambda exchanged: exchanged.answer(body, status=status)) as server:
        asked = {
            "model": model,
            "messages": HELLO,
            "max_tokens": 64,
            "api_base": server.base_url,
            "api_key": "k",
        }
        with pytest.raises(openai.APIError):
            answer = await litellm.acompletion(**asked, stream=stream)
            if stream:
                [_ async for _ in answer]
    assert with_guard.sources(guard) == [source]
