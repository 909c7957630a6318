"""Every wire format can do what the exchange asks of it."""

import pytest

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
