"""Every wire format can do what the exchange asks of it."""

import httpx
import pytest

from orchestrator.practice import PracticeServer
from orchestrator.practice.answers import PracticeToolCall
from orchestrator.practice.bill import DEFAULT_PRICE, PracticeUsage
from orchestrator.practice.wire import Envelope, WireOutcome, WireStream
from orchestrator.practice.wire_gemini import GeminiStream
from orchestrator.practice.wire_openai import ChatStream


@pytest.mark.parametrize(
    ("provider", "writer"), [("openai", ChatStream), ("openrouter", ChatStream), ("google", GeminiStream)]
)
def test_a_writer_gives_whole_events(provider, writer):
    """Each part ends with an empty line; what an event says survives any letter."""
    stream: WireStream = writer(Envelope("id", 0, provider, "m"))
    usage = PracticeUsage(1, 1)
    outcome = WireOutcome("a", (), "stop", usage, DEFAULT_PRICE.cost_of(usage))
    for part in (
        stream.text('"quoted" \n 你好'),
        stream.tool_call(PracticeToolCall("f", '{"a": 1}', "c"), index=0),
        stream.ending(outcome),
        stream.error(502, body={"error": {"message": "x"}}),
        stream.malformed(),
    ):
        assert part.startswith(b"data: ")
        assert part.replace(b"\r", b"").endswith(b"\n\n")
    assert "你好" in stream.text('"quoted" \n 你好').decode()


@pytest.mark.parametrize(
    ("provider", "path", "more"),
    [
        ("openai", "/chat/completions", {"n": 3}),
        ("openrouter", "/chat/completions", {"n": 3}),
        ("google", "/models/m:generateContent", {"generationConfig": {"candidateCount": 3}}),
    ],
)
def test_several_answers_are_given_and_billed_together(provider, path, more):
    """As a real provider bills them: the prompt once, the output of all."""
    asked = {"contents": [{"parts": [{"text": "Hi"}]}]} if provider == "google" else {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}  # fmt: skip
    counts = {}
    for body in (asked, {**asked, **more}):
        with PracticeServer() as server:
            reply = httpx.post(server.base_url(provider) + path, json=body).json()
            [charge] = server.bill.charges
        answers = reply.get("choices") or reply["candidates"]
        counts[len(answers)] = charge
        assert [answer["index"] for answer in answers] == list(range(len(answers)))
    assert counts[3].input_tokens == counts[1].input_tokens
    assert counts[3].output_tokens == 3 * counts[1].output_tokens > 0
