"""An answer of Gemini's loses what its readers fail at, and none of its words."""

import json

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.providers.litellm.readable_answers import readable_body
from orchestrator.providers.litellm.readable_gemini import gemini_piece, plain_counts

USAGE = {"totalTokenCount": 1.5, "promptTokenCount": 6, "promptTokensDetails": [{"tokenCount": 6}]}


def test_odd_names_and_counts_are_left_out() -> None:
    candidate = {"content": {"role": 7, "parts": [{"text": "a"}]}, "index": {}, "finishReason": "STOP"}
    odd = {"candidates": [candidate], "modelVersion": {}, "responseId": 7, "usageMetadata": USAGE}
    counts = {"promptTokenCount": 6, "promptTokensDetails": [{"tokenCount": 6}]}
    written = {"content": {"role": "model", "parts": [{"text": "a"}]}, "finishReason": "STOP"}
    expected = {"candidates": [written], "usageMetadata": counts}
    assert gemini_piece(odd) == expected
    body = readable_body(ProviderKind.GOOGLE, ":generateContent", json.dumps(odd).encode())
    assert json.loads(body) == expected


def test_a_piece_with_nothing_of_an_answer_is_left_out() -> None:
    assert gemini_piece({"errors": [7]}) is None
    assert gemini_piece({"promptFeedback": {"blockReason": "SAFETY"}}) is not None


def test_a_usage_as_it_should_be_is_the_same_object() -> None:
    counts = {"prompt_tokens": 7, "cost": 0.1, "prompt_tokens_details": {"cached_tokens": 1}}
    assert plain_counts(counts) is counts
    assert plain_counts("50") == {}
