"""JSON as providers write it: strict first, then what a careless encoder does to text and numbers.

orjson refuses half an emoji (a lone surrogate), NaN, control characters in a string and bytes that are no
UTF-8; an answer that has been paid for is not thrown away for one of them.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from orchestrator.core.failures import FailureKind
from orchestrator.core.plain_data import ARGUMENTS_DEPTH_MAX, is_deeper
from orchestrator.providers.wire.answer_checks import unreadable
from orchestrator.providers.wire.half_characters import HalfCharacters, valid_text
from orchestrator.providers.wire.sse import is_end_mark

_NOTHINGS = frozenset({b"null", b"[]", b'""', b"''", b"None"})
"""In the place of an event."""
_NO_ARGUMENTS = frozenset({"", "null", "None"})
"""What servers write of a tool that takes none."""
_BOM = b"\xef\xbb\xbf"
_LENIENT_BYTES_MAX = 1024 * 1024
"""Of what is no strict JSON: it is read in many steps, and nobody else has a turn meanwhile."""
_INDEX_DIGITS_MAX = 9
_LONG_BYTES, _NESTS_MAX = 64 * 1024, 100_000
"""Of a longer text, the objects and lists: an answer with a million letters of code has fewer."""


def read_object(text: bytes, *, place: str = "the body") -> dict[str, Any]:
    """Return the JSON object in `text`, every string in it valid Unicode.

    Raises:
        UnreadableAnswerError: it is no JSON object; `place` says of what.
    """
    return _object_of(_decoded(text), place=place)


def read_object_or_none(text: bytes) -> dict[str, Any] | None:
    """Return the JSON object in `text`, None when it is none."""
    value = _decoded(text)
    return value if isinstance(value, dict) else None


def read_error_body(text: bytes) -> dict[str, Any] | None:
    """Return the object in a refusal's body, or the first of a list, as Google may wrap it; else None."""
    value = _decoded(text)
    value = value[0] if isinstance(value, list) and value else value
    return value if isinstance(value, dict) else None


def says_nothing(data: bytes) -> bool:
    """Return whether there is nothing in the data of an event, such as `null`."""
    return data.strip() in _NOTHINGS


def event_objects(data: bytes, halves: HalfCharacters | None = None) -> list[dict[str, Any]]:
    """Return the objects in the data of one event: one, or one a line where a server leaves out blank lines.

    There is none in what says nothing, such as `null`.

    `halves` are what the events before have left of characters that were cut in two.

    Raises:
        UnreadableAnswerError: there is anything else in it.
    """
    if says_nothing(data):
        return []
    joined = HalfCharacters().joined if halves is None else halves.joined
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        value = None
    if isinstance(value, dict):
        return [joined(value) if halves is not None and halves.are_kept else value]
    if b"\n" in data and _decoded(data) is None:
        lines = [line for line in data.split(b"\n") if line.strip() and not is_end_mark(line)]
        return [_object_of(_decoded(line, joined), place="an event") for line in lines]
    return [_object_of(_decoded(data, joined), place="an event")]


def json_text(value: Any) -> str:
    """Return a value that came out of JSON as JSON text; NaN and infinite numbers keep their name."""
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        # orjson writes no integer beyond 64 bits.
        return _written_slowly(value)
    # orjson writes `null` for a number that is none, and arguments would say something else.
    return text if "null" not in text else _written_slowly(value)


def _written_slowly(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_as_orjson_writes)


def _as_orjson_writes(value: Any) -> Any:
    # A date, for example, which a caller may have in arguments.
    return orjson.loads(orjson.dumps(value))


def arguments_text(text: str) -> str | None:
    """Return the arguments of a tool call as strict JSON, None when they are no object; none are `{}`.

    Nor are they any where a number in them is NaN or infinite, or larger than a number can be, or where they
    lie too deep for the next turn to hold them.
    """
    if text.strip() in _NO_ARGUMENTS:
        return "{}"
    is_strict = True
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        is_strict, value = False, _decoded(text.encode())
    if isinstance(value, str) and value != text:
        # Written twice, as a text in a text.
        return arguments_text(value)
    may_be_deep = text.count("{") + text.count("[") > ARGUMENTS_DEPTH_MAX
    if not isinstance(value, dict) or (may_be_deep and is_deeper(value, ARGUMENTS_DEPTH_MAX)):
        return None
    if is_strict:
        return text
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return None


def index_of(value: Any) -> int | None:
    """Return the index that is meant, None where none is: some servers write it as a text, or as 0.0."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() and len(value) <= _INDEX_DIGITS_MAX else None
    is_whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    return int(value) if is_whole else None


def _object_of(value: Any, *, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise unreadable(FailureKind.MALFORMED, f"{place} is not a JSON object")
    return value


def _decoded(text: bytes, joined: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None) -> Any:
    """Return what a JSON text says, None where it is none; `joined` makes the texts of an object valid."""
    if len(text) > _LONG_BYTES and text.count(b"{") + text.count(b"[") > _NESTS_MAX:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        if len(text) > _LENIENT_BYTES_MAX:
            return None
    else:
        return joined(value) if joined is not None and isinstance(value, dict) else value
    try:
        value = json.loads(_lenient(text.removeprefix(_BOM)), strict=False)
        return joined(value) if joined is not None and isinstance(value, dict) else _valid(value)
    except (ValueError, RecursionError):
        return None


def _lenient(text: bytes) -> str:
    """Return bytes as text; what is no UTF-8 is kept as halves, for it may be those of a character."""
    try:
        return text.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return text.decode("utf-8", "surrogateescape")


def _valid(value: Any) -> Any:
    if isinstance(value, str):
        return valid_text(value)
    if isinstance(value, list):
        return [_valid(each) for each in value]
    if isinstance(value, dict):
        return {valid_text(key): _valid(each) for key, each in value.items()}
    return value
