"""Reasoning goes back in the next turn as it came, with whose it is."""

from orchestrator.core.message_checks import messages_of
from orchestrator.core.reasoning import NO_REASONING, Reasoning, thinking_block
from orchestrator.core.reply import ChatReply, ToolCall, Usage

BLOCK = {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1"}


def test_a_reply_is_a_message_of_the_next_request_with_calls_and_reasoning():
    reasoning = Reasoning("hm", "anthropic", (BLOCK,))
    call = ToolCall("1", "find", "{}")
    reply = ChatReply("i", "Chào", "m", "d", "p", Usage(), 0, "stop", (call,), reasoning=reasoning)  # type: ignore[arg-type]
    message = reply.as_message()
    assert messages_of([message]) == (message,)
    assert (message["reasoning"], message["reasoning_vendor"]) == ("hm", "anthropic")
    assert message["reasoning_details"] == [BLOCK]
    assert message["tool_calls"][0]["function"] == {"name": "find", "arguments": "{}"}


def test_no_reasoning_is_false_and_has_no_fields():
    assert not NO_REASONING
    assert NO_REASONING.as_fields() == {}
    assert str(Reasoning("hm")) == "hm"


def test_anthropic_s_blocks_become_openrouter_s():
    assert thinking_block({"type": "thinking", "thinking": "hm", "signature": "s"}) == BLOCK
    sealed = thinking_block({"type": "redacted_thinking", "data": "x"})
    assert sealed is not None
    assert (sealed["type"], sealed["data"]) == ("reasoning.encrypted", "x")
    assert thinking_block({"type": "text"}) is thinking_block("x") is None
