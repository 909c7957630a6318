"""Answers of the vendors that LiteLLM reaches, oddly written: a whole one arrives, and is booked as it counts."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from orchestrator import CacheUse, Orchestrator
from orchestrator.core.event_frames import MEDIA_TYPE, Frame
from orchestrator.core.provider_answer import SHOWN_THOUGHTS
from orchestrator.core.reply import ChatReply, CostSource
from orchestrator.practice import PracticeServer
from orchestrator.providers.litellm import heard_streams, provider_bodies
from orchestrator.providers.litellm.loading import load_litellm
from tests.providers.litellm.test_prefix_providers import TOOL
from tests.providers.wire.misbehaving import Exchanged, serving
from tests.support.prefixed import AZURE, BEDROCK, CLAUDE, DEEPSEEK, VERTEX, prefixed, prefixed_server

TEXT = "Chào bạn nhé"
USAGE = {"prompt_tokens": 9, "completion_tokens": 20, "total_tokens": 29}
HEAD = {"id": "a", "created": 1, "model": "m", "object": "chat.completion.chunk"}
DONE = b"data: [DONE]\n\n"
NEXT = "google/gemini-3.8-flash"
OF_CHAT = pytest.mark.parametrize("name", [DEEPSEEK, AZURE], ids=["litellm's own client", "openai's SDK"])


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> None:
    load_litellm()


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard_streams, "LAST_WORD_S", 0.1)
    monkeypatch.setattr(provider_bodies, "LAST_WORD_S", 0.1)


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    with prefixed_server() as server:
        yield server


def sent(
    body: bytes, *, kind: str = "text/event-stream", status: str = "200 OK", more: str = "", ends: bool = True
) -> Callable[[Exchanged], Awaitable[None]]:
    """Answer with these bytes; the connection stays open behind them where nothing `ends` them."""

    async def answer(exchanged: Exchanged) -> None:
        head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n{more}\r\n"
        await exchanged.send(head.encode())
        await exchanged.chunk(body)
        if ends:
            await exchanged.end_stream()
        else:
            await exchanged.closed_by_client()

    return answer


async def replied(
    make_orchestrator: Callable[..., Orchestrator],
    server: PracticeServer,
    name: str,
    answer: Callable[[Exchanged], Awaitable[None]],
    *,
    stream: bool = True,
    tools: list[dict[str, Any]] | None = None,
) -> ChatReply:
    """Return the reply to a question that goes to this vendor first."""

    def ask(orchestrator: Orchestrator) -> ChatReply:
        fields: dict[str, Any] = {"cache": CacheUse.OFF, "max_tokens": 200, "deadline_s": 60}
        if tools:
            fields["tools"] = tools
        if not stream:
            return orchestrator.complete("Xin chào", **fields)
        with orchestrator.stream("Xin chào", **fields) as pieces:
            assert "".join(delta.text for delta in list(pieces)) == pieces.reply.text
        return pieces.reply

    async with serving(answer) as vendor:
        address = {name.partition("/")[0]: {"base_url": vendor.base_url.removesuffix("/v1")}}
        changes = prefixed(server, name, NEXT, providers=address)
        return await asyncio.to_thread(
            ask, make_orchestrator(changes | {"circuit_breaker": {"failures": 99}})
        )


def check_whole(reply: ChatReply, name: str, *, text: str = TEXT) -> None:
    (row,) = reply.attempts
    assert (row.deployment, row.failure, reply.text) == (name, None, text)
    assert (row.usage.input_tokens, row.usage.output_tokens, row.usage.estimated) == (9, 20, False)


def events(*values: Any, end: bytes = b"\n\n") -> bytes:
    return b"".join(b"data: " + json.dumps(each, ensure_ascii=False).encode() + end for each in values)


def in_lines(*values: Any) -> bytes:
    """Return events that each have several lines of data."""
    written = (json.dumps(each, indent=1).encode().split(b"\n") for each in values)
    return b"".join(b"".join(b"data: " + line + b"\n" for line in lines) + b"\n" for lines in written)


def piece(text: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    delta = {} if text is None else {"content": text}
    return {**HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def choice(**fields: Any) -> dict[str, Any]:
    return {**HEAD, "choices": [{"index": 0, "finish_reason": None, **fields}]}


END = piece("", "stop", usage=USAGE)
CHAT = (piece("Chào "), piece("bạn nhé"), END)
WHOLE = {**choice(message={"role": "assistant", "content": TEXT}, finish_reason="stop"), "usage": USAGE}
THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
PARTS = [{"type": "text", "text": "Chào "}, {"type": "text", "text": "bạn nhé"}]
STREAMS = {
    "a byte order mark": b"\xef\xbb\xbf" + events(*CHAT) + DONE,
    "empty data": b"data:\n\ndata: \n\n" + events(*CHAT) + DONE,
    "choices null": events({**HEAD, "choices": None}, *CHAT) + DONE,
    "no choices": events({"id": "a"}, *CHAT) + DONE,
    "a choice null": events({**HEAD, "choices": [None]}, *CHAT) + DONE,
    "delta null": events(choice(delta=None), *CHAT) + DONE,
    "delta null at the end": events(*CHAT[:2], {**choice(delta=None, finish_reason="stop"), "usage": USAGE}) + DONE,
    "CR": events(*CHAT, end=b"\r\r") + b"data: [DONE]\r\r",
    "data of several lines": in_lines(*CHAT) + DONE,
    "no blank lines": events(*CHAT, end=b"\n") + DONE,
    "parts": events(piece(None), choice(delta={"content": [THINKING, *PARTS]}), END) + DONE,
    "all at once": events({**WHOLE, "object": "chat.completion.chunk"}) + DONE,
    "a whole body by another name": json.dumps(WHOLE, indent=1).encode(),
    "counts without choices": events(*CHAT[:2], piece("", "stop"), {"choices": None, "usage": USAGE}) + DONE,
    "error null in each": events(*({**each, "error": None} for each in CHAT)) + DONE,
    "Gemini's finish": events(*CHAT[:2], piece("", "STOP", usage=USAGE)) + DONE,
}  # fmt: skip


@OF_CHAT
@pytest.mark.parametrize("case", STREAMS)
async def test_a_stream_of_openais_format_is_read_as_on_our_own_wire(
    make_orchestrator, server, name: str, case: str
) -> None:
    check_whole(await replied(make_orchestrator, server, name, sent(STREAMS[case])), name)


@OF_CHAT
@pytest.mark.parametrize("text", ["Chào\u2028bạn\x85nhé", "xong: [DONE]", "dòng\n" * 150])
async def test_letters_of_an_answer_end_no_line_and_no_stream(
    make_orchestrator, server, name: str, text: str
) -> None:
    pieces = (
        [piece(each) for each in text.splitlines(keepends=True)] if text.count("\n") > 1 else [piece(text)]
    )
    answer = sent(events(*pieces, END) + DONE)
    check_whole(await replied(make_orchestrator, server, name, answer), name, text=text)


@OF_CHAT
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"ends": False},
        {"status": "201 Created"},
        {"status": "202 Accepted"},
        {"kind": "text/plain"},
        {"more": "content-encoding: gzip\r\n"},
        {"more": "content-encoding: gzip\r\n", "ends": False},
    ],
    ids=["plain", "open", "201", "202", "text", "packed", "packed, open"],
)
async def test_a_whole_body_is_an_answer_whether_or_not_a_stream_was_asked_for(
    make_orchestrator, server, name: str, stream: bool, how: dict[str, Any]
) -> None:
    body = json.dumps(WHOLE).encode()
    answer = sent(gzip.compress(body) if "more" in how else body, **{"kind": "application/json", **how})
    check_whole(await replied(make_orchestrator, server, name, answer, stream=stream), name)


async def test_long_thoughts_in_a_body_in_the_place_of_a_stream_are_kept(make_orchestrator, server) -> None:
    message = {"role": "assistant", "content": TEXT, "reasoning_content": "nghĩ " * 2_500}
    body = json.dumps({**WHOLE, "choices": [{**WHOLE["choices"][0], "message": message}]}).encode()
    reply = await replied(make_orchestrator, server, DEEPSEEK, sent(body, kind="application/json"))
    check_whole(reply, DEEPSEEK)
    assert reply.reasoning.text == message["reasoning_content"]


@OF_CHAT
async def test_two_calls_of_one_index_are_two(make_orchestrator, server, name: str) -> None:
    calls = [
        {"index": 0, "id": each, "function": {"name": "find_order", "arguments": {"number": each}}}
        for each in "12"
    ]
    pieces = [choice(delta={"tool_calls": [None, call]}) for call in calls]
    answer = sent(events(*pieces, piece(None, "tool_calls", usage=USAGE)) + DONE)
    reply = await replied(make_orchestrator, server, name, answer, tools=[TOOL])
    assert [json.loads(call.arguments)["number"] for call in reply.tool_calls] == ["1", "2"]


@OF_CHAT
@pytest.mark.parametrize("mark", [b"", DONE], ids=["finish", "end mark"])
async def test_a_finished_answer_ends_though_its_connection_does_not(
    make_orchestrator, server, name: str, mark: bytes
) -> None:
    check_whole(await replied(make_orchestrator, server, name, sent(events(*CHAT) + mark, ends=False)), name)


@pytest.mark.parametrize("name", [DEEPSEEK, AZURE, CLAUDE, BEDROCK, VERTEX])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_whose_body_does_not_end_costs_nothing(
    make_orchestrator, server, name: str, stream: bool
) -> None:
    answer = sent(b'{"error": {', kind="application/json", status="503 Service Unavailable", ends=False)
    reply = await replied(make_orchestrator, server, name, answer, stream=stream)
    first = reply.attempts[0]
    assert (first.failure, first.status, first.cost_nusd, reply.deployment) == ("unavailable", 503, 0, NEXT)


def named(*values: dict[str, Any]) -> bytes:
    return b"".join(f"event: {each['type']}\n".encode() + events(each) for each in values)


MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "c", "stop_reason": None}
BEGIN = {"type": "message_start", "message": {**MESSAGE, "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}}  # fmt: skip
PAUSED = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 20}}
STOP = {"type": "message_stop"}


def block(place: int, begun: dict[str, Any], *deltas: Any) -> tuple[dict[str, Any], ...]:
    start = {"type": "content_block_start", "index": place, "content_block": begun}
    pieces = ({"type": "content_block_delta", "index": place, "delta": each} for each in deltas)
    return (start, *pieces, {"type": "content_block_stop", "index": place})


def words(text: str) -> dict[str, Any]:
    return {"type": "text_delta", "text": text}


SAID = block(0, {"type": "text", "text": ""}, words("Chào "), words("bạn nhé"))
CLAUDES = {
    **MESSAGE,
    "content": [{"type": "text", "text": TEXT}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 9, "output_tokens": 20},
}
MESSAGES = {
    "a byte order mark": b"\xef\xbb\xbf" + named(BEGIN, *SAID, PAUSED, STOP),
    "CR": named(BEGIN, *SAID, PAUSED, STOP).replace(b"\n", b"\r"),
    "data of several lines": in_lines(BEGIN, *SAID, PAUSED, STOP),
    "delta null": named(BEGIN, *block(0, SAID[0]["content_block"], None, words(TEXT)), PAUSED, STOP),
    "text at the beginning": named(BEGIN, *block(0, {"type": "text", "text": "Chào "}, words("bạn nhé")), PAUSED, STOP),
    "a whole body by another name": json.dumps(CLAUDES).encode(),
    "150 equal pieces": named(BEGIN, *block(0, SAID[0]["content_block"], *[words("dòng ")] * 150), PAUSED, STOP),
}  # fmt: skip


@pytest.mark.parametrize("case", MESSAGES)
@pytest.mark.parametrize("ends", [True, False], ids=["closed", "open"])
async def test_a_stream_of_anthropics_is_read_however_it_is_written(
    make_orchestrator, server, case: str, ends: bool
) -> None:
    reply = await replied(make_orchestrator, server, CLAUDE, sent(MESSAGES[case], ends=ends))
    check_whole(reply, CLAUDE, text="dòng " * 150 if case.startswith("150") else TEXT)


async def test_arguments_that_come_with_the_beginning_of_a_call_are_not_lost(
    make_orchestrator, server
) -> None:
    """LiteLLM made a call without arguments of it."""
    called = {"type": "tool_use", "id": "t1", "name": "find_order", "input": {"number": "7"}}
    ended = {**PAUSED, "delta": {"stop_reason": "tool_use"}}
    answer = sent(named(BEGIN, *block(0, called), ended, STOP))
    reply = await replied(make_orchestrator, server, CLAUDE, answer, tools=[TOOL])
    assert [json.loads(call.arguments) for call in reply.tool_calls] == [{"number": "7"}]


async def test_a_whole_message_with_all_blocks_in_the_place_of_a_stream(make_orchestrator, server) -> None:
    content = [
        {"type": "thinking", "thinking": "Hm.", "signature": "abc"},
        {"type": "text", "text": TEXT},
        {"type": "tool_use", "id": "t1", "name": "find_order", "input": {"number": "7"}},
    ]
    body = json.dumps({**CLAUDES, "content": content, "stop_reason": "tool_use"}).encode()
    answer = sent(body, kind="application/json")
    reply = await replied(make_orchestrator, server, CLAUDE, answer, tools=[TOOL])
    check_whole(reply, CLAUDE)
    assert (reply.reasoning.text, json.loads(reply.tool_calls[0].arguments)) == ("Hm.", {"number": "7"})


def frame(kind: str, payload: dict[str, Any], **headers: str) -> bytes:
    told = {":event-type": kind, ":message-type": "event", **headers}
    return Frame(told, json.dumps(payload).encode()).encoded()


AMAZONS = {
    "output": {"message": {"role": "assistant", "content": [{"text": TEXT}]}},
    "stopReason": "end_turn",
}
SPOKEN = frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Chào "}})
THROTTLED = frame(
    "x", {"message": "Too many"}, **{":message-type": "exception", ":exception-type": "throttlingException"}
)
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
GEMINIS = {"error": {"code": 503, "status": "UNAVAILABLE", "message": "no"}}
FAILED = [
    (DEEPSEEK, events({"error": {"code": 503, "message": "no"}}), "unavailable", True),
    (DEEPSEEK, events(CHAT[0], {"error": {"code": 503, "message": "no"}}), "interrupted", False),
    (AZURE, b"event: error\n" + events({"code": "rate_limit_exceeded", "message": "no"}), "rate_limited", True),
    (CLAUDE, named(OVERLOADED), "unavailable", True),
    (CLAUDE, named(BEGIN, *SAID[:2], OVERLOADED), "interrupted", False),
    (CLAUDE, named(BEGIN, *SAID, STOP), "interrupted", False),
    (CLAUDE, named(BEGIN, *SAID, {**PAUSED, "delta": {"stop_reason": "tool_use"}}, STOP), "malformed", False),
    (BEDROCK, THROTTLED, "rate_limited", True),
    (BEDROCK, SPOKEN + THROTTLED, "interrupted", False),
    (BEDROCK, SPOKEN + SPOKEN[:-9], "interrupted", False),
    (VERTEX, events(GEMINIS), "unavailable", True),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body", "failure", "is_free"), FAILED)
async def test_an_error_in_a_stream_is_what_the_vendor_says(
    make_orchestrator, server, practice, name: str, body: bytes, failure: str, is_free: bool
) -> None:
    """LiteLLM's own error of it was called malformed, and the bound was booked of what nobody bills."""
    kind = MEDIA_TYPE if name == BEDROCK else "text/event-stream"
    reply = await replied(make_orchestrator, server, name, sent(body, kind=kind))
    first = reply.attempts[0]
    assert (first.failure, first.cost_nusd == 0) == (failure, is_free)
    assert reply.deployment == NEXT


