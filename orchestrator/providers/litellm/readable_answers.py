"""An answer as LiteLLM and the vendors' clients can read it: the same words and counts, written plainly.

They fail at what the readers of our wire take: a byte order mark, a line that ends with CR, an event over
several lines or with nothing of an answer in it, half an emoji, a tool call without arguments; and of two
tool calls of one index they make one. An answer that has been paid for would be lost. An error that they know
is handed on.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.provider_answer import UnreadableAnswerError
from orchestrator.providers.litellm.readable_gemini import (
    are_same,
    gemini_piece,
    plain_counts,
    readable_gemini,
)
from orchestrator.providers.litellm.whole_as_events import (
    COMING_AT_ONCE,
    as_piece,
    data_line,
    event_line,
    messages_events,
    responses_events,
)
from orchestrator.providers.wire.answer_draft import answer_place
from orchestrator.providers.wire.half_characters import HalfCharacters
from orchestrator.providers.wire.sse import SentEvent, is_end_mark
from orchestrator.providers.wire.tool_call_assembly import ToolCallAssembly
from orchestrator.providers.wire.wire_json import event_objects, json_text, read_object_or_none, says_nothing

BEFORE_JSON = b" \t\r\n\xef\xbb\xbf"
BEGINS_WHOLE = b"{[<"
"""The first byte of a body that is no stream, whatever its header calls it."""
_END = b"data: [DONE]\n\n"
_NAMES: Mapping[str, Any] = {"id": "", "created": 0, "model": ""}
"""What LiteLLM asks each chunk of OpenRouter for."""

_ROLE, _FUNCTION = "assistant", "function"
_CHAT, _RESPONSES = "/chat/completions", "/responses"
_MESSAGES = ("message_", "content_block_")
"""How the events of Anthropic's format begin."""
_NO_COUNTS: Mapping[str, int] = {"input_tokens": 0, "output_tokens": 0}
_NO_COUNTS_OF_AMAZON: Mapping[str, int] = {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}
"""LiteLLM takes no answer without a count; the bill is read from what came."""
_SAYING_NOTHING = frozenset({"reference", "redacted_thinking"})
"""Parts of a content without words."""


_Object = dict[str, Any]
_Mend = Callable[[_Object], _Object | None]
"""Returns an answer, or a piece, as it is read; None where it says nothing, the same where that is read."""
_WriteCall = Callable[[int, Any], Any]
"""Returns a tool call of the answer of this place as it is read."""


