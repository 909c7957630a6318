"""Practice vendors sign their thoughts, and refuse another's signature as the real ones do."""

import pytest

from orchestrator.practice.thoughts import check_details, check_signature, format_of, signature_of, vendor_of
from orchestrator.practice.wire_errors import Refusal


def test_a_vendor_takes_its_own_signature_of_the_same_thought_alone():
    signature = signature_of("anthropic", "hm")
    check_signature(signature, "anthropic", "hm")
    check_signature(signature, "anthropic")
    for vendor, text in (("google", "hm"), ("anthropic", "another thought")):
        with pytest.raises(Refusal):
            check_signature(signature, vendor, text)


def test_signatures_that_nobody_here_made_are_not_looked_at():
    for signature in ("c2tpcA==", "no base64!", "", 7):
        check_signature(signature, "google")


def test_blocks_of_a_conversation_are_checked_each():
    block = {"type": "reasoning.text", "text": "hm", "signature": signature_of("anthropic", "hm")}
    check_details([{"role": "assistant", "reasoning_details": [block]}], "anthropic")
    with pytest.raises(Refusal):
        check_details([{"role": "user"}, {"role": "assistant", "reasoning_details": [block]}], "openai")


def test_openrouter_s_models_name_their_vendor():
    assert vendor_of("openrouter", "anthropic/claude") == "anthropic"
    assert vendor_of("google", "gemini-3.8-flash") == "google"
    assert (format_of("anthropic"), format_of("nobody")) == ("anthropic-claude-v1", "unknown")


@pytest.mark.parametrize(
    ("provider", "model", "vendor"),
    [
        ("openrouter", "x-ai/grok-4.1", "x-ai"),
        ("anthropic", "claude-haiku-4-5", "anthropic"),
        ("bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic"),
        ("bedrock", "amazon.nova-lite-v1:0", "bedrock"),
        ("vertex_ai", "claude-haiku-4-5", "anthropic"),
        ("vertex_ai", "gemini-2.5-flash", "google"),
    ],
)
def test_a_thought_is_its_models_vendors_whoever_carries_it(provider: str, model: str, vendor: str) -> None:
    assert vendor_of(provider, model) == vendor
