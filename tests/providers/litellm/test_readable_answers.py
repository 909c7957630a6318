"""A whole answer reaches who asked through LiteLLM or a vendor's client, however oddly it is written."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import litellm
import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.errors import UnavailableError
from orchestrator.practice import BilledWhen, Fault, PracticePrice, PracticeServer
from orchestrator.practice.odd_answers import GOOD_TEXT
from orchestrator.practice.odd_shapes import OddShape
from orchestrator.providers.litellm import heard_streams
from orchestrator.providers.litellm.readable_answers import ReadableStream, readable_body
from orchestrator.providers.wire.sse import SentEvent
from tests.metering import test_budget_guard as with_guard
from tests.metering.test_budget_guard import MODELS, sources, standing
from tests.providers.wire.misbehaving import Exchanged, serving
from tests.support.settling import wait_for_settling

make_guard, to = with_guard.make_guard, with_guard.to
CHAT, GOOGLE = (ProviderKind.OPENROUTER, "/chat/completions"), (ProviderKind.GOOGLE, ":generateContent")
HEAD = {"id": "gen-1", "created": 1, "model": "gpt-6-luna"}
USAGE = {"prompt_tokens": 9, "completion_tokens": 4}
WHOLE_SHAPES = (
    *(OddShape.STRAY_CHUNKS, OddShape.OPEN_END, OddShape.ODD_LINES, OddShape.SPLIT_CHARACTER),
    *(OddShape.FINISH_IN_EACH, OddShape.STRAY_LINES, OddShape.PACKED, OddShape.NO_USAGE, OddShape.TORN_END),
)
NATIVE = {
    "openai/gpt-6-luna": "openai/gpt-6-luna",
    "gemini/gemini-3.8-flash": "google/gemini-3.8-flash",
    "openrouter/openai/gpt-6-luna": "openrouter/gpt-6-luna",
}


def written(way: tuple[ProviderKind, str], *events: bytes) -> bytes:
    stream = ReadableStream(way[0], path=way[1])
    return b"".join(stream.written(SentEvent(data)) for data in events)


def values(stream: bytes) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in stream.decode().splitlines() if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def piece(**choice: Any) -> bytes:
    return json.dumps({**HEAD, "choices": [{"index": 0, **choice}]}).encode()


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([piece(delta={"content": "a"})], ["a"]),
        ([piece(delta={"content": "a"}).replace(b", ", b",\n")], ["a"]),
        ([piece(delta={"content": "a"}) + b"\n" + piece(delta={"content": "b"})], ["a", "b"]),
        ([b"null", b'{"id": "x"}', b'{"choices": null}', piece(delta={"content": "a"})], ["a"]),
        ([piece(delta=None), piece(delta={"content": "a"})], [None, "a"]),
        ([piece(delta={"content": "\ud83d"}), piece(delta={"content": "\udc4d"})], ["", "\U0001f44d"]),
        (['{"choices": [{"delta": {"content": "a\u2028b"}}]}'.encode()], ["a\u2028b"]),
        ([b'{"choices": [{"delta": {"content": "a\tb"}}]}'], ["a\tb"]),
    ],
    ids=["plain", "lines", "two in one", "nothing", "null", "halves", "line separator", "control"],
)
def test_the_pieces_of_a_chat_are_written_plainly(events: list[bytes], expected: list[str | None]) -> None:
    read = values(written(CHAT, *events))
    assert [value["choices"][0]["delta"].get("content") for value in read] == expected


def test_a_count_without_choices_and_an_end_mark_in_other_letters_are_kept() -> None:
    read = values(written(CHAT, json.dumps({"usage": USAGE}).encode(), b'"[done]"'))
    assert (read[0]["choices"], read[0]["usage"], read[1]) == ([], USAGE, "[DONE]")
    assert written(GOOGLE, b"[DONE]") == b"", "Google's client takes it for an answer"


def test_what_is_no_json_and_what_is_an_error_is_handed_on() -> None:
    assert written(CHAT, b"{oops") == b"data: {oops\n\n"
    assert values(written(CHAT, b'{"error": {"code": 502}}')) == [{"error": {"code": 502}}]
    assert readable_body(*CHAT, b"<html>") == b"<html>"


def test_tool_calls_have_their_arguments_as_the_format_has_them() -> None:
    call = {"function": {"name": "f", "arguments": {"id": 1}}}
    read = values(written(CHAT, piece(delta={"tool_calls": [None, call]})))
    assert read[0]["choices"][0]["delta"]["tool_calls"] == [
        {"index": 0, "id": None, "function": {"name": "f", "arguments": '{"id":1}'}}
    ]
    parts = [{"functionCall": {"name": "f"}}]
    whole = readable_body(*GOOGLE, json.dumps({"candidates": [{"content": {"parts": parts}}]}).encode())
    assert json.loads(whole)["candidates"][0]["content"]["parts"] == [
        {"functionCall": {"name": "f", "args": {}}}
    ]


def test_what_our_reader_forgives_is_written_as_it_reads_it() -> None:
    """LiteLLM takes `true` for the index 1 and loses what is there; LangChain has no calls of another role."""
    call = {"index": False, "id": "c", "type": {}, "function": {"name": "f", "arguments": "{}"}}
    delta = {"role": "1", "tool_calls": [call]}
    (read,) = values(
        written(CHAT, piece(delta=delta, finish_reason="stop").replace(b'"index": 0', b'"index": true'))
    )
    (choice,) = read["choices"]
    assert (choice["index"], type(choice["index"]), choice["delta"]["role"]) == (0, int, "assistant")
    (call,) = choice["delta"]["tool_calls"]
    assert (call["index"], type(call["index"]), call["type"]) == (0, int, "function")
    whole = {
        "choices": [{"message": {"content": "a"}}],
        "usage": {"prompt_tokens": "7", "completion_tokens": 4, "prompt_tokens_details": 7},
    }
    read = json.loads(readable_body(*CHAT, json.dumps(whole).encode()))
    assert read["usage"] == {"completion_tokens": 4, "prompt_tokens_details": {}}


@pytest.mark.parametrize("kind", ["message", "content_block_start", [], {}, 7], ids=str)
def test_what_is_named_as_an_event_of_anthropics_stays_what_it_is(kind: Any) -> None:
    """Its words were lost: events of Anthropic's were made of it, or a TypeError."""
    words = {"candidates": [{"content": {"parts": [{"text": "a"}]}}], "type": kind}
    (read,) = values(written(GOOGLE, json.dumps(words).encode()))
    assert read == words
    named = {**json.loads(piece(delta={"content": "a"})), "type": kind}
    (read,) = values(written(CHAT, json.dumps(named).encode()))
    assert read == named
    whole = {**HEAD, "type": kind, "choices": [{"index": 0, "message": {"content": "a"}}]}
    read, end = values(readable_body(*CHAT, json.dumps(whole).encode(), in_pieces=True))
    assert (read["choices"][0]["delta"], end) == ({"content": "a"}, "[DONE]")


