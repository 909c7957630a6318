"""What goes to the Responses API of a practice provider is booked as the provider bills it."""

import asyncio
import contextlib
import json
from typing import Any

import litellm
import pytest

from orchestrator import BudgetGuard
from orchestrator.practice import PracticeServer
from tests.metering import test_budget_guard as with_guard
from tests.metering.test_budget_guard import sources, standing
from tests.metering.test_langchain_clients import standing as native_standing
from tests.providers.test_one_attempt import TOOL
from tests.providers.wire.misbehaving import Exchanged, serving

make_guard, guard, to = with_guard.make_guard, with_guard.guard, with_guard.to
QUESTION = "find_order: đơn DH1001 đâu?"
PATH = "/openai/v1/responses"


@pytest.fixture
def practice(prices_today) -> Any:
    with PracticeServer(prices=prices_today) as server:
        yield server


async def _called(how: str, arguments: dict[str, Any]) -> str:
    if how == "completion":
        message = litellm.completion(**arguments).choices[0].message
    elif how == "acompletion":
        message = (await litellm.acompletion(**arguments)).choices[0].message
    else:
        chunks = (
            list(litellm.completion(**arguments, stream=True))
            if how == "stream"
            else [chunk async for chunk in await litellm.acompletion(**arguments, stream=True)]
        )
        message = litellm.stream_chunk_builder(chunks).choices[0].message
    return message.tool_calls[0].function.name


@pytest.mark.parametrize("how", ["completion", "acompletion", "stream", "astream"])
async def test_a_guarded_call_that_litellm_carries_over_is_booked_as_billed(
    guard: BudgetGuard, practice: PracticeServer, to, how: str
) -> None:
    turns = [{"role": "system", "content": "Ngắn."}, {"role": "user", "content": QUESTION}]
    more = {"messages": turns, "tools": [TOOL], "reasoning_effort": "high"}
    assert await _called(how, to("openai/gpt-6-luna", **more)) == "find_order"
    assert [request.path for request in practice.requests] == [PATH]
    practice.wait_idle()
    assert sources(guard) == ["price_book"]
    assert standing(guard) == (practice.bill.total_nusd(), 0)


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
def test_a_native_client_calls_tools_in_rounds_and_is_booked_as_billed(
    practised, practice: PracticeServer, is_stream: bool
) -> None:
    from langchain_core.messages import HumanMessage, ToolMessage

    client = practised.native("openai/gpt-6-luna", tenant="acme", reasoning_effort="high").bind_tools([TOOL])

    def ask(messages: list[Any]) -> Any:
        if not is_stream:
            return client.invoke(messages)
        first, *rest = client.stream(messages)
        return sum(rest, first)

    asked = HumanMessage(QUESTION)
    called = ask([asked])
    (call,) = called.tool_calls
    assert call["name"] == "find_order"
    answer = ask([asked, called, ToolMessage("đang giao", tool_call_id=call["id"])])
    assert answer.text == "The find_order tool says: đang giao"
    assert [request.path for request in practice.requests] == [PATH] * 2
    practice.wait_idle()
    assert native_standing(practised) == (practice.bill.total_nusd(), 0)


@pytest.mark.parametrize("fault", ["openai:cut_stream=0", "openai:error_in_200=500,after_chunks=1"])
def test_a_response_that_breaks_off_is_booked_at_its_bound(
    guard: BudgetGuard, practice: PracticeServer, to, fault: str
) -> None:
    practice.faults.add(fault)
    arguments = to("openai/gpt-6-luna", messages=[{"role": "user", "content": QUESTION}], tools=[TOOL])
    with pytest.raises(Exception, match=r"(?i)error|interrupted|closed"):
        list(litellm.completion(**arguments, reasoning_effort="high", stream=True))
    practice.wait_idle()
    spent, held = standing(guard)
    assert held == 0
    assert spent >= practice.bill.total_nusd() > 0


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("bill", ["priority", "contradicting", "negative", "null", "huge"])
def test_an_odd_bill_of_that_api_is_booked_at_what_is_charged(
    practised, practice: PracticeServer, is_stream: bool, bill: str
) -> None:
    """Of a native client; the library may stumble over what is no count, and it is billed all the same."""
    practice.faults.add(f"openai:odd_bill={bill}")
    client = practised.native("openai/gpt-6-luna", tenant="acme", reasoning_effort="high").bind_tools([TOOL])
    with contextlib.suppress(ValueError, TypeError):
        assert list(client.stream(QUESTION)) if is_stream else client.invoke(QUESTION)
    assert [request.path for request in practice.requests] == [PATH]
    practice.wait_idle()
    spent, held = native_standing(practised)
    assert held == 0
    billed = practice.bill.total_nusd()
    assert spent == billed if bill == "priority" else spent >= billed > 0


async def test_a_whole_response_in_the_place_of_a_stream_is_an_answer(
    guard: BudgetGuard, make_orchestrator, to
) -> None:
    """It was paid for, and the clients failed at it or found nothing in it."""
    text = {"type": "output_text", "text": "Xin chào", "annotations": []}
    said = {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": [text]}
    called = {
        "type": "function_call",
        "id": "f1",
        "call_id": "c1",
        "name": "find_order",
        "arguments": '{"id":"a"}',
    }
    counts = {"input_tokens": 100, "output_tokens": 5, "total_tokens": 105}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    head = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "gpt-6-luna",
        "status": "completed",
    }
    body = json.dumps({**head, "output": [said, called], "usage": {**counts, **details}}).encode()

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.answer(body)

    async with serving(answer) as server:
        guarded = to("openai/gpt-6-luna", tools=[TOOL], reasoning_effort="high")
        guarded = {**guarded, "api_base": server.base_url, "stream": True}
        threaded = await asyncio.to_thread(lambda: list(litellm.completion(**guarded)))
        for chunks in (threaded, [chunk async for chunk in await litellm.acompletion(**guarded)]):
            message = litellm.stream_chunk_builder(chunks).choices[0].message
            assert (message.content, message.tool_calls[0].function.arguments) == ("Xin chào", '{"id":"a"}')
        orchestrator = make_orchestrator({"providers": {"openai": {"base_url": server.base_url}}})
        client = orchestrator.native("openai/gpt-6-luna", tenant="acme", reasoning_effort="high")
        first, *rest = [piece async for piece in client.bind_tools([TOOL]).astream(QUESTION)]
        assert sum(rest, first).text == "Xin chào"
        assert sum(rest, first).tool_calls[0]["args"] == {"id": "a"}
    assert sources(guard) == ["price_book"] * 3
    assert native_standing(orchestrator) == (3 * 12_500, 0)