class ReadableStream:
    """Writes the events of one stream."""

    def __init__(
        self, kind: ProviderKind, *, path: str, hear: Callable[[_Object], None] | None = None
    ) -> None:
        """Expect the first event; `hear` is told each object as it came, and raises where it is none."""
        self._has_end_mark = kind is not ProviderKind.GOOGLE
        self._hear = hear
        of_whole = _mender(kind, path)
        in_pieces: dict[_Mend, _Mend] = {
            _chat: self._chat_piece,
            readable_gemini: gemini_piece,
            _by_contents: self._piece_by_contents,
        }
        self._mended = in_pieces.get(of_whole, of_whole)
        self._is_by_contents = of_whole is _by_contents
        self._halves = HalfCharacters()
        self._calls: dict[int, ToolCallAssembly] = {}
        self._has_spoken = False
        self.is_over = False
        """Its end mark has come, behind which no client reads on."""

    def written(self, event: SentEvent, *, is_whole: bool = False) -> bytes:
        """Return an event as it is read; nothing for one that has nothing of an answer.

        Behind an answer that `is_whole` neither has one that cannot be read.
        """
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
            if self._hear is not None:
                self._hear(value)
            if self._comes_at_once(value):
                return self._line(head, value)
            mended = self._mended(value)
            if mended is value and b"\n" not in data:
                return data_line(head, data)
            return b"" if mended is None else data_line(head, orjson.dumps(mended))
        return self._written_leniently(head, data, is_whole=is_whole)

    def error(self, event: SentEvent) -> bytes:
        """Return an event that is no answer where its reader knows it for an error; nothing of another."""
        value = read_object_or_none(event.data) or {}
        error = value.get("error")
        # Google's client compares the code with numbers.
        is_known = isinstance(error, dict) and (self._has_end_mark or type(error.get("code")) is int)
        return data_line(b"", orjson.dumps({"error": error})) if is_known else b""

    def _written_leniently(self, head: bytes, data: bytes, *, is_whole: bool) -> bytes:
        if says_nothing(data):
            return b""
        try:
            objects = event_objects(data, self._halves)
        except UnreadableAnswerError:
            if is_whole:
                return b""
            if self._hear is not None:
                raise
            return data_line(head, data.replace(b"\n", b" "))
        if self._hear is not None:
            for value in objects:
                self._hear(value)
        return b"".join(self._line(head, _with_counts(value)) for value in objects)

    def _line(self, head: bytes, value: _Object) -> bytes:
        if self._comes_at_once(value):
            return b"".join(map(event_line, messages_events(value)))
        mended = self._mended(value)
        return b"" if mended is None else data_line(head, json_text(mended).encode())

    def _comes_at_once(self, value: _Object) -> bool:
        return self._is_by_contents and str(value.get("type")) in COMING_AT_ONCE

    def _piece_by_contents(self, value: _Object) -> _Object | None:
        if "choices" in value:
            return self._chat_piece(value)
        return _messages(value) if str(value.get("type")).startswith(_MESSAGES) else readable_gemini(value)

    def _chat_piece(self, value: _Object) -> _Object | None:
        mended = _chat(self._with_deltas(value), self._call)
        if mended is None or "choices" not in mended or _NAMES.keys() <= mended.keys():
            return mended
        return {**_NAMES, **mended}

    def _with_deltas(self, value: _Object) -> _Object:
        """Return a piece whose words stand where they belong, also where the whole answer comes as one."""
        choices = value.get("choices")
        if not isinstance(choices, list) or not all(isinstance(each, dict) for each in choices):
            return value
        placed = (
            [self._with_delta(each) for each in choices]
            if any("message" in each for each in choices)
            else choices
        )
        if not are_same(placed, choices):
            choices, value = placed, {**value, "choices": placed}
        self._has_spoken = self._has_spoken or any(has_words(each.get("delta")) for each in choices)
        return value

    def _with_delta(self, choice: _Object) -> _Object:
        delta, message = choice.get("delta"), choice.get("message")
        is_whole = not has_words(delta) and choice.get("finish_reason") and not self._has_spoken
        if "message" not in choice or not isinstance(message if is_whole else delta, dict):
            return choice
        piece = {name: value for name, value in choice.items() if name != "message"}
        return {**piece, "delta": message if is_whole else delta}

    def _call(self, answer: int, piece: Any) -> Any:
        try:
            read = self._calls.setdefault(answer, ToolCallAssembly()).add(piece)
        except UnreadableAnswerError:
            return piece
        function = piece.get("function") or {}
        came = (piece.get("id") or None, function.get("name") or None, function.get("arguments"))
        if piece.get("type") not in (None, _FUNCTION):
            piece = {**piece, "type": _FUNCTION}
        place = piece.get("index")
        if came == (read.id, read.name, read.arguments) and type(place) is int and place == read.index:
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
    if read is not None and strict is None:
        read = _with_counts(read)
    mend = _mender(kind, path)
    mended = None if read is None else mend(read)
    if mended is None:
        return body
    if kind is ProviderKind.GOOGLE and mended.get("candidates") and "usageMetadata" not in mended:
        # LiteLLM takes no answer without one.
        mended = {**mended, "usageMetadata": {}}
    is_response = path.endswith(_RESPONSES)
    if in_pieces and is_response and isinstance(mended.get("status"), str):
        return b"".join(map(event_line, responses_events(mended)))
    if in_pieces and mend is _by_contents and mended.get("type") == "message":
        return b"".join(map(event_line, messages_events(mended)))
    if in_pieces and not is_response:
        return data_line(b"", json_text(as_piece(mended)).encode()) + (
            b"" if kind is ProviderKind.GOOGLE else _END
        )
    return body if mended is strict else json_text(mended).encode()


def _mender(kind: ProviderKind, path: str) -> _Mend:
    if kind is ProviderKind.GOOGLE:
        return readable_gemini
    if kind is ProviderKind.LITELLM and not path.endswith((_CHAT, _RESPONSES)):
        return _by_contents
    return _as_it_is if path.endswith(_RESPONSES) else _chat


def _as_it_is(value: _Object) -> _Object:
    return value


def _by_contents(value: _Object) -> _Object | None:
    if "choices" in value:
        return _chat(value)
    if value.get("type") == "message" or "stopReason" in value:
        return _with_blocks(value)
    return readable_gemini(value)


