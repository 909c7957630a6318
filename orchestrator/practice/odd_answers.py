"""Answers with status 200 that are odd in one way each: some are none, and some are whole all the same.

Each is written by hand, as bytes in the provider's own format, whole or as a stream. It is on the bill only
of a provider that bills when it accepts.
"""

import gzip
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import cycle
from typing import Any

from aiohttp import web

from orchestrator.practice.bill import PracticeUsage
from orchestrator.practice.connections import forever
from orchestrator.practice.odd_responses import RESPONSES_PATH, odd_response, odd_response_events
from orchestrator.practice.odd_shapes import OddShape

GOOD_TEXT = "A whole answer 👍, with a line separator\u2028in it."
THOUGHTS = "The customer greets me.\n</think>\n\n"
HALF_TEXT = "Half an answer, and then"
CALLS = (("find_order", {"id": 1001}), ("find_order", {"id": 1002}))
BURST_PIECES = 20_000
_INPUT_TOKENS = 5
"""What each counts of its prompt."""
_CREATED = 1_700_000_000
_UNFOLDED_BYTES = 30_000_000


@dataclass(frozen=True, slots=True)
class _Odd:
    """An answer in no format yet."""

    text: str = GOOD_TEXT
    calls: tuple[tuple[str, Any], ...] = ()
    finish: str = "stop"
    error: bool = False
    usage: bool = True
    output_tokens: int = 50
    is_thought: bool = False
    """All of its output is reasoning."""


_ODD_ANSWERS = {
    OddShape.UNKNOWN_FINISH: _Odd(HALF_TEXT, finish="error"),
    OddShape.ABORTED: _Odd(HALF_TEXT, finish="abort"),
    OddShape.ERROR_BESIDE_TEXT: _Odd(HALF_TEXT, error=True),
    OddShape.CUT_CALL: _Odd("", (("find_order", '{"id":'),), finish="tool_calls"),
    OddShape.NAMELESS_CALL: _Odd("", (("", {"id": 1001}),), finish="tool_calls"),
    OddShape.FILTERED: _Odd("", finish="content_filter"),
    OddShape.FILTER_CUT: _Odd(HALF_TEXT, finish="content_filter"),
    OddShape.THOUGHT_ONLY: _Odd("", finish="length", is_thought=True),
    OddShape.CALLS_WITH_INDEX_0: _Odd("", CALLS, finish="tool_calls"),
    OddShape.CALLS_WITHOUT_INDEX: _Odd("", CALLS, finish="tool_calls"),
    OddShape.OBJECT_ARGUMENTS: _Odd("", CALLS, finish="tool_calls"),
    OddShape.NO_ARGUMENTS: _Odd("", (("list_orders", None),), finish="tool_calls"),
    OddShape.HOST_FAILED: _Odd(HALF_TEXT),
    OddShape.ERROR_IN_MESSAGE: _Odd(HALF_TEXT),
    OddShape.BARE_CODE: _Odd(HALF_TEXT),
    OddShape.WORDS_ELSEWHERE: _Odd(HALF_TEXT),
    OddShape.NAN_ARGUMENTS: _Odd("", (("find_order", {"id": math.nan}),), finish="tool_calls"),
    OddShape.PROMPTED_THOUGHTS: _Odd(THOUGHTS + GOOD_TEXT),
    OddShape.NO_USAGE: _Odd(usage=False),
    OddShape.BURST: _Odd("word " * BURST_PIECES),
}
_FINISH_AT_GOOGLE = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "PROHIBITED_CONTENT",
    "error": "MALFORMED_FUNCTION_CALL",
    "abort": "OTHER",
}
_FAILED_LATE = {"code": 502, "message": "the host hung up"}
_STRAY = (b"data: ", b"\xef\xbb\xbfdata: ", b"", b"Data: ", b" data: ")
"""What may stand before the data of an event."""
_TORN = b'data: {"id":"odd","choices":[],"usage":{"prompt_tok'
_PARTS_AS_OBJECTS = frozenset({OddShape.OBJECT_ARGUMENTS, OddShape.NO_ARGUMENTS})


def gone_on_from_half(text: str) -> str:
    """Return what a reader has whose stream broke off behind `HALF_TEXT`, and was gone on with to `text`.

    Its last word was still coming when it broke off; who goes on counts the words.
    """
    read = HALF_TEXT.split(" ")[:-1]
    return " ".join([*read, *text.split(" ")[len(read) :]])


