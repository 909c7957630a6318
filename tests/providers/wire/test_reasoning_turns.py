"""Reasoning goes back to the vendor that it came from, and to no other."""

import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.providers.wire.reasoning_turns import REASONING_LEFT_OUT, returned_reasoning, vendor_at
from tests.providers.wire.outbound_requests import HELLO, body_of, notices_of

OPENROUTER, OPENAI, GOOGLE = ProviderKind.OPENROUTER, ProviderKind.OPENAI, ProviderKind.GOOGLE
CLAUDE = {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1"}
GEMINI = {"type": "reasoning.encrypted", "data": "Z", "format": "google-gemini-v1", "index": 0}


def thought(*blocks: dict, vendor: str | None = None, text: str = "hm", key: str = "reasoning") -> dict:
    note = {"reasoning_vendor": vendor} if vendor else {}
    return {"role": "assistant", "content": "Chào", key: text, "reasoning_details": list(blocks), **note}


def test_openrouter_gets_back_what_a_model_of_the_same_vendor_thought() -> None:
    claude = {"upstream": "anthropic/claude-sonnet-5.5"}
    message = thought(CLAUDE, vendor="anthropic")
    sent = body_of(OPENROUTER, message, HELLO, **claude)["messages"][0]
    assert (sent["reasoning"], sent["reasoning_details"]) == ("hm", [CLAUDE])
    assert "reasoning_vendor" not in sent
    assert notices_of(OPENROUTER, message, HELLO, **claude) == ()


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (OPENROUTER, {"upstream": "openai/gpt-6-luna"}),
        (OPENROUTER, {"upstream": "openrouter/auto"}),
        (OPENAI, {"base_url": "https://api.openai.com/v1"}),
        (OPENAI, {"base_url": "https://api.deepseek.com/v1", "provider_name": "deepseek"}),
        (GOOGLE, {}),
        (ProviderKind.LOCAL, {}),
    ],
)
@pytest.mark.parametrize("message", [thought(CLAUDE), thought(vendor="anthropic")], ids=["signed", "noted"])
def test_another_vendor_gets_none_of_it_and_that_is_told(kind, changes, message) -> None:
    sent = str(body_of(kind, message, HELLO, **changes))
    assert "reasoning" not in sent
    assert "hm" not in sent
    assert notices_of(kind, message, HELLO, **changes) == (REASONING_LEFT_OUT,)


def test_a_signature_of_google_s_goes_to_google_whichever_way_it_came() -> None:
    for vendor in ("google", None):
        message = thought(GEMINI, vendor=vendor)
        assert body_of(GOOGLE, message, HELLO)["contents"][0]["parts"][-1]["thoughtSignature"] == "Z"
        gemini = {"upstream": "google/gemini-3.8-flash"}
        assert body_of(OPENROUTER, message, HELLO, **gemini)["messages"][0]["reasoning_details"] == [GEMINI]
        assert notices_of(GOOGLE, message, HELLO) == ()


def test_servers_of_the_format_get_their_thoughts_back_under_their_name() -> None:
    deepseek = {"base_url": "https://api.deepseek.com/v1", "provider_name": "deepseek"}
    for message in (thought(vendor="deepseek"), thought(key="reasoning_content")):
        sent = body_of(OPENAI, message, HELLO, **deepseek)["messages"][0]
        assert sent == {"role": "assistant", "content": "Chào", "reasoning_content": "hm"}


def test_thoughts_as_litellm_keeps_them_are_anthropic_s() -> None:
    message = {
        "role": "assistant",
        "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}],
    }
    assert returned_reasoning(message, "anthropic") == ("", [CLAUDE], False)
    assert returned_reasoning(message, "openai") == ("", [], True)


def test_a_vendor_is_named_by_the_model_the_wire_or_the_configuration() -> None:
    def vendor(kind: ProviderKind, upstream: str = "m", *, is_openai: bool = False) -> str:
        return vendor_at(kind, upstream, is_openai=is_openai, provider_name="deepseek")

    assert vendor(OPENROUTER, "Anthropic/claude") == "anthropic"
    assert vendor(GOOGLE) == "google"
    assert (vendor(OPENAI, is_openai=True), vendor(OPENAI)) == ("openai", "deepseek")
