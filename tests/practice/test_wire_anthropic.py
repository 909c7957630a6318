"""The Messages API, as Anthropic's clients speak it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from orchestrator.practice import PracticeAnswer, PracticeServer, PracticeToolCall, Scripted

ASKED: dict[str, Any] = {
    "model": "claude-haiku-4-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Xin chào"}],
}
CALL = PracticeToolCall("find_order", '{"number": "DH1001"}')


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    answers = [PracticeAnswer("Chào bạn", (CALL,), reasoning="Look it up.")] * 2
    with PracticeServer(answerer=Scripted(answers), api_keys={"k"}) as server:
        yield server


def post(server: PracticeServer, body: dict[str, Any], key: str = "k") -> httpx.Response:
    address = f"{server.base_url('anthropic')}/v1/messages"
    return httpx.post(address, json=body, headers={"x-api-key": key, "anthropic-version": "2023-06-01"})


def test_whole_and_stream_say_the_same(server: PracticeServer) -> None:
    whole = post(server, ASKED).json()
    assert [block["type"] for block in whole["content"]] == ["thinking", "text", "tool_use"]
    assert whole["content"][2]["input"] == {"number": "DH1001"}
    assert whole["stop_reason"] == "tool_use"
    lines = post(server, ASKED | {"stream": True}).text.splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == "Chào bạn"
    assert json.loads("".join(delta.get("partial_json", "") for delta in deltas)) == {"number": "DH1001"}
    thought = "".join(delta.get("thinking", "") for delta in deltas)
    signatures = [delta["signature"] for delta in deltas if delta["type"] == "signature_delta"]
    assert (thought, signatures) == (whole["content"][0]["thinking"], [whole["content"][0]["signature"]])
    (last,) = [event for event in events if event["type"] == "message_delta"]
    assert (last["delta"]["stop_reason"], last["usage"]) == ("tool_use", whole["usage"])
    assert events[-1]["type"] == "message_stop"


def test_what_is_wrong_is_said_in_its_words(server: PracticeServer) -> None:
    assert post(server, ASKED, key="x").json()["error"]["type"] == "authentication_error"
    without_limit = {name: value for name, value in ASKED.items() if name != "max_tokens"}
    assert post(server, without_limit).json()["error"]["message"] == "max_tokens: Field required"
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 4096}}
    assert post(server, ASKED | thinking).status_code == 400
    server.faults.add("anthropic:status=529")
    overloaded = post(server, ASKED)
    assert (overloaded.status_code, overloaded.json()["error"]["type"]) == (529, "overloaded_error")


def test_a_thought_comes_back_with_its_own_signature_or_not_at_all(server: PracticeServer) -> None:
    block = post(server, ASKED).json()["content"][0]
    turns = [*ASKED["messages"], {"role": "assistant", "content": [block]}, *ASKED["messages"]]
    assert post(server, ASKED | {"messages": turns}).status_code == 200
    turns[1] = {"role": "assistant", "content": [block | {"thinking": "Another one."}]}
    refused = post(server, ASKED | {"messages": turns})
    assert (refused.status_code, "signature" in refused.text) == (400, True)