async def send_odd_answer(
    http: web.BaseRequest,
    *,
    provider: str,
    shape: OddShape,
    stream: bool,
    max_tokens: int | None = None,
) -> web.StreamResponse:
    """Send an answer of a shape, whole or as a stream; it counts no more than `max_tokens`."""
    in_items = http.path.endswith(RESPONSES_PATH)
    if shape is OddShape.GZIP_BOMB:
        return _gzip_bomb(stream=stream)
    stream = stream and shape is not OddShape.ONE_BODY
    odd = _odd_of(shape, max_tokens)
    if stream:
        blocks = _events(provider, shape, odd, in_items=in_items)
    else:
        body = _google(odd) if provider == "google" else _openai(odd, shape)
        body = _FAILED_LATE if shape is OddShape.BARE_CODE else _spoilt(body, shape)
        blocks = [_json(odd_response(body) if in_items else body)]
    headers = {"Content-Type": "text/event-stream" if stream else "application/json"}
    if shape is OddShape.PACKED:
        headers["Content-Encoding"], blocks = "gzip", [gzip.compress(block) for block in blocks]
    if not stream and shape is not OddShape.OPEN_END:
        return web.Response(body=b"".join(blocks), headers=headers)
    response = web.StreamResponse(headers=headers)
    await response.prepare(http)
    await response.write(b"".join(blocks))
    if shape is OddShape.OPEN_END:
        await forever()
    return response


def odd_usage(shape: OddShape, *, max_tokens: int | None) -> PracticeUsage | None:
    """Return what an answer of a shape says that it used, None where it says nothing."""
    odd = _odd_of(shape, max_tokens)
    if not odd.usage or shape is OddShape.GZIP_BOMB:
        return None
    return PracticeUsage(_INPUT_TOKENS, odd.output_tokens)


def _odd_of(shape: OddShape, max_tokens: int | None) -> _Odd:
    odd = _ODD_ANSWERS.get(shape, _Odd())
    return replace(odd, output_tokens=min(odd.output_tokens, max_tokens or odd.output_tokens))


def odd_stream(
    provider: str, shape: OddShape, *, max_tokens: int | None = None, in_items: bool = False
) -> bytes:
    """Return a stream of a shape as bytes, before it is packed; `in_items`, of OpenAI's Responses API."""
    return b"".join(_events(provider, shape, _odd_of(shape, max_tokens), in_items=in_items))


def _events(provider: str, shape: OddShape, odd: _Odd, *, in_items: bool) -> list[bytes]:
    if in_items:
        late = _FAILED_LATE if shape is OddShape.BARE_CODE else None
        response = odd_response(_spoilt(_openai(odd, shape), shape))
        item_events = odd_response_events(response, _pieces(odd.text, shape), late=late)
        return _on_lines([_json(event) for event in item_events], shape, end_mark=None)
    chunks = list(_google_chunks(odd, shape) if provider == "google" else _openai_chunks(odd, shape))
    if shape is OddShape.STRAY_CHUNKS:
        nothing: list[Any] = [{"id": "odd"}, {"choices": []}, {"choices": [{"index": 0, "delta": None}]}]
        if provider == "google":
            nothing = [{"modelVersion": "odd"}, {"candidates": []}, {"candidates": [{"content": {}}]}]
        chunks = [each for chunk in chunks for each in (*nothing, chunk)]
    chunks[-1] = _spoilt(chunks[-1], shape)
    if shape is OddShape.BARE_CODE:
        chunks.insert(-1, _FAILED_LATE)
    events = [_json(chunk) for chunk in chunks]
    return _on_lines(events, shape, end_mark=None if provider == "google" else b"[DONE]")


def _on_lines(events: list[bytes], shape: OddShape, *, end_mark: bytes | None) -> list[bytes]:
    if shape is OddShape.TORN_END:
        return [*(b"data: " + event + b"\n\n" for event in events), _TORN]
    if end_mark is not None:
        events = [*events, end_mark]
    if shape is OddShape.ODD_LINES:
        return [b"\xef\xbb\xbf: hello\r\rretry: 10\rid: 7\r", *map(_over_several_lines, events)]
    if shape is OddShape.STRAY_LINES:
        last = events[-1] if end_mark is None else end_mark.lower()
        lines = zip(cycle(_STRAY), [*events[:-1], last])
        return [before + event + b"\n\ndata: null\n\n" for before, event in lines]
    return [b"data: " + event + b"\n\n" for event in events]


def _json(value: Any) -> bytes:
    # orjson writes no half of a character, and no number that is none.
    return json.dumps(value, separators=(",", ":")).encode()


def _spoilt(body: dict[str, Any], shape: OddShape) -> dict[str, Any]:
    """Return an answer, or the last piece of one, with what makes it none."""
    is_google = "candidates" in body
    answer = body["candidates" if is_google else "choices"][0]
    holder = answer if is_google else answer.get("message", answer.get("delta"))
    if shape is OddShape.HOST_FAILED:
        answer["finishReason" if is_google else "native_finish_reason"] = _FINISH_AT_GOOGLE["error"]
    elif shape is OddShape.ERROR_IN_MESSAGE:
        holder["error"] = _FAILED_LATE
    elif shape is OddShape.WORDS_ELSEWHERE and is_google:
        answer["content"]["parts"].append({"markdown": "the rest"})
    elif shape is OddShape.WORDS_ELSEWHERE:
        begun = [{"type": "text", "text": holder["content"]}] if holder.get("content") else []
        holder["content"] = [*begun, {"type": "markdown", "value": "the rest"}]
    return body