def test_an_odd_place_is_mended_where_a_piece_says_nothing_too() -> None:
    (read,) = values(
        written(CHAT, piece(delta=None, finish_reason="stop").replace(b'"index": 0', b'"index": true'))
    )
    assert type(read["choices"][0]["index"]) is int


@pytest.mark.parametrize("index", [{}, {"index": None}, {"index": 0}], ids=["none", "null", "0"])
def test_calls_of_one_index_but_of_other_ids_are_written_apart(index: dict[str, Any]) -> None:
    """LiteLLM makes one call with the arguments of both of them, and no tool of its name takes those."""
    calls = [{**index, "id": name, "function": {"name": name, "arguments": "{}"}} for name in "fg"]
    read = values(written(CHAT, *(piece(delta={"tool_calls": [each]}) for each in calls)))
    (first,), (second,) = (value["choices"][0]["delta"]["tool_calls"] for value in read)
    assert [(each["index"], each["id"]) for each in (first, second)] == [(0, "f"), (1, "g")]
    assert json.loads(first["function"]["arguments"]) == json.loads(second["function"]["arguments"]) == {}


def test_an_ordinary_answer_is_handed_on_as_it_came() -> None:
    """Nothing of it is written anew, so nothing of it can be written otherwise."""
    body = b'{"id" : "a", "created": 1, "model": "m",  "choices": [{"message": {"content": "x"}}], "n": 1.50}'
    assert readable_body(*CHAT, body) == body
    assert written(CHAT, body) == b"data: " + body + b"\n\n"


