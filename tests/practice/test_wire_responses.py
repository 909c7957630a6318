"""OpenAI's Responses API, as its own client speaks it."""

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from orchestrator.practice import PracticeAnswer, PracticeServer, PracticeToolCall, Scripted

CALL = PracticeToolCall("find_order", '{"number": "DH1001", "with": "everything that was bought"}')
FULL = PracticeAnswer("Chào bạn", (CALL, CALL), reasoning="Look it up.")
CALL_DELTA, SUMMARY = "response.function_call_arguments.delta", "response.reasoning_summary_text.delta"


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture
def server(scripted: Scripted) -> Iterator[PracticeServer]:
    with PracticeServer(answerer=scripted) as running:
        yield running


@pytest.fixture
def client(server: PracticeServer) -> OpenAI:
    return OpenAI(base_url=server.base_url("openai"), api_key="k", max_retries=0, timeout=300)


def ask(client: OpenAI, **more: Any) -> Any:
    return client.responses.create(**{"model": "gpt-6-luna", "input": "Xin chào", **more})


def deltas(events: list[Any], kind: str) -> str:
    return "".join(event.delta for event in events if event.type == kind)


def without_ids(response: Any) -> dict[str, Any]:
    body = response.model_dump(exclude={"id", "created_at"})
    for item in body["output"]:
        del item["id"]
        item.pop("call_id", None)
    return body


def test_a_stream_makes_the_answer_that_comes_whole(client, server, scripted) -> None:
    scripted.add(FULL, FULL)
    shown = {"reasoning": {"summary": "auto"}}
    whole, events = ask(client, **shown), list(ask(client, **shown, stream=True))
    assert [item.type for item in whole.output] == ["reasoning", "message", "function_call", "function_call"]
    assert whole.output_text == "Chào bạn"
    assert whole.output[3].arguments == CALL.arguments
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [events[0].type, events[-1].type] == ["response.created", "response.completed"]
    assert without_ids(events[-1].response) == without_ids(whole)
    assert deltas(events, "response.output_text.delta") == "Chào bạn"
    assert deltas(events, CALL_DELTA) == CALL.arguments * 2
    assert deltas(events, SUMMARY) == "Look it up."
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert done == events[-1].response.output
    begun = [event.item.id for event in events if event.type == "response.output_item.added"]
    assert begun == [item.id for item in done]
    first, second = server.bill.charges
    assert (first.request_id, first.output_tokens) == (whole.id, whole.usage.output_tokens)
    assert (first.cost_nusd, second.streamed) == (second.cost_nusd, True)


def test_thoughts_are_counted_and_shown_to_who_asks_for_them(client, scripted) -> None:
    scripted.add(FULL, PracticeAnswer("Chào", reasoning_tokens=40))
    hidden = ask(client)
    assert (hidden.output[0].type, hidden.output[0].summary) == ("reasoning", [])
    assert hidden.output[0].encrypted_content
    assert hidden.usage.output_tokens_details.reasoning_tokens > 0
    unseen = ask(client)
    assert [item.type for item in unseen.output] == ["message"]
    assert unseen.usage.output_tokens_details.reasoning_tokens == 40


TOOL = {
    "type": "function",
    "name": "order_status",
    "parameters": {
        "type": "object",
        "properties": {"order_id": {"type": "string"}},
        "required": ["order_id"],
    },
    "strict": False,
}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def test_a_round_of_tools_is_answered_and_billed_as_by_chat_completions(client, server) -> None:
    asked = "Đơn DH1001 đâu?"
    first = ask(client, input=asked, instructions="Ngắn.", tools=[TOOL])
    (call,) = first.output
    assert (call.name, call.arguments) == ("order_status", '{"order_id":"DH1001"}')
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "giao xong"}
    items = [{"role": "user", "content": asked}, call.model_dump(exclude_none=True), result]
    second = ask(client, input=items, instructions="Ngắn.", tools=[TOOL])
    assert second.output_text == "The order_status tool says: giao xong"

    messages = [{"role": "system", "content": "Ngắn."}, {"role": "user", "content": asked}]
    tool = {"type": "function", "function": {name: TOOL[name] for name in TOOL if name != "type"}}
    spoken = client.chat.completions.create(model="gpt-6-luna", messages=messages, tools=[tool])
    messages += [
        spoken.choices[0].message.model_dump(include={"role", "tool_calls"}),
        {"role": "tool", "tool_call_id": spoken.choices[0].message.tool_calls[0].id, "content": "giao xong"},
    ]
    client.chat.completions.create(model="gpt-6-luna", messages=messages, tools=[tool])
    billed = [(charge.input_tokens, charge.output_tokens) for charge in server.bill.charges]
    assert billed[:2] == billed[2:]


