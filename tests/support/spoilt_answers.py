"""Whole answers of the providers' formats, spoilt in one place: cut, torn, mixed with what belongs to no answer.

Nothing here takes a word away unseen: each can be told from a whole answer, or is one. So whoever reads it has
the whole answer, or knows that there is none.
"""

import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson

from tests.providers.wire.misbehaving import Exchanged

TEXT = "Xin chào chị Ánh, đơn hàng của chị sẽ đến vào ngày mai."
CALL = ("find_order", {"id": "DH1001", "note": "gấp"})
_PIECES = ("Xin chào ", "chị Ánh, ", "đơn hàng ", "của chị ", "sẽ đến vào ngày mai.")
_ARGUMENTS = ('{"id":', '"DH1001",', '"note":', '"gấp"}')
_HEAD = {"id": "gen-1", "created": 1_764_000_000, "model": "m"}
_OPENAI_USAGE = {"prompt_tokens": 6, "completion_tokens": 18, "total_tokens": 24}
_GOOGLE_USAGE = {"promptTokenCount": 6, "candidatesTokenCount": 18, "totalTokenCount": 24}

_WRONG_WORDS: tuple[Any, ...] = (0, 7, 1.5, True, {"a": 1}, [7])
"""In the place of words or of what holds them: no format has words so."""
_ODD_VALUES: tuple[Any, ...] = (None, "", 0, -1, 1.5, True, [], {}, "x", [None], {"a": 1}, 2**63, "NaN", "1")
_NO_WORDS = frozenset(
    {"id", "created", "model", "object", "role", "modelVersion", "responseId", "logprobs", "stop_sequence"}
)
_USAGES = frozenset({"usage", "usageMetadata"})
_NOISE = (
    *(b": ping\n\n", b"event: ping\ndata: {}\n\n", b"data:\n\n", b"id: 7\nretry: 10\n\n", b"data: null\n\n"),
    *(
        b"data: []\n\n",
        b'data: {"type": "ping"}\n\n',
        b"\n\n\n",
        b"\xef\xbb\xbf",
        b"garbage\n\n",
        b"data: {\n\n",
    ),
    *(b'data: "x"\n\n', b"data: 7\n\n", b"<html>\n\n", b"\0\xff\n\n"),
)
_ERRORS: tuple[Any, ...] = (
    {"error": {"message": "Overloaded", "code": 503}},
    {"error": {"message": "boom", "type": "server_error"}},
    {"error": "boom"},
    {"error": {"code": "429", "message": "Rate limit"}},
    {"code": 500, "message": "boom"},
    {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}},
)
_CONTENT_TYPES = (
    "",
    "text/plain",
    "text/html",
    "application/x-ndjson",
    "application/json",
    "text/event-stream",
)


@dataclass(frozen=True, slots=True)
class Spoilt:
    """One answer as it is sent."""

    how: str
    """What was done to it, for who reads a failure."""
    body: bytes
    content_type: str
    blocks: int = 1
    """In how many parts it is sent."""
    breaks: bool = False
    """Its connection is reset behind it."""


