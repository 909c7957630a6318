"""Bodies that come with status 200 and are JSON, and yet are no answer."""

from typing import Any

import orjson

from orchestrator.practice.bill import PracticeUsage
from orchestrator.practice.fault_kinds import Fault, FaultKind
from orchestrator.practice.odd_responses import RESPONSES_PATH, odd_response

ODD_BODIES = frozenset({FaultKind.WRONG_TYPES, FaultKind.NO_CHOICES, FaultKind.HUGE_BODY})
ODD_USAGE = PracticeUsage(input_tokens=5, output_tokens=1)
"""What each of them says that it used."""

_BYTES_PER_MB = 1_000_000


def odd_body(provider: str, model: str, fault: Fault, *, path: str = "") -> bytes:
    """Return the body of a `wrong_types`, `no_choices` or `huge_body` fault, as a path has it."""
    text: Any = "a"
    if fault.kind is FaultKind.WRONG_TYPES:
        text = {"value": 42}
    elif fault.kind is FaultKind.HUGE_BODY:
        text = "a" * (fault.size_mb or 0) * _BYTES_PER_MB
    answers = [] if fault.kind is FaultKind.NO_CHOICES else [text]
    shape = _gemini if provider == "google" else _openai
    body = shape(answers, model)
    return orjson.dumps(odd_response(body) if path.endswith(RESPONSES_PATH) else body)


def _openai(answers: list[Any], model: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-odd",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            for text in answers
        ],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
    }


def _gemini(answers: list[Any], model: str) -> dict[str, Any]:
    return {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}
            for text in answers
        ],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 1, "totalTokenCount": 6},
        "modelVersion": model,
    }