def _over_several_lines(event: bytes) -> bytes:
    # Between two fields of an object JSON allows a line end, which is an event's own in several `data:`.
    return b"".join(b"data:" + line + b"\r" for line in event.replace(b',"', b',\n"', 1).split(b"\n")) + b"\r"


@cache
def _packed(*, stream: bool) -> bytes:
    # Once: to pack it holds up whoever else is answered here.
    body = b": " + b" " * _UNFOLDED_BYTES + b"\n\n" if stream else b"{" + b" " * _UNFOLDED_BYTES + b"}"
    return gzip.compress(body)


def _gzip_bomb(*, stream: bool) -> web.Response:
    kind = "text/event-stream" if stream else "application/json"
    headers = {"Content-Encoding": "gzip", "Content-Type": kind}
    return web.Response(body=_packed(stream=stream), headers=headers)


def _openai(odd: _Odd, shape: OddShape) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": odd.text or None}
    if odd.calls:
        message["tool_calls"] = list(_openai_calls(odd, shape))
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": odd.finish}
    if odd.error:
        choice["error"] = _FAILED_LATE
    body = {"id": "chatcmpl-odd", "created": _CREATED, "model": "odd", "choices": [choice]}
    return body | _openai_usage(odd)


def _openai_chunks(odd: _Odd, shape: OddShape) -> Iterator[dict[str, Any]]:
    ends_each = shape is OddShape.FINISH_IN_EACH
    for piece in _pieces(odd.text, shape):
        chunk = _chunk({"content": piece}, odd.finish if ends_each else None)
        yield chunk | _openai_usage(odd) if ends_each else chunk
    for call in _openai_calls(odd, shape):
        yield _chunk({"tool_calls": [call]})
    last = _chunk({}, odd.finish)
    if odd.error:
        last["choices"][0]["error"] = _FAILED_LATE
    yield last | _openai_usage(odd)


def _pieces(text: str, shape: OddShape) -> list[str]:
    """Return a text in pieces of a word, or cut between the halves of its characters."""
    if shape is not OddShape.SPLIT_CHARACTER:
        return text.replace(" ", " \0").split("\0") if text else []
    halves = text.encode("utf-16-be")
    return [halves[at : at + 2].decode("utf-16-be", "surrogatepass") for at in range(0, len(halves), 2)]


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "chatcmpl-odd", "created": _CREATED, "model": "odd", "choices": [choice]}


def _openai_calls(odd: _Odd, shape: OddShape) -> Iterator[dict[str, Any]]:
    for place, (name, arguments) in enumerate(odd.calls):
        function: dict[str, Any] = {"name": name} if name else {}
        if arguments is not None:
            is_text = isinstance(arguments, str) or shape in _PARTS_AS_OBJECTS
            function["arguments"] = arguments if is_text else _json(arguments).decode()
        call = {"id": f"call_{place}", "type": "function", "index": place, "function": function}
        if shape is OddShape.CALLS_WITH_INDEX_0:
            call["index"] = 0
        elif shape is OddShape.CALLS_WITHOUT_INDEX:
            del call["index"]
        yield call


def _openai_usage(odd: _Odd) -> dict[str, Any]:
    if not odd.usage:
        return {}
    counts = {"prompt_tokens": _INPUT_TOKENS, "completion_tokens": odd.output_tokens}
    total = {"total_tokens": _INPUT_TOKENS + odd.output_tokens}
    details = {"reasoning_tokens": odd.output_tokens if odd.is_thought else 0}
    return {"usage": counts | total | {"completion_tokens_details": details}}


def _google(odd: _Odd) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"text": odd.text}] if odd.text else []
    for name, arguments in odd.calls:
        call = {"name": name} if name else {}
        parts.append({"functionCall": call if arguments is None else call | {"args": arguments}})
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": _FINISH_AT_GOOGLE[odd.finish]}
    body: dict[str, Any] = {"candidates": [candidate], "modelVersion": "odd", "responseId": "odd"}
    if odd.error:
        body["error"] = {"code": 500, "status": "INTERNAL", "message": "the host hung up"}
    if odd.usage:
        body["usageMetadata"] = {
            "promptTokenCount": _INPUT_TOKENS,
            "candidatesTokenCount": 0 if odd.is_thought else odd.output_tokens,
            "thoughtsTokenCount": odd.output_tokens if odd.is_thought else 0,
            "totalTokenCount": _INPUT_TOKENS + odd.output_tokens,
        }
    return body


def _google_chunks(odd: _Odd, shape: OddShape) -> Iterator[dict[str, Any]]:
    *pieces, last = _pieces(odd.text, shape) or [""]
    for piece in pieces:
        if shape is OddShape.FINISH_IN_EACH:
            yield _google(replace(odd, text=piece))
        else:
            yield {"candidates": [{"content": {"role": "model", "parts": [{"text": piece}]}}]}
    yield _google(replace(odd, text=last))