@pytest.fixture
def practice(prices_today: dict[tuple[str, str], PracticePrice]) -> Iterator[PracticeServer]:
    with PracticeServer(prices=prices_today, billed_when=BilledWhen.ACCEPTED) as server:
        yield server


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard_streams, "LAST_WORD_S", 0.1)


def text_of(chunks: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


async def said(how: str, arguments: dict[str, Any], orchestrator: Any) -> str:
    """Return the text that one way of asking brings."""
    if how.startswith("native"):
        client = orchestrator.native(NATIVE[arguments["model"]], tenant="acme", max_tokens=50)
        ways: dict[str, Callable[[], Awaitable[str]]] = {
            "native": lambda: _text(client.ainvoke("Xin chào")),
            "native thread": lambda: asyncio.to_thread(lambda: client.invoke("Xin chào").text),
            "native stream": lambda: _joined(client.astream("Xin chào")),
            "native stream thread": lambda: asyncio.to_thread(
                lambda: "".join(piece.text for piece in client.stream("Xin chào"))
            ),
        }
        return await ways[how]()
    if how == "whole":
        return (await litellm.acompletion(**arguments)).choices[0].message.content
    if how == "whole thread":
        return (await asyncio.to_thread(lambda: litellm.completion(**arguments))).choices[0].message.content
    if how == "stream":
        return text_of([chunk async for chunk in await litellm.acompletion(**arguments, stream=True)])
    return await asyncio.to_thread(lambda: text_of(list(litellm.completion(**arguments, stream=True))))


async def _text(message: Awaitable[Any]) -> str:
    return (await message).text


async def _joined(pieces: Any) -> str:
    return "".join([piece.text async for piece in pieces])


WAYS = [
    *("whole", "whole thread", "stream", "stream thread"),
    *("native", "native thread", "native stream", "native stream thread"),
]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("model", MODELS)
async def test_a_whole_answer_arrives_and_is_booked_as_the_provider_counts_it(
    make_guard, make_orchestrator, practice: PracticeServer, to, model: str, how: str
) -> None:
    guard, orchestrator = make_guard(), make_orchestrator()
    for number, shape in enumerate(WHOLE_SHAPES, 1):
        practice.faults.clear()
        practice.faults.add(Fault.parse(f"*:odd_answer={shape}"))
        before, billed = standing(guard)[0], practice.bill.total_nusd()
        async with asyncio.timeout(30):
            assert await said(how, to(model), orchestrator) == GOOD_TEXT, shape
        wait_for_settling()
        booked, held = standing(guard)[0] - before, standing(guard)[1]
        assert (held, len(sources(guard))) == (0, number)
        if shape is OddShape.NO_USAGE:
            assert sources(guard)[-1] == "bound"
        else:
            assert booked == practice.bill.total_nusd() - billed, shape


@pytest.mark.parametrize("how", [how for how in WAYS if "stream" in how])
@pytest.mark.parametrize("model", MODELS)
async def test_a_whole_body_in_the_place_of_a_stream_is_an_answer(
    make_guard, make_orchestrator, model: str, how: str
) -> None:
    """Some servers cannot stream every answer. It was paid for; under LiteLLM it was empty."""
    body = {**HEAD, "choices": [{"index": 0, "message": {"role": "assistant", "content": "Chào"}, "finish_reason": "stop"}], "usage": USAGE}  # fmt: skip
    google = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Chào"}]}, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 4}}  # fmt: skip

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.answer(json.dumps(google if model.startswith("gemini") else body).encode())

    async with serving(answer) as server:
        base = server.base_url.replace("/v1", "/v1beta") if model.startswith("gemini") else server.base_url
        changes = {"providers": {NATIVE[model].partition("/")[0]: {"base_url": base}}}
        guard, orchestrator = make_guard(changes), make_orchestrator(changes)
        asked = {"model": model, "messages": with_guard.HELLO, "max_tokens": 50, "api_base": base}
        assert await said(how, {**asked, "api_key": "k"}, orchestrator) == "Chào"
        wait_for_settling()
    assert sources(guard) == ["price_book"]


def sent(*chunks: dict[str, Any]) -> Callable[[Exchanged], Awaitable[None]]:
    """Answer with a stream of these chunks and an end mark, which clients wait for and for nothing else."""
    body = b"".join(b"data: " + json.dumps({**HEAD, **chunk}).encode() + b"\n\n" for chunk in chunks)
    return lambda exchanged: exchanged.answer(body + b"data: [DONE]\n\n", json=False)


COUNT = {"choices": [], "usage": USAGE}
HALF = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Half an"}}]}
ERROR_AT_END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]}