@pytest.mark.parametrize(
    ("name", "body"),
    [(CLAUDE, {**CLAUDES, "usage": None}), (BEDROCK, AMAZONS), (DEEPSEEK, {**WHOLE, "usage": None})],
)
async def test_an_answer_without_a_count_is_an_answer_and_booked_at_the_bound(
    make_orchestrator, server, name: str, body: dict[str, Any]
) -> None:
    answer = sent(json.dumps(body).encode(), kind="application/json")
    reply = await replied(make_orchestrator, server, name, answer, stream=False)
    (row,) = reply.attempts
    assert (reply.text, row.usage.estimated) == (TEXT, True)
    assert row.cost_nusd > 0


async def test_counts_behind_the_finish_of_gemini_are_the_bill(make_orchestrator, server) -> None:
    """LiteLLM swallows the finish where a chunk without candidates follows it."""
    said = {"candidates": [{"content": {"parts": [{"text": TEXT}]}}]}
    ended = {"candidates": [{"content": {"parts": None}, "finishReason": "STOP"}]}
    counted = {"usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 20, "totalTokenCount": 29}}
    reply = await replied(make_orchestrator, server, VERTEX, sent(events(said, ended, counted)))
    check_whole(reply, VERTEX)


@pytest.mark.parametrize("name", [DEEPSEEK, AZURE, CLAUDE, BEDROCK, VERTEX])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "raw",
    [b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n"],
    ids=["no head", "no chunk"],
)
async def test_what_is_no_http_may_be_billed_and_is_not_asked_for_again(
    make_orchestrator, server, name: str, stream: bool, raw: bytes
) -> None:
    """LiteLLM makes a 500 or a 503 of it, which cost nothing and was sent twice."""

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.send(raw)
        exchanged.writer.close()

    reply = await replied(make_orchestrator, server, name, answer, stream=stream)
    assert [row.failure for row in reply.attempts] == ["malformed", None]
    assert reply.attempts[0].cost_nusd > 0


THOUGHT = {
    "both tags": ("<think>hm</think>\n\n", "hm"),
    "the end alone": ("hm</think>\n\n", "hm"),
    "an end of nothing": ("</think>\n\n", ""),
}


@OF_CHAT
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("case", THOUGHT)
async def test_thoughts_in_the_text_are_none_of_the_answer(
    make_orchestrator, server, name: str, case: str, stream: bool
) -> None:
    """Of a stream whose thoughts began in the prompt it is told: they were shown before anybody knew."""
    thought, reasoning = THOUGHT[case]
    message = {"role": "assistant", "content": thought + TEXT}
    body = {**choice(message=message, finish_reason="stop"), "object": "chat.completion", "usage": USAGE}
    pieces = (piece(thought[:4]), piece(thought[4:]), *CHAT)
    answer = (
        sent(events(*pieces) + DONE) if stream else sent(json.dumps(body).encode(), kind="application/json")
    )
    reply = await replied(make_orchestrator, server, name, answer, stream=stream)
    if stream and case == "the end alone":
        assert (reply.text, reply.notices) == (thought + TEXT, (SHOWN_THOUGHTS,))
        return
    check_whole(reply, name)
    assert (reply.reasoning.text if reply.reasoning else "") == reasoning


@OF_CHAT
async def test_a_tool_that_speaks_of_a_stream_asks_for_none(make_orchestrator, server, name: str) -> None:
    """Its whole answer was handed to LiteLLM as a stream, and lost, for a `"stream": true` in a schema."""
    parameters = {"type": "object", "properties": {}, "examples": [{"stream": True}]}
    tool = {"type": "function", "function": {"name": "open_channel", "parameters": parameters}}
    body = sent(json.dumps(WHOLE).encode(), kind="application/json")
    check_whole(await replied(make_orchestrator, server, name, body, stream=False, tools=[tool]), name)


FAILED = {"error": {"code": 503, "message": "the host hung up", "type": "server_error"}}
COUNTED_FAILURES = {
    "counts with the error": (*CHAT[:2], {**FAILED, "usage": USAGE}),
    "counts before it": (*CHAT, FAILED),
}


@OF_CHAT
@pytest.mark.parametrize("case", COUNTED_FAILURES)
async def test_an_error_behind_words_that_were_counted_is_booked_as_it_counts(
    make_orchestrator, server, name: str, case: str
) -> None:
    """The bound was booked, though the vendor had said what it used."""
    reply = await replied(make_orchestrator, server, name, sent(events(*COUNTED_FAILURES[case]) + DONE))
    first = reply.attempts[0]
    assert (first.failure, first.cost_source) == ("interrupted", CostSource.PRICE_BOOK)
    assert (first.usage.input_tokens, first.usage.output_tokens) == (9, 20)


@OF_CHAT
async def test_an_error_behind_words_that_nobody_counted_is_booked_at_the_bound(
    make_orchestrator, server, name: str
) -> None:
    """A count in the middle is none of the whole."""
    early = piece("Chào ", usage={**USAGE, "completion_tokens": 1, "total_tokens": 10})
    reply = await replied(make_orchestrator, server, name, sent(events(early, CHAT[1], FAILED) + DONE))
    assert (reply.attempts[0].failure, reply.attempts[0].cost_source) == ("interrupted", CostSource.BOUND)


BEGUN = {
    "type": "message_start",
    "message": {
        "id": "a",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "usage": {"input_tokens": 9, "output_tokens": 1},
    },
}
OPENED = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
SAID = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}}
CLOSED = {"type": "content_block_stop", "index": 0}
ENDED = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}


