"""An answer of the Responses API is whole, or an error to whoever asked, with what it used on the ledger."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import litellm
import pytest

from orchestrator.core.errors import OrchestratorError, UnavailableError
from orchestrator.core.reply import Delta
from orchestrator.metering.responses_answers import ResponsesReader
from orchestrator.providers.wire.sse import SentEvent
from tests.metering import test_budget_guard as with_guard
from tests.metering.test_budget_guard import HELLO, standing
from tests.providers.test_one_attempt import TOOL
from tests.providers.wire.misbehaving import Exchanged, Server, serving

make_guard = with_guard.make_guard
USED = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
USED_NUSD = 3_500


def response(*output: Any, status: Any = "completed", **more: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "gpt-6-luna",
        "tools": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "error": None,
        "incomplete_details": None,
        "status": status,
        "output": list(output),
        "usage": USED,
        **more,
    }


def message(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": list(parts)}


def text(value: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": value, "annotations": []}


def call(**changes: Any) -> dict[str, Any]:
    made = {"type": "function_call", "id": "fc1", "call_id": "c1", "name": "find_order", "arguments": "{}"}
    return {name: value for name, value in {**made, **changes}.items() if value != "left out"}


def cut(reason: str) -> dict[str, Any]:
    return {"status": "incomplete", "incomplete_details": {"reason": reason}}


HALF = message(text("Half"))
REASONING = {"type": "reasoning", "id": "r1", "summary": []}
WHOLE = {
    "words": response(REASONING, HALF),
    "two messages": response(HALF, message(text("more"))),
    "a call": response(call()),
    "a refusal": response(message({"type": "refusal", "refusal": "I cannot."})),
    "cut by the limit": response(HALF, **cut("max_output_tokens")),
    "a cut call": response(call(arguments='{"id":'), **cut("max_output_tokens")),
    "nothing but reasoning within the limit": response(REASONING, **cut("max_output_tokens")),
    "filtered": response(HALF, **cut("content_filter")),
}
NONE: dict[str, Any] = {
    "failed": response(HALF, status="failed", error={"code": "server_error", "message": "x"}),
    "failed without an error": response(HALF, status="failed"),
    "cancelled": response(HALF, status="cancelled"),
    "not done yet": response(HALF, status="in_progress"),
    "a status of next year": response(HALF, status="paused"),
    "no status": response(HALF, status=None),
    "cut by what nobody knows": response(HALF, **cut("other")),
    "cut, and nobody says by what": response(HALF, status="incomplete"),
    "nothing": response(),
    "no output": response(output=None),
    "an item that is none": response("words"),
    "reasoning alone": response(REASONING),
    "empty words": response(message(text(""))),
    "words that are a number": response(message(text(7))),
    "words in a part of another kind": response(message(text("a"), {"type": "markdown", "value": "b"})),
    "an item that nobody asked for": response(HALF, {"type": "web_search_call", "id": "ws1"}),
    "a call without a name": response(call(name="left out")),
    "a call with an empty name": response(call(name="")),
    "a call without an id": response(call(call_id="left out")),
    "two calls with one id": response(call(), call(id="fc2")),
    "a call without arguments": response(call(arguments="left out")),
    "arguments that are an object": response(call(arguments={"id": 1})),
    "arguments that break off": response(call(arguments='{"id":')),
    "arguments with NaN": response(call(arguments='{"id": NaN}')),
    "an error alone": {"error": {"code": "server_error", "message": "x"}},
    "a chat": {"object": "chat.completion", "choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]},
    "an empty object": {},
}  # fmt: skip


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "sequence_number": 0, **fields}


def done(answer: dict[str, Any]) -> dict[str, Any]:
    return event("response.completed", response=answer)


BEGUN = [
    event("response.created", response=response(status="in_progress", usage=None)),
    event("response.output_item.added", output_index=0, item={**message(), "status": "in_progress"}),
    event("response.content_part.added", item_id="m1", output_index=0, content_index=0, part=text("")),
]


def piece(delta: Any) -> dict[str, Any]:
    at = {"item_id": "m1", "output_index": 0, "content_index": 0, "logprobs": []}
    return event("response.output_text.delta", **at, delta=delta)


BROKEN_STREAMS = {
    "no last event": [*BEGUN, piece("Half")],
    "an error in the middle": [*BEGUN, piece("Half"), event("error", code="server_error", message="x", param=None)],
    "failed at last": [*BEGUN, piece("Half"), event("response.failed", response=NONE["failed"])],
    "completed and failed": [*BEGUN, piece("Half"), done(NONE["failed"])],
    "a last event without a response": [*BEGUN, piece("Half"), event("response.completed")],
    "a piece that is a number": [*BEGUN, piece(7), done(response(HALF))],
    "words that no piece said": [done(response(HALF))],
    "a call that no piece said": [done(response(call()))],
    "nothing": [],
}  # fmt: skip


class Vendor:
    """A server of the Responses API that answers what a test says."""

    def __init__(self) -> None:
        self.body: Any = None
        self.events: list[Any] = []

    async def answer(self, exchanged: Exchanged) -> None:
        if not json.loads(exchanged.body).get("stream"):
            await exchanged.answer(json.dumps(self.body).encode())
            return
        lines = [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in self.events]
        await exchanged.answer(b"".join(lines), json=False)


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
async def server(vendor: Vendor) -> AsyncIterator[Server]:
    async with serving(vendor.answer) as server:
        yield server


@pytest.fixture(params=["native", "guard"])
def ask(request: pytest.FixtureRequest, server: Server, make_orchestrator, make_guard) -> Any:
    """Return how to ask at an entry, and what stands on its ledger."""
    changes = {"providers": {"openai": {"base_url": server.base_url}}}
    if request.param == "native":
        orchestrator = make_orchestrator(changes)
        client = orchestrator.native(
            "openai/gpt-6-luna", tenant="acme", max_tokens=64, reasoning_effort="high"
        )
        client = client.bind_tools([TOOL])
        return client.invoke, lambda asked: list(client.stream(asked)), lambda: standing(orchestrator)
    guard = make_guard(changes)
    arguments = {"model": "openai/gpt-6-luna", "messages": HELLO, "max_tokens": 64, "api_key": "k"}
    arguments |= {"api_base": server.base_url, "tools": [TOOL], "reasoning_effort": "high"}
    return (
        lambda _: litellm.completion(**arguments),
        lambda _: list(litellm.completion(**arguments, stream=True)),
        lambda: standing(guard),
    )


@pytest.mark.parametrize("what", WHOLE)
async def test_a_whole_answer_is_returned_and_booked_by_its_counts(vendor: Vendor, ask, what: str) -> None:
    whole, _, books = ask
    vendor.body = WHOLE[what]
    assert await asyncio.to_thread(whole, "Xin chào")
    assert books() == (USED_NUSD, 0)


@pytest.mark.parametrize("what", NONE)
async def test_what_is_no_whole_answer_is_an_error(vendor: Vendor, ask, what: str) -> None:
    """LiteLLM said `stop` of a response that had failed, and LangChain made a message of it."""
    whole, _, books = ask
    vendor.body = NONE[what]
    # What LiteLLM itself cannot read is an error of its own.
    with pytest.raises((UnavailableError, litellm.APIError, litellm.APIConnectionError)):
        await asyncio.to_thread(whole, "Xin chào")
    spent, held = books()
    assert held == 0
    assert spent >= USED_NUSD


@pytest.mark.parametrize("what", BROKEN_STREAMS)
async def test_a_stream_that_is_no_whole_answer_ends_in_an_error(vendor: Vendor, ask, what: str) -> None:
    _, stream, books = ask
    vendor.events = BROKEN_STREAMS[what]
    with pytest.raises(Exception) as raised:
        await asyncio.to_thread(stream, "Xin chào")
    assert not isinstance(raised.value, OrchestratorError) or isinstance(raised.value, UnavailableError)
    spent, held = books()
    assert held == 0
    assert spent >= USED_NUSD


async def test_a_stream_whose_pieces_have_all_come_is_an_answer(vendor: Vendor, ask) -> None:
    _, stream, books = ask
    vendor.events = [*BEGUN, piece("Half"), done(response(HALF))]
    assert await asyncio.to_thread(stream, "Xin chào")
    assert books() == (USED_NUSD, 0)


@pytest.mark.parametrize("kind", ["reasoning_text", "reasoning_summary_text"])
def test_thoughts_are_no_words_and_are_told_as_what_they_are(kind: str) -> None:
    """What brings thoughts alone is ended by their size, and they are billed."""
    thought = event(f"response.{kind}.delta", item_id="r1", delta="hmm, ")
    assert ResponsesReader().take(SentEvent(json.dumps(thought).encode())) == [Delta(reasoning="hmm, ")]


@pytest.mark.parametrize(
    ("stated", "tier"),
    [
        ("flex", "flex"),
        ("x" * 300, "without a name"),
        ("flex\nERROR", "without a name"),
        ("", None),
        (7, None),
    ],
)
def test_a_class_of_service_that_is_no_name_is_kept_in_no_log(stated: Any, tier: str | None) -> None:
    """It was written into the log and the ledger as it came, line breaks and all."""
    answer = ResponsesReader().read(json.dumps(response(HALF, service_tier=stated)).encode())
    assert answer.service_tier == tier
