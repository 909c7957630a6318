"""A signature comes back to Google with the call that it belongs to, however the caller kept it."""

import base64

import pytest

from orchestrator.providers.wire.thought_signatures import (
    PLACEHOLDER_SIGNATURE,
    signature_block,
    signature_of_call,
    signature_of_text,
    with_signature,
    without_signature,
)


def test_an_id_carries_a_signature_there_and_back() -> None:
    call_id = with_signature("fc_1", "c2ln")
    assert (without_signature(call_id), signature_of_call({"id": call_id})) == ("fc_1", "c2ln")
    assert with_signature("fc_1", None) == without_signature("fc_1") == "fc_1"


@pytest.mark.parametrize(
    "call",
    [
        {"id": "a", "provider_specific_fields": {"thought_signature": "c2ln"}},
        {"id": "a", "function": {"name": "f", "provider_specific_fields": {"thought_signature": "c2ln"}}},
        {"id": "a", "extra_content": {"google": {"thought_signature": "c2ln"}}},
    ],
)
def test_fields_of_other_libraries_are_read_too(call) -> None:
    assert signature_of_call(call) == "c2ln"


def test_blocks_of_openrouter_are_found_by_the_id_of_the_call() -> None:
    block = {"type": "reasoning.encrypted", "data": "c2ln", "format": "google-gemini-v1", "id": "a"}
    assert signature_of_call({"id": "a"}, [block]) == "c2ln"
    assert signature_of_call({"id": "b"}, [block]) is None
    assert signature_of_call({"id": "a"}, [{**block, "format": "anthropic-claude-v1"}]) is None


def test_the_signature_of_a_text_is_a_block_of_its_message() -> None:
    assert signature_of_text({"reasoning_details": [signature_block("c2ln")]}) == "c2ln"
    assert signature_of_text({"content": "a"}) is None


def test_the_placeholder_is_what_google_documents() -> None:
    assert base64.b64decode(PLACEHOLDER_SIGNATURE) == b"skip_thought_signature_validator"
