"""An answer as LiteLLM and the vendors' clients can read it: the same words and counts, written plainly.

They fail at what the readers of our wire take: a byte order mark, a line that ends with CR, an event over
several lines or with nothing of an answer in it, half an emoji, a tool call without arguments; and of two
tool calls of one index they make one. An answer that has been paid for would be lost. What is an error, or no
JSON, is handed on for them to fail at.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.provider_answer import UnreadableAnswerError
from orchestrator.providers.wire.answer_draft import answer_place
from orchestrator.providers.wire.half_characters import HalfCharacters
from orchestrator.providers.wire.sse import SentEvent, is_end_mark
from orchestrator.providers.wire.tool_call_assembly import ToolCallAssembly
from orchestrator.providers.wire.wire_json import event_objects, json_text, read_object_or_none, says_nothing

_END = b"data: [DONE]\n\n"
_HTTPX_LINE_ENDS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))
"""Letters that may stand in a text of JSON, and at which httpx ends a line; and how else they are written."""
_NAMES: Mapping[str, Any] = {"id": "", "created": 0, "model": ""}
"""What LiteLLM asks each chunk of OpenRouter for."""

_RESPONSES = "/responses"
_GROWING = ("content", "arguments")
"""What an item of a stream gets piece by piece."""
_SPOKEN: Mapping[str, str] = {"output_text": "text", "refusal": "refusal"}
"""Parts of a message, and where their words stand."""

_Object = dict[str, Any]
_WriteCall = Callable[[int, Any], Any]
"""Returns a tool call of the answer of this place as it is read."""


class ReadableStream:
    """Writes the events of one stream."""

    def __init__(self, kind: ProviderKind, *, path: str) -> None:
        """Expect the first event."""
        self._has_end_mark = kind is not ProviderKind.GOOGLE
        mended = _mender(kind, path)
        self._mended = self._chat_piece if mended is _chat else mended
        self._halves = HalfCharacters()
        self._calls: dict[int, ToolCallAssembly] = {}
        self.is_over = False
        """Its end mark has come, behind which no client reads on."""

    def written(self, event: SentEvent) -> bytes:
        """Return an event as it is read; nothing for one that has nothing of an answer."""
        data = event.data
        if is_end_mark(data):
            # Google's client takes it for an answer.
            self.is_over = self._has_end_mark
            return _END if self._has_end_mark else b""
        head = b"event: " + event.name + b"\n" if event.name else b""
        try:
            value = None if self._halves.are_kept else orjson.loads(data)
        except orjson.JSONDecodeError:
            value = None
        if isinstance(value, dict):
            mended = self._mended(value)
            if mended is value and b"\n" not in data:
                return _line(head, data)
            return b"" if mended is None else _line(head, orjson.dumps(mended))
        return self._written_leniently(head, data)

    def _written_leniently(self, head: bytes, data: bytes) -> bytes:
        if says_nothing(data):
            return b""
        try:
            objects = event_objects(data, self._halves)
        except UnreadableAnswerError:
            return _line(head, data.replace(b"\n", b" "))
        mended = [self._mended(value) for value in objects]
        return b"".join(_line(head, json_text(value).encode()) for value in mended if value is not None)

    def _chat_piece(self, value: _Object) -> _Object | None:
        mended = _chat(value, self._call)
        if mended is None or "choices" not in mended or _NAMES.keys() <= mended.keys():
            return mended
        return {**_NAMES, **mended}

    def _call(self, answer: int, piece: Any) -> Any:
        try:
            read = self._calls.setdefault(answer, ToolCallAssembly()).add(piece)
        except UnreadableAnswerError:
            return piece
        function = piece.get("function") or {}
        came = (piece.get("id") or None, function.get("name") or None, function.get("arguments"))
        if came == (read.id, read.name, read.arguments) and piece.get("index") == read.index:
            return piece
        written = {**function, "name": read.name, "arguments": read.arguments or ""}
        return {**piece, "index": read.index, "id": read.id, "function": written}


def readable_body(kind: ProviderKind, path: str, body: bytes, *, in_pieces: bool = False) -> bytes:
    """Return a whole answer as it is read, `in_pieces` where a stream was asked for and none has come.

    What is no JSON object stays as it came.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    strict = value if isinstance(value, dict) else None
    read = strict or read_object_or_none(body)
    mended = None if read is None else _mender(kind, path)(read)
    if mended is None:
        return body
    if kind is ProviderKind.GOOGLE and mended.get("candidates") and "usageMetadata" not in mended:
        # LiteLLM takes no answer without one.
        mended = {**mended, "usageMetadata": {}}
    is_response = path.endswith(_RESPONSES)
    if in_pieces and is_response and isinstance(mended.get("status"), str):
        return b"".join(map(_event, _responses_events(mended)))
    if in_pieces and not is_response:
        return _line(b"", json_text(_as_piece(mended)).encode()) + (
            b"" if kind is ProviderKind.GOOGLE else _END
        )
    return body if mended is strict else json_text(mended).encode()