@pytest.mark.parametrize("odd", [{"type": True}, {"delta": [7]}], ids=["type", "delta"])
def test_a_piece_of_anthropics_that_litellm_would_leave_out_is_no_answer(
    make_orchestrator, server: PracticeServer, odd: dict[str, Any]
) -> None:
    body = events(BEGUN, OPENED, SAID, {**SAID, **odd}, CLOSED, {**ENDED, "usage": {"output_tokens": 20}})
    reply = asyncio.run(replied(make_orchestrator, server, CLAUDE, sent(body)))
    assert reply.attempts[0].failure is not None
    assert len(reply.attempts) > 1


@pytest.mark.parametrize("usage", [{}, {"usage": True}, {"usage": {}}], ids=["none", "true", "empty"])
def test_what_anthropics_first_event_counts_is_no_bill(
    make_orchestrator, server: PracticeServer, usage: dict[str, Any]
) -> None:
    body = events(BEGUN, OPENED, SAID, CLOSED, {**ENDED, **usage}, {"type": "message_stop"})
    reply = asyncio.run(replied(make_orchestrator, server, CLAUDE, sent(body)))
    (row,) = reply.attempts
    assert (reply.text, row.failure, row.usage.estimated) == (TEXT, None, True)
    assert row.usage.output_tokens > 1
