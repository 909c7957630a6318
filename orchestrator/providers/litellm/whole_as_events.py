"""Whole answers as the events of a stream, for a reader that asked for a stream and got none.

Also a block of Anthropic's that comes at once: LiteLLM reads the arguments of a call in pieces alone.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.providers.wire.wire_json import json_text

_HTTPX_LINE_ENDS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))
"""Letters that may stand in a text of JSON, and at which httpx ends a line; and how else they are written."""
_MARK, _MARK_IN_TEXT = b"[DONE]", b"[DON\\u0045]"
"""LiteLLM takes an answer that speaks of the end mark for finished, so in an answer it is spelt otherwise."""
_GROWING = ("content", "arguments")
"""What an item of a stream gets piece by piece."""
WORDS_OF_PARTS: Mapping[str, str] = {"output_text": "text", "refusal": "refusal"}
"""The parts of a message that are words, and where in them the words stand."""

_BLOCK_PIECES: Mapping[str, str] = {
    "text": "text_delta",
    "thinking": "thinking_delta",
    "signature": "signature_delta",
    "input": "input_json_delta",
}
"""What a block of Anthropic's gets piece by piece, and as what."""
_PIECE_NAMES: Mapping[str, str] = {
    kind: name for name, kind in _BLOCK_PIECES.items() if kind != "input_json_delta"
}
COMING_AT_ONCE = frozenset({"message", "content_block_start"})
"""Of these LiteLLM reads what is in the pieces behind them, and of the arguments of a call nothing else."""
_Object = dict[str, Any]


def as_piece(value: _Object) -> _Object:
    """Return a whole answer as the only piece of a stream."""
    choices = value.get("choices")
    if not isinstance(choices, list):
        return value
    pieces = [{**each, "delta": each.get("message")} if isinstance(each, dict) else each for each in choices]
    return {**value, "object": "chat.completion.chunk", "choices": pieces}


def responses_events(value: _Object) -> Iterator[_Object]:
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
            for kind, name in WORDS_OF_PARTS.items():
                if isinstance(part, dict) and part.get("type") == kind:
                    words = {"content_index": index, "delta": part.get(name)}
                    yield {"type": f"response.{kind}.delta", **where, **words}
        yield {"type": "response.output_item.done", **where, "item": item}
    yield {"type": f"response.{value.get('status')}", "response": value}


def messages_events(value: _Object) -> Iterator[_Object]:
    """Yield what comes at once of Anthropic's Messages API, an answer or a block, as events of a stream."""
    if value.get("type") == "content_block_start":
        index, block = value.get("index"), value.get("content_block")
        yield from _block_events(index, block)
        return
    yield {"type": "message_start", "message": {**value, "content": [], "stop_reason": None}}
    content = value.get("content")
    for index, block in enumerate(content if isinstance(content, list) else []):
        yield from _block_events(index, block)
        yield {"type": "content_block_stop", "index": index}
    ended = {name: value.get(name) for name in ("stop_reason", "stop_sequence")}
    yield {"type": "message_delta", "delta": ended, "usage": value.get("usage") or {}}
    yield {"type": "message_stop"}


def _block_events(index: Any, block: Any) -> Iterator[_Object]:
    """Yield a block as its beginning, with nothing in it, and what comes into it."""
    if not isinstance(block, dict):
        return
    deltas = {kind: block[name] for name, kind in _BLOCK_PIECES.items() if block.get(name)}
    begun = {name: type(block[name])() for name in _BLOCK_PIECES if block.get(name)}
    yield {"type": "content_block_start", "index": index, "content_block": {**block, **begun}}
    for kind, piece in deltas.items():
        written = json_text(piece) if isinstance(piece, dict) else piece
        yield {
            "type": "content_block_delta",
            "index": index,
            "delta": {"type": kind, _PIECE_NAMES.get(kind, "partial_json"): written},
        }


def event_line(value: _Object) -> bytes:
    """Return an event that is named as its type, as it stands in a stream."""
    return data_line(b"event: " + value["type"].encode() + b"\n", json_text(value).encode())


def data_line(head: bytes, data: bytes) -> bytes:
    """Return the data of an event behind what stands at its head, with nothing in it that ends a line."""
    if not data.isascii():
        for letter, escape in _HTTPX_LINE_ENDS:
            data = data.replace(letter, escape)
    if _MARK in data:
        data = data.replace(_MARK, _MARK_IN_TEXT)
    return head + b"data: " + data + b"\n\n"