def _as_piece(value: _Object) -> _Object:
    """Return a whole answer as the only piece of a stream."""
    choices = value.get("choices")
    if not isinstance(choices, list):
        return value
    pieces = [{**each, "delta": each.get("message")} if isinstance(each, dict) else each for each in choices]
    return {**value, "object": "chat.completion.chunk", "choices": pieces}


def _responses_events(value: _Object) -> Iterator[_Object]:
    """Yield a whole answer of the Responses API as the events of a stream."""
    yield {"type": "response.created", "response": {**value, "status": "in_progress", "output": []}}
    output = value.get("output")
    for place, item in enumerate(output if isinstance(output, list) else []):
        if not isinstance(item, dict):
            continue
        where = {"output_index": place, "item_id": item.get("id")}
        begun = {name: type(item[name])() for name in _GROWING if isinstance(item.get(name), str | list)}
        yield {"type": "response.output_item.added", **where, "item": {**item, **begun}}
        if item.get("arguments"):
            yield {"type": "response.function_call_arguments.delta", **where, "delta": item["arguments"]}
        content = item.get("content")
        for index, part in enumerate(content if isinstance(content, list) else []):
            for kind, name in _SPOKEN.items():
                if isinstance(part, dict) and part.get("type") == kind:
                    words = {"content_index": index, "delta": part.get(name)}
                    yield {"type": f"response.{kind}.delta", **where, **words}
        yield {"type": "response.output_item.done", **where, "item": item}
    yield {"type": f"response.{value.get('status')}", "response": value}


def _event(value: _Object) -> bytes:
    return _line(b"event: " + value["type"].encode() + b"\n", json_text(value).encode())


def _line(head: bytes, data: bytes) -> bytes:
    if not data.isascii():
        for letter, escape in _HTTPX_LINE_ENDS:
            data = data.replace(letter, escape)
    return head + b"data: " + data + b"\n\n"


def _mender(kind: ProviderKind, path: str) -> Callable[[_Object], _Object | None]:
    """Return what mends an answer, or a piece of one; None of it says nothing, and the same needs nothing."""
    if kind is ProviderKind.GOOGLE:
        return _google
    return _as_it_is if path.endswith(_RESPONSES) else _chat


def _as_it_is(value: _Object) -> _Object:
    return value


def _chat(value: _Object, write: "_WriteCall | None" = None) -> _Object | None:
    if value.get("error"):
        return value
    choices = value.get("choices")
    if choices is None:
        return {**value, "choices": []} if value.get("usage") else None
    if not isinstance(choices, list):
        return value
    mended = [_choice(each, write or _call) for each in choices if each is not None]
    is_same = len(mended) == len(choices) and all(map(_is_same, mended, choices))
    return value if is_same else {**value, "choices": mended}


def _choice(choice: Any, write: _WriteCall) -> Any:
    if not isinstance(choice, dict):
        return choice
    holder = "message" if "message" in choice else "delta"
    content = choice.get(holder)
    if content is None:
        return {**choice, holder: {}}
    calls = content.get("tool_calls") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(calls, list):
        return choice
    answer = answer_place(choice.get("index"))
    mended = [write(answer, each) for each in calls if each is not None]
    if len(mended) == len(calls) and all(map(_is_same, mended, calls)):
        return choice
    return {**choice, holder: {**content, "tool_calls": mended}}


def _call(_answer: int, call: Any) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(arguments := function.get("arguments"), dict):
        return call
    return {**call, "function": {**function, "arguments": json_text(arguments)}}


def _google(value: _Object) -> _Object:
    usage = value.get("usageMetadata")
    if isinstance(usage, dict) and None in usage.values():
        # LiteLLM adds the counts up.
        counts = {name: count for name, count in usage.items() if count is not None}
        value = {**value, "usageMetadata": counts}
    candidates = value.get("candidates")
    if not isinstance(candidates, list):
        return value
    mended = [_candidate(each) for each in candidates]
    return value if all(map(_is_same, mended, candidates)) else {**value, "candidates": mended}


def _candidate(candidate: Any) -> Any:
    content = candidate.get("content") if isinstance(candidate, dict) else None
    if not isinstance(content, dict) or not isinstance(parts := content.get("parts"), list):
        return candidate
    mended = [_part(each) for each in parts]
    is_same = all(map(_is_same, mended, parts))
    return candidate if is_same else {**candidate, "content": {**content, "parts": mended}}


def _part(part: Any) -> Any:
    call = part.get("functionCall") if isinstance(part, dict) else None
    if not isinstance(call, dict) or call.get("args") is not None:
        return part
    return {**part, "functionCall": {**call, "args": {}}}


def _is_same(before: object, after: object) -> bool:
    return before is after