def test_formats_choices_and_parts_mean_what_they_mean_in_a_chat(client) -> None:
    form = {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA}}
    assert '"city"' in ask(client, text=form).output_text
    forced = ask(client, tools=[TOOL], tool_choice={"type": "function", "name": "order_status"})
    assert forced.output[0].type == "function_call"
    parts = [{"type": "input_text", "text": "Hà Nội"}, {"type": "input_image", "image_url": "data:,"}]
    assert "Hà Nội" in ask(client, input=[{"role": "user", "content": parts}]).output_text


@pytest.mark.parametrize("finish", [None, "content_filter"])
def test_an_answer_that_is_not_whole_says_why(client, scripted, finish: str | None) -> None:
    scripted.add(*[PracticeAnswer("dài " * 50, finish_reason=finish)] * 2)
    limit = {"max_output_tokens": 16} if finish is None else {}
    last = list(ask(client, **limit, stream=True))[-1]
    assert last.type == "response.incomplete"
    for response in (last.response, ask(client, **limit)):
        assert (response.status, response.output[0].status) == ("incomplete", "incomplete")
        assert response.incomplete_details.reason == (finish or "max_output_tokens")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"extra_body": {"max_tokens": 50}}, "Unknown parameter: 'max_tokens'"),
        ({"max_output_tokens": 15}, ">= 16"),
        ({"input": []}, "Missing required parameter: 'input'"),
        ({"input": [{"type": "item_reference", "id": "m"}]}, "'input[0].type'"),
        ({"input": [{"role": "robot", "content": ""}]}, "'input[0].role'"),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "'input[0].content'"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": ""}]}, "No tool call found"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}, "'input[0].arguments'"),
        ({"previous_response_id": "resp_1"}, "'resp_1' not found"),
        ({"background": True}, "do not play 'background'"),
        ({"tools": [{"type": "web_search"}]}, "function tools alone"),
        ({"tool_choice": "any"}, "'tool_choice'"),
        ({"text": {"format": {"type": "xml"}}}, "'text.format'"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "'text.format.schema'"),
        ({"extra_body": {"reasoning": "high"}}, "'reasoning'"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_no_request_is_refused_in_its_words(client, server, more, said: str) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        ask(client, **more)
    assert said in refusal.value.body["message"]
    assert server.bill.count() == 0


def test_faults_are_those_of_a_chat(client, server) -> None:
    server.faults.add("openai:status=429,times=1")
    with pytest.raises(openai.RateLimitError):
        ask(client)
    server.faults.add("openai:cut_stream=3,times=1")
    with pytest.raises(httpx.RemoteProtocolError):
        list(ask(client, stream=True))
    server.faults.add("openai:end_stream=3,times=1")
    assert [event.type for event in ask(client, stream=True)][-1] == "response.output_text.delta"
    server.faults.add("openai:error_in_200=500,after_chunks=1,times=1")
    last = list(ask(client, stream=True))[-1]
    assert (last.type, "server had an error" in last.message) == ("error", True)
    assert [charge.delivered for charge in server.bill.charges] == ["partial"] * 3


def test_spoilt_events_stand_between_whole_ones(client, server) -> None:
    server.faults.add("openai:odd_chunk=1,times=1", "openai:malformed_chunk=1,times=1")
    events = list(ask(client, stream=True))
    assert 7 in [getattr(event, "delta", None) for event in events]
    assert events[-1].type == "response.completed"
    with pytest.raises(ValueError, match="Unterminated"):
        list(ask(client, stream=True))
