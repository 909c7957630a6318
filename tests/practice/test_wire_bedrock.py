"""Bedrock's Converse API, as clients of Amazon's speak it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from orchestrator.core.event_frames import Frame, FrameReader
from orchestrator.practice import PracticeAnswer, PracticeServer, PracticeToolCall, Scripted

MODEL = "anthropic.claude-haiku-4-5-20251001-v1%3A0"
ASKED: dict[str, Any] = {
    "messages": [{"role": "user", "content": [{"text": "Xin chào"}]}],
    "inferenceConfig": {"maxTokens": 100},
}
CALL = PracticeToolCall("find_order", '{"number": "DH1001"}')
SIGNED = (
    "AWS4-HMAC-SHA256 Credential={}/20261129/eu-central-1/bedrock/aws4_request, "
    f"SignedHeaders=content-type;host;x-amz-date, Signature={'a1' * 32}"
)


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    answers = [PracticeAnswer("Chào bạn", (CALL,), reasoning="Look it up.")] * 2
    with PracticeServer(answerer=Scripted(answers), api_keys={"k"}) as server:
        yield server


def post(
    server: PracticeServer, body: dict[str, Any], *, verb: str = "converse", sent: str = "Bearer k"
) -> httpx.Response:
    address = f"{server.base_url('bedrock')}/model/{MODEL}/{verb}"
    return httpx.post(address, json=body, headers={"authorization": sent})


def test_whole_and_stream_say_the_same(server: PracticeServer) -> None:
    whole = post(server, ASKED).json()
    thought, text, call = whole["output"]["message"]["content"]
    assert (text["text"], call["toolUse"]["input"]) == ("Chào bạn", {"number": "DH1001"})
    assert whole["stopReason"] == "tool_use"
    frames = list(FrameReader().read(post(server, ASKED, verb="converse-stream").content))
    deltas = [event["delta"] for event in events(frames, "contentBlockDelta")]
    assert "".join(delta.get("text", "") for delta in deltas) == "Chào bạn"
    arguments = "".join(delta["toolUse"]["input"] for delta in deltas if "toolUse" in delta)
    assert json.loads(arguments) == {"number": "DH1001"}
    thoughts = [delta["reasoningContent"] for delta in deltas if "reasoningContent" in delta]
    spoken = "".join(piece.get("text", "") for piece in thoughts)
    assert {"text": spoken, "signature": thoughts[-1]["signature"]} == thought["reasoningContent"][
        "reasoningText"
    ]
    assert events(frames, "messageStop") == [{"stopReason": "tool_use"}]
    assert events(frames, "metadata")[0]["usage"] == whole["usage"]


def events(frames: list[Frame], kind: str) -> list[Any]:
    return [json.loads(frame.payload) for frame in frames if frame.headers.get(":event-type") == kind]


def test_a_key_is_shown_or_signed_with(server: PracticeServer) -> None:
    assert post(server, ASKED, sent=SIGNED.format("k")).status_code == 200
    for wrong in ("Bearer x", SIGNED.format("x"), SIGNED.format("k")[:-1], ""):
        refused = post(server, ASKED, sent=wrong)
        assert (refused.status_code, set(refused.json())) == (403, {"message"})


def test_what_is_wrong_is_said_in_its_words(server: PracticeServer) -> None:
    assert post(server, ASKED | {"messages": []}).json()["message"].startswith("A conversation must start")
    assert post(server, {"messages": ASKED["messages"]}).status_code == 400
    assert post(server, ASKED, verb="invoke").status_code == 404
    server.faults.add("bedrock:status=429,times=1")
    throttled = post(server, ASKED)
    assert (throttled.status_code, throttled.headers["x-amzn-errortype"]) == (429, "ThrottlingException")
    server.faults.add("bedrock:error_in_200=503")
    *_, frame = FrameReader().read(post(server, ASKED, verb="converse-stream").content)
    assert frame.headers[":exception-type"] == "serviceUnavailableException"


def test_tools_results_and_marks_are_read_as_messages(server: PracticeServer) -> None:
    spec = {"name": "find_order", "inputSchema": {"json": {"type": "object"}}}
    body = {
        "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
        "messages": [
            *ASKED["messages"],
            {
                "role": "assistant",
                "content": [{"toolUse": {"toolUseId": "t1", "name": "find_order", "input": {}}}],
            },
            {
                "role": "user",
                "content": [{"toolResult": {"toolUseId": "t1", "content": [{"json": {"at": 1}}]}}],
            },
        ],
        "toolConfig": {"tools": [{"toolSpec": spec}], "toolChoice": {"tool": {"name": "find_order"}}},
        "inferenceConfig": {"maxTokens": 100},
    }
    assert post(server, body).status_code == 200
    (charge,) = server.bill.charges
    assert charge.provider == "bedrock"
    false = {"reasoningContent": {"reasoningText": {"text": "x", "signature": signed_by("google")}}}
    body["messages"][1]["content"].insert(0, false)
    assert "signature" in post(server, body).json()["message"]


def signed_by(vendor: str) -> str:
    from orchestrator.practice.thoughts import signature_of

    return signature_of(vendor, "x")
