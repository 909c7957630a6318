"""The chat completions format of OpenAI and OpenRouter."""

import pytest

from orchestrator.core.money import nano_usd
from orchestrator.practice.wire_errors import Refusal
from orchestrator.practice.wire_openai import read_openai_request

USER = [{"role": "user", "content": "Hi"}]


def test_a_request_is_read_with_all_that_shapes_the_answer():
    """Both names of the token limit, stops as text or list, tools, choice and format."""
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    body = {
        "model": "m",
        "messages": USER,
        "max_completion_tokens": 7,
        "stop": "x",
        "tools": [tool],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_object"},
    }
    request = read_openai_request(body, provider="openai").request
    assert (request.max_tokens, request.stop, request.tools) == (7, ("x",), (tool["function"],))
    assert (request.tool_choice, request.forced_tool) == ("named", "f")
    assert request.response_format == {"type": "json_object"}
    assert (
        read_openai_request({"models": ["a", "b"], "messages": USER}, provider="openrouter").request.model
        == "a"
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"model": "m"},
        {"model": "m", "messages": []},
        *({"model": "m", "messages": USER, "n": n} for n in (0, 129, "2", True)),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(body):
    """400, and a message."""
    with pytest.raises(Refusal) as refused:
        read_openai_request(body, provider="openai")
    assert refused.value.status == 400
    assert refused.value.message


def test_openrouter_says_its_id_provider_and_cost(caller):
    """In one piece: the cost is a float of dollars and equals the bill to the nano-dollar."""
    reply = caller.post("openrouter").json()
    charge = caller.server.bill.charges[-1]
    assert reply["id"].startswith("gen-")
    assert reply["provider"] == "Practice"
    assert nano_usd(reply["usage"]["cost"]) == charge.cost_nusd
    assert reply["usage"]["completion_tokens"] == charge.output_tokens


def test_openai_says_no_cost(caller):
    """Its usage is tokens only."""
    reply = caller.post("openai").json()
    assert "cost" not in reply["usage"]
    assert "provider" not in reply
    assert reply["id"].startswith("chatcmpl-")


def test_openrouter_streams_comments_and_always_its_usage(caller):
    """Without being asked, with the cost, and ended by [DONE]."""
    text = caller.post("openrouter", stream=True).text
    assert text.startswith(": OPENROUTER PROCESSING\n\n")
    assert text.endswith("data: [DONE]\n\n")
    last = caller.events(text)[-1]
    assert nano_usd(last["usage"]["cost"]) == caller.server.bill.charges[-1].cost_nusd


def test_openai_streams_its_usage_only_when_asked(caller):
    """In a last chunk without choices; all chunks before have usage null."""
    assert not any("usage" in event for event in caller.events(caller.post("openai", stream=True).text))
    with_usage = caller.post("openai", stream=True, body={"stream_options": {"include_usage": True}}).text
    *before, last = caller.events(with_usage)
    assert all(event["usage"] is None for event in before)
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == caller.server.bill.charges[-1].output_tokens


@pytest.mark.parametrize("provider", ["openrouter", "openai"])
def test_a_stream_says_the_same_as_an_answer_in_one_piece(caller, provider):
    """And is billed the same."""
    whole = caller.post(provider).json()["choices"][0]["message"]["content"]
    assert caller.text_of(caller.post(provider, stream=True).text, provider) == whole
    whole_charge, stream_charge = caller.server.bill.charges
    assert whole_charge.cost_nusd == stream_charge.cost_nusd


def test_a_streamed_tool_call_comes_in_deltas(caller):
    """First id and name, then pieces of the arguments."""
    schema = {"type": "object", "properties": {"order_id": {"type": "string"}, "why": {"type": "string"}}}
    schema["required"] = ["order_id", "why"]
    tool = {"type": "function", "function": {"name": "cancel_order", "parameters": schema}}
    body = {
        "messages": [{"role": "user", "content": "Cancel order DH1001 because 'it is much too late'"}],
        "tools": [tool],
    }
    events = caller.events(caller.post("openai", stream=True, body=body).text)
    deltas = [
        call
        for event in events
        for choice in event["choices"]
        for call in choice["delta"].get("tool_calls", ())
    ]
    assert deltas[0]["function"] == {"name": "cancel_order", "arguments": ""}
    assert deltas[0]["id"]
    assert len(deltas) > 2
    arguments = "".join(delta["function"]["arguments"] for delta in deltas)
    assert arguments == '{"order_id":"DH1001","why":"it is much too late"}'
    assert events[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_the_limit_and_the_stop_are_honoured(caller):
    """`length` with no more tokens than allowed, `stop` without the stop text."""
    choice = caller.post("openai", body={"max_tokens": 3}).json()
    assert choice["choices"][0]["finish_reason"] == "length"
    assert choice["usage"]["completion_tokens"] == 3
    text = caller.post("openai", body={"stop": ["practice"]}).json()["choices"][0]["message"]["content"]
    assert text == "This is a "