class Spoiling:
    """A provider that answers as the test says at the moment."""

    def __init__(self) -> None:
        self.answer: Spoilt | None = None
        self.asked = 0

    async def __call__(self, exchanged: Exchanged) -> None:
        assert self.answer is not None
        self.asked += 1
        answer = self.answer
        kind = f"content-type: {answer.content_type}\r\n" if answer.content_type else ""
        await exchanged.send(f"HTTP/1.1 200 OK\r\n{kind}transfer-encoding: chunked\r\n\r\n".encode())
        size = max(1, -(-len(answer.body) // answer.blocks))
        for at in range(0, len(answer.body), size):
            await exchanged.chunk(answer.body[at : at + size])
        exchanged.reset() if answer.breaks else await exchanged.end_stream()


@dataclass(frozen=True, slots=True)
class Form:
    """The whole answer of one format."""

    events: tuple[dict[str, Any], ...]
    whole: dict[str, Any]
    end: bytes = b""


def openai_form(*, calls: bool) -> Form:
    """Return the answer in OpenAI's format."""
    call = {
        "id": "call_a",
        "type": "function",
        "function": {"name": CALL[0], "arguments": "".join(_ARGUMENTS)},
    }
    finish = "tool_calls" if calls else "stop"
    message = {"role": "assistant", "content": None, "tool_calls": [call]} if calls else {"content": TEXT}
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if calls:
        begun = {**call, "index": 0, "function": {"name": CALL[0], "arguments": ""}}
        rest = ({"index": 0, "function": {"arguments": piece}} for piece in _ARGUMENTS)
        deltas += [{"tool_calls": [each]} for each in (begun, *rest)]
    else:
        deltas += [{"content": piece} for piece in _PIECES]
    events = [_chunk(delta) for delta in deltas]
    events += [_chunk({}, finish), {**_HEAD, "choices": [], "usage": _OPENAI_USAGE}]
    return Form(tuple(events), {**_HEAD, "choices": [choice], "usage": _OPENAI_USAGE}, b"data: [DONE]\n\n")


def google_form(*, calls: bool) -> Form:
    """Return the answer in Gemini's format."""
    call = {"functionCall": {"name": CALL[0], "args": CALL[1]}}
    pieces: list[dict[str, Any]] = [call, {"text": ""}] if calls else [{"text": piece} for piece in _PIECES]
    *first, last = [_response(piece) for piece in pieces]
    ended = {"usageMetadata": _GOOGLE_USAGE}
    last = {**last, **ended, "candidates": [{**last["candidates"][0], "finishReason": "STOP"}]}
    whole = _response(call if calls else {"text": TEXT})
    whole = {**whole, **ended, "candidates": [{**whole["candidates"][0], "finishReason": "STOP"}]}
    return Form((*first, last), whole)


def anthropic_form(*, calls: bool) -> Form:
    """Return the answer in Anthropic's format."""
    begun: dict[str, Any] = {"type": "text", "text": ""}
    pieces: list[dict[str, Any]] = [{"type": "text_delta", "text": piece} for piece in _PIECES]
    content: dict[str, Any] = {"type": "text", "text": TEXT}
    if calls:
        begun = {"type": "tool_use", "id": "toolu_a", "name": CALL[0], "input": {}}
        pieces = [{"type": "input_json_delta", "partial_json": piece} for piece in _ARGUMENTS]
        content = {**begun, "input": CALL[1]}
    ended = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
    head = {"id": "msg_a", "type": "message", "role": "assistant", "model": "m", "content": []}
    message = {**head, "stop_reason": None, "usage": {"input_tokens": 6, "output_tokens": 1}}
    deltas = [{"type": "content_block_delta", "index": 0, "delta": piece} for piece in pieces]
    events = (
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": begun},
        *deltas,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 18}},
        {"type": "message_stop"},
    )
    usage = {"input_tokens": 6, "output_tokens": 18}
    return Form(events, {**head, **ended, "content": [content], "usage": usage})


def sent(form: Form, *, stream: bool) -> Spoilt:
    """Return the answer as it is."""
    if not stream:
        return Spoilt("as it is", orjson.dumps(form.whole), "application/json")
    return Spoilt("as it is", b"".join(map(_line, form.events)) + form.end, "text/event-stream")


def spoilt(form: Form, chance: random.Random, *, stream: bool) -> Spoilt:
    """Return the answer, spoilt in one place that chance has chosen."""
    ways = [_cut, _cut_and_broken, _with_odd_value, _with_error, _called_otherwise]
    ways += [_with_noise, _with_other_lines] if stream else []
    answer = chance.choice(ways)(form, chance, stream)
    return replace(answer, blocks=chance.choice((1, 1, 2, 5)))


def _cut(form: Form, chance: random.Random, stream: bool) -> Spoilt:
    answer = sent(form, stream=stream)
    at = chance.randrange(len(answer.body))
    return replace(answer, how=f"cut behind {answer.body[:at][-30:]!r}", body=answer.body[:at])


