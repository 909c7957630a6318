"""What reaches the caller of a vendor's own client: an answer, or a clear error; and what is booked for it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage

from orchestrator.core.errors import InvalidRequestError, UnavailableError
from tests.metering.test_langchain_clients import standing
from tests.providers.wire.misbehaving import Exchanged, Server, serving

GOOGLE, OPENAI = "google/gemini-3.8-flash", "openai/gpt-6-luna"
USED = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
USED_NUSD = 26_250
ERROR = {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}
HALF = {"content": {"role": "model", "parts": [{"text": "Half"}]}}
NO_ANSWERS: dict[str, tuple[Any, bool]] = {
    "an error": ({"error": ERROR}, False),
    "a list with an error": ([{"error": ERROR}], False),
    "an error that counts": ({"error": ERROR, "usageMetadata": USED}, True),
    "an error beside half an answer": ({"error": ERROR, "candidates": [HALF], "usageMetadata": USED}, True),
    "nothing": ({}, False),
    "no object": (None, False),
    "no candidates": ({"candidates": [], "usageMetadata": USED}, True),
    "a blocked prompt": ({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": USED}, True),
    "no finish": ({"candidates": [HALF], "usageMetadata": USED}, True),
    "a finish of half an answer": (
        {"candidates": [{**HALF, "finishReason": "OTHER"}], "usageMetadata": USED},
        True,
    ),
}
"""Bodies with status 200, and whether they say what was used. Google's client made an empty message of most."""


class Vendor:
    """A server that answers Google's client, or OpenAI's, with what a test says."""

    def __init__(self) -> None:
        self.body: Any = None
        self.is_stream = False

    async def answer(self, exchanged: Exchanged) -> None:
        body = json.dumps(self.body).encode()
        if self.is_stream:
            body = b"data: " + body + b"\r\n\r\n"
        await exchanged.answer(body, json=not self.is_stream)


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
async def server(vendor: Vendor) -> AsyncIterator[Server]:
    async with serving(vendor.answer) as server:
        yield server


@pytest.fixture
def native(server: Server, make_orchestrator) -> Any:
    """Return the orchestrator, and make its native client of a deployment."""
    google = server.base_url.removesuffix("/v1") + "/v1beta"
    orchestrator = make_orchestrator(
        {"providers": {"google": {"base_url": google}, "openai": {"base_url": server.base_url}}}
    )
    return orchestrator, lambda name: orchestrator.native(name, tenant="acme", max_tokens=64)


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("what", NO_ANSWERS)
async def test_what_is_no_answer_is_an_error_and_no_empty_message(
    vendor: Vendor, native, what: str, is_stream: bool
) -> None:
    orchestrator, client = native
    (vendor.body, counts), vendor.is_stream = NO_ANSWERS[what], is_stream
    # Google's own client tells an error in a stream by itself.
    with pytest.raises((UnavailableError, Exception), match=r"status 200 is no answer|503|parse") as raised:
        if is_stream:
            assert [piece async for piece in client(GOOGLE).astream("Xin chào")] == []
        else:
            await client(GOOGLE).ainvoke("Xin chào")
    assert isinstance(raised.value, UnavailableError) or is_stream
    spent, held = standing(orchestrator)
    assert held == 0
    assert spent == USED_NUSD if counts and not is_stream else spent >= USED_NUSD


async def test_what_an_answer_with_a_finish_lacks_is_for_its_reader(vendor: Vendor, native) -> None:
    orchestrator, client = native
    vendor.body = {"candidates": [{"finishReason": "MAX_TOKENS"}], "usageMetadata": USED}
    message = await client(GOOGLE).ainvoke("Xin chào")
    assert message.response_metadata["finish_reason"] == "MAX_TOKENS"
    assert standing(orchestrator) == (USED_NUSD, 0)


def nested(levels: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return {"x": value}


@pytest.mark.parametrize("levels", [100, 800])
async def test_an_answer_deeper_than_a_client_reads_is_an_error_of_ours(
    vendor: Vendor, native, levels: int
) -> None:
    """Google's client ended in a RecursionError, sooner or later by how deep its caller was."""
    orchestrator, client = native
    call = {"functionCall": {"name": "f", "args": nested(levels)}}
    candidate = {"content": {"role": "model", "parts": [call]}, "finishReason": "STOP"}
    vendor.body = {"candidates": [candidate], "usageMetadata": USED}
    with pytest.raises(UnavailableError, match="no answer, or half of one"):
        await client(GOOGLE).ainvoke("Xin chào")
    assert standing(orchestrator) == (USED_NUSD, 0)
    # Its events are handed on as they come.
    vendor.is_stream = True
    with pytest.raises(UnavailableError, match="cannot read what came|no answer, or half of one"):
        [_ async for _ in client(GOOGLE).astream("Xin chào")]


async def test_an_answer_at_which_the_client_fails_is_booked_before_its_error_is_let_go(
    vendor: Vendor, native
) -> None:
    """The error of Google's client hangs on to the stream, whose money stayed held with it."""
    orchestrator, client = native
    candidate = {**HALF, "finishReason": "STOP", "avgLogprobs": {"a": 1}}
    vendor.body, vendor.is_stream = {"candidates": [candidate], "usageMetadata": USED}, True
    with pytest.raises(UnavailableError, match="cannot read what came \\(ValidationError\\); it is booked"):
        [_ async for _ in client(GOOGLE).astream("Xin chào")]
    assert standing(orchestrator) == (USED_NUSD, 0)


@pytest.mark.parametrize("name", [GOOGLE, OPENAI])
async def test_a_request_deeper_than_all_read_is_refused_in_the_same_words(
    server: Server, native, name: str
) -> None:
    _, client = native
    called = {"name": "f", "args": nested(800), "id": "c1", "type": "tool_call"}
    history = [AIMessage("", tool_calls=[called]), ToolMessage("r", tool_call_id="c1")]
    tool = {"type": "function", "function": {"name": "f", "parameters": nested(800)}}
    with pytest.raises(InvalidRequestError, match="more than 120 deep"):
        await client(name).ainvoke(history)
    with pytest.raises(InvalidRequestError, match="more than 120 deep"):
        await client(name).bind_tools([tool]).ainvoke("Xin chào")
    assert server.requests == []


@pytest.mark.parametrize("name", [7, 0.5, True])
async def test_a_call_whose_name_is_no_text_and_an_end_with_calls_that_has_none_are_no_answers(
    server: Server, vendor: Vendor, make_orchestrator, name: Any
) -> None:
    orchestrator = make_orchestrator({"providers": {"openrouter": {"base_url": server.base_url}}})
    client = orchestrator.native("openrouter/gpt-6-luna", tenant="acme", max_tokens=64)
    for calls in ([{"id": "a", "type": "function", "function": {"name": name, "arguments": "{}"}}], 0):
        message = {"role": "assistant", "content": None, "tool_calls": calls}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        vendor.body = {"id": "a", "created": 1, "model": "m", "choices": [choice]}
        with pytest.raises(UnavailableError, match="no answer, or half of one"):
            await client.ainvoke("Xin chào")
    assert standing(orchestrator)[1] == 0
