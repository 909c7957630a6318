"""JSON as providers write it: strict first, then what a careless encoder does to text and numbers.

orjson refuses half an emoji (a lone surrogate), NaN, control characters in a string and bytes that are no
UTF-8; an answer that has been paid for is not thrown away for one of them.
"""

import json
from typing import Any

import orjson

from orchestrator.core.failures import FailureKind
from orchestrator.providers.wire.answer_checks import unreadable

_BOM = b"\xef\xbb\xbf"


def read_object(text: bytes, *, place: str = "the body") -> dict[str, Any]:
    """Return the JSON object in `text`, every string in it valid Unicode.

    Raises:
        UnreadableAnswerError: it is no JSON object; `place` says of what.
    """
    value = _decoded(text)
    if not isinstance(value, dict):
        raise unreadable(FailureKind.MALFORMED, f"{place} is not a JSON object")
    return value


def read_object_or_none(text: bytes) -> dict[str, Any] | None:
    """Return the JSON object in `text`, None when it is none."""
    value = _decoded(text)
    return value if isinstance(value, dict) else None


def read_error_body(text: bytes) -> dict[str, Any] | None:
    """Return the object in a refusal's body, or the first of a list, as Google may wrap it; else None."""
    value = _decoded(text)
    value = value[0] if isinstance(value, list) and value else value
    return value if isinstance(value, dict) else None


def event_objects(data: bytes) -> list[dict[str, Any]]:
    """Return the objects in the data of one event: one, or one a line where a server leaves out blank lines.

    Raises:
        UnreadableAnswerError: there is anything else in it.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        value = None
    if isinstance(value, dict):
        return [value]
    if b"\n" in data and _decoded(data) is None:
        return [read_object(line, place="an event") for line in data.split(b"\n") if line.strip()]
    return [read_object(data, place="an event")]


def json_text(value: Any) -> str:
    """Return a value that came out of JSON as JSON text."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # orjson writes no integer beyond 64 bits.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def arguments_text(text: str) -> str | None:
    """Return the arguments of a tool call as strict JSON, None when they are no object; no text is none."""
    if not text.strip():
        return "{}"
    try:
        return text if isinstance(orjson.loads(text), dict) else None
    except orjson.JSONDecodeError:
        value = _decoded(text.encode())
    return json_text(value) if isinstance(value, dict) else None


def valid_text(text: str) -> str:
    """Return text as Unicode that can be written: half an emoji becomes U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _decoded(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return _valid(json.loads(text.removeprefix(_BOM).decode("utf-8", "replace"), strict=False))
    except (ValueError, RecursionError):
        return None


def _valid(value: Any) -> Any:
    if isinstance(value, str):
        return valid_text(value)
    if isinstance(value, list):
        return [_valid(each) for each in value]
    if isinstance(value, dict):
        return {valid_text(key): _valid(each) for key, each in value.items()}
    return value