def _chat(value: _Object, write: "_WriteCall | None" = None) -> _Object | None:
    if value.get("error"):
        return value
    choices = value.get("choices")
    if choices is None and not value.get("usage"):
        return None
    counts = value.get("usage")
    if counts is not None and (plain := plain_counts(counts)) is not counts:
        value = {**value, "usage": plain}
    if choices is None:
        return {**value, "choices": []}
    if not isinstance(choices, list):
        return value
    mended = [_choice(each, write or _call) for each in choices if each is not None]
    return value if are_same(mended, choices) else {**value, "choices": mended}


def _choice(choice: Any, write: _WriteCall) -> Any:
    if not isinstance(choice, dict):
        return choice
    holder = "message" if "message" in choice else "delta"
    content = choice.get(holder)
    if "index" in choice and type(choice["index"]) is not int:
        # `true` is 1 for LiteLLM, and an answer of its own.
        choice = {**choice, "index": answer_place(choice["index"])}
    if content is None:
        return {**choice, holder: {}}
    if isinstance(content, dict):
        if (content.get("role") or _ROLE) != _ROLE:
            # LangChain makes another kind of message of it, one without calls.
            content = {**content, "role": _ROLE}
            choice = {**choice, holder: content}
        if isinstance(content.get("content"), list):
            content = in_one_text(content)
            choice = {**choice, holder: content}
    calls = content.get("tool_calls") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(calls, list):
        return choice
    answer = answer_place(choice.get("index"))
    mended = [write(answer, each) for each in calls if each is not None]
    if are_same(mended, calls):
        return choice
    return {**choice, holder: {**content, "tool_calls": mended}}


def has_words(piece: Any) -> bool:
    """Return whether a piece of a chat has anything but its role."""
    if not isinstance(piece, dict):
        return bool(piece)
    return any(value for name, value in piece.items() if name != "role")


def in_one_text(message: _Object) -> _Object:
    """Return a message with one text as its content, thoughts beside; as it is where there is more in it."""
    texts: list[str] = []
    thoughts: list[str] = []
    parts = message.get("content")
    if not isinstance(parts, list):
        return message
    for part in parts:
        named = part if isinstance(part, dict) else {"text": part}
        kind = str(named.get("type"))
        thought = named.get("thinking") if kind == "thinking" else named.get("summary")
        if kind in {"thinking", "reasoning"}:
            inner = thought if isinstance(thought, list) else [{"text": thought}]
            thoughts += [str(each.get("text") or "") for each in inner if isinstance(each, dict)]
        elif isinstance(named.get("text"), str):
            texts.append(named["text"])
        elif part is not None and kind not in _SAYING_NOTHING:
            return message
    joined = {**message, "content": "".join(texts)}
    return {**joined, "reasoning_content": "".join(thoughts)} if thoughts else joined


def _call(_answer: int, call: Any) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return call
    if call.get("type") not in (None, _FUNCTION):
        call = {**call, "type": _FUNCTION}
    if not isinstance(arguments := function.get("arguments"), dict):
        return call
    return {**call, "function": {**function, "arguments": json_text(arguments)}}


def _messages(value: _Object) -> _Object | None:
    """Return an event of Anthropic's as it is read."""
    message, counts = value.get("message"), value.get("usage", _NO_COUNTS)
    if isinstance(message, dict) and not isinstance(message.get("usage", _NO_COUNTS), dict):
        return {**value, "message": {**message, "usage": _NO_COUNTS}}
    if not isinstance(counts, dict):
        return {**value, "usage": _NO_COUNTS}
    return None if "delta" in value and value["delta"] is None else value


def _with_blocks(value: _Object) -> _Object:
    """Return a whole answer of Anthropic's or Amazon's with what LiteLLM asks each for."""
    if not isinstance(value.get("usage"), dict):
        value = {**value, "usage": _NO_COUNTS_OF_AMAZON if "stopReason" in value else _NO_COUNTS}
    content = value.get("content")
    if not isinstance(content, list):
        return value
    blocks = [
        {**each, "input": {}} if isinstance(each, dict) and _lacks_input(each) else each
        for each in content
        if each is not None
    ]
    return value if are_same(blocks, content) else {**value, "content": blocks}


def _lacks_input(block: _Object) -> bool:
    return block.get("type") == "tool_use" and block.get("input") is None


def _with_counts(value: _Object) -> _Object:
    """Return what was read leniently without numbers that are none in its counts: LiteLLM fails at them."""
    counts = value.get("usage")
    if not isinstance(counts, dict):
        return value
    try:
        return {**value, "usage": orjson.loads(orjson.dumps(counts))}
    except TypeError:
        return {**value, "usage": None}