@pytest.mark.parametrize(
    ("model", "how"),
    [
        *(("openrouter/openai/gpt-6-luna", how) for how in WAYS if "stream" in how),
        # OpenAI's own native client reads the Responses API.
        *(("openai/gpt-6-luna", how) for how in ("stream", "stream thread")),
    ],
)
@pytest.mark.parametrize("chunks", [(HALF,), (HALF, COUNT), (HALF, ERROR_AT_END, COUNT)])
async def test_half_an_answer_before_an_end_mark_is_an_error(
    make_guard, make_orchestrator, model: str, how: str, chunks: tuple[dict[str, Any], ...]
) -> None:
    """OpenAI's client reads to the end mark alone, so what came is judged there."""
    async with serving(sent(*chunks)) as server:
        changes = {"providers": {NATIVE[model].partition("/")[0]: {"base_url": server.base_url}}}
        guard, orchestrator = make_guard(changes), make_orchestrator(changes)
        asked = {"model": model, "messages": with_guard.HELLO, "max_tokens": 50, "api_base": server.base_url}
        broken = (UnavailableError, litellm.exceptions.MidStreamFallbackError)
        with pytest.raises(broken):
            await said(how, {**asked, "api_key": "k"}, orchestrator)
        wait_for_settling()
    assert sources(guard) == ["bound"]


@pytest.mark.parametrize("index", [{}, {"index": 0}], ids=["none", "0"])
async def test_two_tool_calls_of_one_index_reach_who_asked_through_litellm_as_two(
    make_guard, index: dict[str, Any]
) -> None:
    calls = [
        {**index, "id": name, "type": "function", "function": {"name": name, "arguments": "{}"}}
        for name in "fg"
    ]
    chunks = [{"choices": [{"index": 0, "delta": {"tool_calls": [each]}}]} for each in calls]
    finish = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    async with serving(sent(*chunks, finish, COUNT)) as server:
        guard = make_guard({"providers": {"openai": {"base_url": server.base_url}}})
        asked = {"model": "openai/gpt-6-luna", "max_tokens": 50, "api_base": server.base_url, "api_key": "k"}
        answer = await litellm.acompletion(**asked, messages=with_guard.HELLO, stream=True)
        whole = litellm.stream_chunk_builder([chunk async for chunk in answer])
    made = [(each.function.name, each.function.arguments) for each in whole.choices[0].message.tool_calls]
    assert made == [("f", "{}"), ("g", "{}")]
    assert sources(guard) == ["price_book"]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("model", MODELS)
async def test_a_refusal_whose_body_does_not_end_is_a_refusal_and_costs_nothing(
    make_guard, make_orchestrator, model: str, how: str
) -> None:
    """Its reader waited until it gave up, and the bound was booked."""
    given_up = asyncio.Event()

    async def answer(exchanged: Exchanged) -> None:
        head = b"HTTP/1.1 503 Busy\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        await exchanged.send(head)
        await exchanged.chunk(b'{"error": {"message": "busy"}}')
        await exchanged.closed_by_client()
        given_up.set()

    async with serving(answer) as server:
        base = server.base_url.replace("/v1", "/v1beta") if model.startswith("gemini") else server.base_url
        changes = {"providers": {NATIVE[model].partition("/")[0]: {"base_url": base}}}
        guard, orchestrator = make_guard(changes), make_orchestrator(changes)
        asked = {"model": model, "messages": with_guard.HELLO, "max_tokens": 50, "api_base": base}
        with pytest.raises(Exception, match="503|[Uu]navailable|refused|Server"):
            await said(how, {**asked, "api_key": "k"}, orchestrator)
        async with asyncio.timeout(30):
            await given_up.wait()
        wait_for_settling()
    assert (standing(guard), sources(guard)) == ((0, 0), ["none"])
