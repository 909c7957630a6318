"""Why an answer ended: the words that each format has for it, and which of them are believed.

A router writes one word of OpenAI's format for all its hosts, and the host's own beside it:
https://openrouter.ai/docs/api-reference/overview. It makes `stop` of what is none.
"""

import re
from collections.abc import Mapping
from typing import Any

GEMINI_FINISH_REASONS: Mapping[str, str] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "LANGUAGE": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
}
"""Any other is a failure: `MALFORMED_FUNCTION_CALL`, `OTHER` and what may come yet."""

OPENAI_FINISH_REASONS: Mapping[str, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    # What servers of this format write in their place.
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_length": "length",
    # Zhipu's.
    "sensitive": "content_filter",
    # Gateways hand on the word of the model's own vendor: Gemini's in capitals, and Anthropic's.
    **GEMINI_FINISH_REASONS,
    "refusal": "content_filter",
    "model_context_window_exceeded": "length",
}
"""Any other is a failure: `error`, `abort`, `insufficient_system_resource` and what may come yet."""

FINISH_REASONS: Mapping[str, str] = {
    **OPENAI_FINISH_REASONS,
    # Cohere's at Bedrock, and Amazon's own.
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "FINISH": "stop",
    "LENGTH": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "completed": "stop",
    "max_output_tokens": "length",
}
"""Of all formats. Any other is a failure, today's and next year's: `pause_turn`, `error`."""

FAILED, UNKNOWN = "failed", "unknown"
UNKNOWN_FINISH = (
    "the host behind the provider ended with a reason that is not known here; it may have more to say"
)
_NATIVE: Mapping[str, str] = {
    **{word.lower(): finish for word, finish in FINISH_REASONS.items()},
    # Cohere's, and OpenAI's own of an answer that a limit or a filter has cut.
    "complete": "stop",
    "tool_call": "tool_calls",
    "incomplete": "length",
}
_FAILED_WORDS = frozenset({"other", "unknown", "no_image", "image_other", "pause_turn"})
_FAILED_STEM = re.compile(
    "abort|cancel|error|fail|insufficient|malformed|missing|time_?out|too_many|unexpected|unspecified"
)


def native_finish(reason: Any) -> str | None:
    """Return what a host's own reason stands for, `FAILED` and `UNKNOWN` among it; None where there is none.

    Hosts are many, and a good answer is not lost for a word that none of the formats has: it is told.
    """
    if not reason:
        return None
    word = str(reason).lower()
    if word in _NATIVE:
        return _NATIVE[word]
    return FAILED if word in _FAILED_WORDS or _FAILED_STEM.search(word) else UNKNOWN