def _cut_and_broken(form: Form, chance: random.Random, stream: bool) -> Spoilt:
    answer = _cut(form, chance, stream)
    return replace(answer, how=f"{answer.how}, connection broken", breaks=True)


def _with_odd_value(form: Form, chance: random.Random, stream: bool) -> Spoilt:
    number = chance.randrange(len(form.events)) if stream else 0
    value = form.events[number] if stream else form.whole
    path = chance.choice([each for each in _paths(value) if not _is_argument(each)])
    wrong = [each for each in _WRONG_WORDS if type(each) is not type(_value_at(value, path))]
    # Arguments as an object are other arguments, and none that are spoilt.
    wrong = [each for each in wrong if path[-1] != "arguments" or not isinstance(each, dict)]
    odd = chance.choice(_ODD_VALUES if _says_no_words(path) else wrong)
    changed = _changed(value, path, odd)
    how = f"event {number}: {'.'.join(map(str, path))} = {odd!r}"
    if not stream:
        return replace(sent(replace(form, whole=changed), stream=False), how=how)
    events = (*form.events[:number], changed, *form.events[number + 1 :])
    return replace(sent(replace(form, events=events), stream=True), how=how)


def _with_error(form: Form, chance: random.Random, stream: bool) -> Spoilt:
    error = chance.choice(_ERRORS)
    if not stream:
        beside = {**form.whole, **error} if chance.random() < 0.5 and "error" in error else error
        return Spoilt(f"the error {error}", orjson.dumps(beside), "application/json")
    lines = [_line(each) for each in form.events]
    at = chance.randrange(len(lines) + 1)
    lines.insert(at, _line(error))
    if chance.random() < 0.5:
        return Spoilt(
            f"the error {error} in place of event {at}", b"".join(lines[: at + 1]), "text/event-stream"
        )
    return Spoilt(f"the error {error} before event {at}", b"".join(lines) + form.end, "text/event-stream")


def _called_otherwise(form: Form, chance: random.Random, stream: bool) -> Spoilt:
    answer = sent(form, stream=chance.choice((stream, not stream)))
    content_type = chance.choice(_CONTENT_TYPES)
    return replace(answer, how=f"{answer.content_type} called {content_type!r}", content_type=content_type)


def _with_noise(form: Form, chance: random.Random, stream: bool) -> Spoilt:
    del stream
    lines = [_line(each) for each in form.events]
    at, noise = chance.randrange(len(lines) + 1), chance.choice(_NOISE)
    lines.insert(at, noise)
    return Spoilt(f"{noise!r} before event {at}", b"".join(lines) + form.end, "text/event-stream")


def _with_other_lines(form: Form, chance: random.Random, stream: bool) -> Spoilt:
    answer = sent(form, stream=stream)
    ending = chance.choice((b"\r\n", b"\r"))
    return replace(answer, how=f"lines end with {ending!r}", body=answer.body.replace(b"\n", ending))


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {**_HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _response(part: dict[str, Any]) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": [part]}, "index": 0}
    return {"candidates": [candidate], "modelVersion": "m", "responseId": "r"}


def _line(event: Any) -> bytes:
    name = event.get("type") if isinstance(event, dict) else None
    return (
        (f"event: {name}\n".encode() if isinstance(name, str) else b"")
        + b"data: "
        + orjson.dumps(event)
        + b"\n\n"
    )


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the places in a value, itself excepted."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield (*path, key)
        yield from _paths(below, (*path, key))


def _says_no_words(path: tuple[Any, ...]) -> bool:
    return path[-1] in _NO_WORDS or not _USAGES.isdisjoint(path)


def _is_argument(path: tuple[Any, ...]) -> bool:
    """Return whether it stands within the arguments of a call, which may be anything."""
    return not {"args", "input"}.isdisjoint(path[:-1])


def _value_at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _changed(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    changed = copy.deepcopy(value)
    _value_at(changed, path[:-1])[path[-1]] = odd
    return changed
