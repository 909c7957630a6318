"""Answers of Gemini's as LiteLLM and Google's client can read them, and counts as both take them.

Google's client refuses a whole answer for a name or a count of another type, though its words are as they
should be. The bill is read from what came.
"""

from collections.abc import Sequence
from operator import is_
from typing import Any

_MODEL = "model"
_NAMES = ("modelVersion", "responseId")
_COUNTS = ("tokens", "count")
"""How the names of counts end; those of what they are made up of do on `_DETAILS`."""
_DETAILS = "tokens_details"
_WORDS = frozenset({"candidates", "usageMetadata", "promptFeedback", "error"})

_Object = dict[str, Any]


def gemini_piece(value: _Object) -> _Object | None:
    """Return a piece of a stream as it is read; None where it has nothing of an answer.

    At such a one LiteLLM stops, and says that the answer ends there.
    """
    return readable_gemini(value) if _WORDS & value.keys() else None


def readable_gemini(value: _Object) -> _Object:
    """Return an answer, or a piece, as it is read."""
    counts = value.get("usageMetadata")
    if counts is not None and (plain := plain_counts(counts)) is not counts:
        value = {**value, "usageMetadata": plain}
    if not all(isinstance(value.get(name, ""), str) for name in _NAMES):
        value = {name: each for name, each in value.items() if name not in _NAMES or isinstance(each, str)}
    candidates = value.get("candidates")
    if not isinstance(candidates, list):
        return value
    mended = [_candidate(each) for each in candidates if each is not None]
    return value if are_same(mended, candidates) else {**value, "candidates": mended}


def _candidate(candidate: Any) -> Any:
    content = candidate.get("content") if isinstance(candidate, dict) else None
    if isinstance(candidate, dict) and type(candidate.get("index", 0)) is not int:
        candidate = {name: each for name, each in candidate.items() if name != "index"}
    if isinstance(content, dict) and not isinstance(content.get("role", _MODEL), str):
        content = {**content, "role": _MODEL}
        candidate = {**candidate, "content": content}
    if isinstance(content, dict) and "parts" in content and content["parts"] is None:
        return {**candidate, "content": {**content, "parts": []}}
    if not isinstance(content, dict) or not isinstance(parts := content.get("parts"), list):
        return candidate
    mended = [_part(each) for each in parts]
    return candidate if are_same(mended, parts) else {**candidate, "content": {**content, "parts": mended}}


def _part(part: Any) -> Any:
    call = part.get("functionCall") if isinstance(part, dict) else None
    if not isinstance(call, dict) or call.get("args") is not None:
        return part
    return {**part, "functionCall": {**call, "args": {}}}


def plain_counts(counts: Any) -> _Object:
    """Return a usage without what is no number where a count belongs, which is read as none.

    LiteLLM adds the counts up, and the vendors' clients take no other.
    """
    if not isinstance(counts, dict):
        return {}
    plain = {}
    for name, count in counts.items():
        if name.endswith(_DETAILS):
            plain[name] = plain_counts(count)
        elif type(count) is int or not name.lower().endswith(_COUNTS):
            plain[name] = count
    return counts if plain == counts else plain


def are_same(after: Sequence[object], before: Sequence[object]) -> bool:
    """Return whether nothing of a list has been written anew."""
    return len(after) == len(before) and all(map(is_, after, before))
