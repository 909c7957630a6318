"""What a prefix is asked: nothing in silence left out, nothing stored at a price that nobody holds."""

from typing import Any

import pytest

from orchestrator.catalog.rates import Rates
from orchestrator.dispatch.attempt import Outbound
from orchestrator.providers.litellm.prefix_request import PrefixRequest, Reader, prefix_request
from orchestrator.providers.wire.outbound import UnsendableError

MARK = {"type": "ephemeral", "ttl": "1h"}
TAKEN = frozenset({"temperature", "tools"})


def asked(prefix: str, content: Any = "Xin chào", *, upstream: str = "m", **parameters: Any) -> PrefixRequest:
    outbound = Outbound([{"role": "user", "content": content}], parameters, 100, Rates(input=1, output=1))
    return prefix_request(Reader(prefix, upstream, prefix), outbound, taken=TAKEN)


def marked() -> list[dict[str, Any]]:
    return [{"type": "text", "text": "a", "cache_control": dict(MARK)}]


def test_what_a_model_does_not_take_is_left_out_and_told() -> None:
    request = asked("deepseek", temperature=1, seed=7)
    assert request.parameters == {"temperature": 1}
    assert request.notices == ("'seed' is not taken by m and was left out",)
    with pytest.raises(UnsendableError, match="'response_format' is not taken"):
        asked("deepseek", response_format={"type": "json_object"})


@pytest.mark.parametrize(
    ("prefix", "upstream", "is_kept"),
    [
        ("anthropic", "claude-haiku-4-5", True),
        ("bedrock", "anthropic.claude-haiku-4-5", True),
        ("vertex_ai", "claude-haiku-4-5", True),
        ("vertex_ai", "gemini-2.5-flash", False),
        ("deepseek", "deepseek-chat", False),
    ],
)
def test_a_mark_goes_to_who_stores_by_it_and_for_no_longer_than_is_held_for(
    prefix: str, upstream: str, is_kept: bool
) -> None:
    tool = {"type": "function", "function": {"name": "f"}, "cache_control": dict(MARK)}
    request = asked(prefix, marked(), upstream=upstream, tools=[tool])
    (part,), (sent,) = request.messages[0]["content"], request.parameters["tools"]
    expected = {"type": "ephemeral"} if is_kept else None
    assert part.get("cache_control") == sent.get("cache_control") == expected
    assert bool(request.notices) != is_kept


def test_no_address_is_opened_by_litellm() -> None:
    picture = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    with pytest.raises(UnsendableError, match="send its data"):
        asked("bedrock", picture)
    assert asked("anthropic", picture).messages[0]["content"] == picture


def test_a_signature_of_googles_goes_to_google_alone() -> None:
    call = {"id": "call_1__thought__c2ln", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turn = {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_details": []}
    for prefix, kept in (("anthropic", "call_1"), ("vertex_ai", "call_1__thought__c2ln")):
        outbound = Outbound([{**turn, "tool_calls": [dict(call)]}], {}, 100, Rates(input=1, output=1))
        (message,) = prefix_request(Reader(prefix, "m", prefix), outbound, taken=TAKEN).messages
        assert message["tool_calls"][0]["id"] == kept
        assert "reasoning_details" not in message
