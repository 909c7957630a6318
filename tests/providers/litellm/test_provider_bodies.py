"""What is heard of a response, and what a refusal means by its own words."""

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from orchestrator.core.event_frames import MEDIA_TYPE, BrokenFrameError, Frame
from orchestrator.core.failures import FailureKind
from orchestrator.providers.litellm import provider_bodies
from orchestrator.providers.litellm.body_limit import BodyTooLargeError
from orchestrator.providers.litellm.provider_bodies import (
    NoAnswerError,
    ProviderFailedError,
    listen,
    refusal_of,
)
from orchestrator.providers.litellm.provider_words import ProviderWords
from orchestrator.providers.litellm.sse_check import MalformedEventError

ASKED = httpx.Request("POST", "http://127.0.0.1/v1/messages", content=b'{"stream": true}')


class Pieces(httpx.AsyncByteStream):
    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def response(kind: str, *pieces: bytes, **headers: str) -> httpx.Response:
    return httpx.Response(
        200, headers={"content-type": kind, **headers}, stream=Pieces(*pieces), request=ASKED
    )


async def test_events_are_heard_however_they_are_cut() -> None:
    events = b'event: x\ndata: {"stop_reason": "end_turn"}\n\ndata: [DONE]\n\n'
    words, whole = ProviderWords(), b""
    said = response("text/event-stream", events[:20], events[20:25], events[25:])
    listen(said, words)
    async for piece in said.aiter_raw():
        whole += piece
    assert (whole, words.finish) == (events, "end_turn")


@pytest.mark.parametrize("cut_at", [1, 30, 70, 200])
async def test_a_character_that_was_cut_in_two_is_handed_on_whole(cut_at: int) -> None:
    halves = [
        b'{"delta": {"text": "a \\ud83d"}}',
        b'{"delta": {"text": "\\ude00 b"}, "stop_reason": "end_turn"}',
    ]
    events = b"".join(b"event: x\ndata: " + each + b"\n\n" for each in halves)
    words = ProviderWords()
    said = response("text/event-stream", events[:cut_at], events[cut_at:])
    listen(said, words)
    whole = b"".join([piece async for piece in said.aiter_raw()])
    texts = [
        json.loads(line[6:])["delta"]["text"] for line in whole.split(b"\n") if line.startswith(b"data: ")
    ]
    assert (texts, words.finish) == (["a ", "😀 b"], "end_turn")


def frame(event: bytes, **headers: str) -> bytes:
    return Frame({f":{name.replace('_', '-')}": value for name, value in headers.items()}, event).encoded()


async def test_frames_are_heard_however_they_are_cut() -> None:
    frames = frame(b'{"stopReason": "end_turn"}') + frame(b'{"usage": {"inputTokens": 7, "outputTokens": 2}}')
    words = ProviderWords()
    said = response(MEDIA_TYPE, frames[:20], frames[20:25], frames[25:])
    listen(said, words)
    assert b"".join([piece async for piece in said.aiter_raw()]) == frames
    assert (words.finish, words.counted().usage.input_tokens, words.failure) == ("end_turn", 7, None)


@pytest.mark.parametrize("kind", ["exception", "error"])
async def test_a_frame_that_is_no_event_is_an_error(kind: str) -> None:
    words = ProviderWords()
    said = response(MEDIA_TYPE, frame(b'{"message": "no"}', message_type=kind))
    listen(said, words)
    with pytest.raises(ProviderFailedError):
        await said.aread()
    assert words.failure is not None


@pytest.mark.parametrize("event", [b"{", b"[]", b'{"delta": {"text": 7}}'])
async def test_a_frame_whose_words_cannot_be_read_is_no_answer(event: bytes) -> None:
    said = response(MEDIA_TYPE, frame(event))
    listen(said, ProviderWords())
    with pytest.raises(MalformedEventError):
        await said.aread()


async def test_a_frame_that_was_changed_on_its_way_is_no_answer() -> None:
    said = response(MEDIA_TYPE, frame(b"{}")[:-1] + b"x")
    listen(said, ProviderWords())
    with pytest.raises(BrokenFrameError):
        await said.aread()


async def test_a_body_is_heard_whole_and_a_page_is_no_answer() -> None:
    words = ProviderWords()
    said = response("application/json; charset=utf-8", b'{"stop_rea', b'son": "end_turn"}')
    listen(said, words)
    await said.aread()
    assert words.finish == "end_turn"
    page = response("text/html", b"<html>")
    page.request = httpx.Request("POST", ASKED.url, content=b"{}")
    listen(page, words)
    with pytest.raises(NoAnswerError):
        await page.aread()


async def test_what_comes_packed_is_heard_too() -> None:
    """Its finish and its counts were LiteLLM's alone, which makes `stop` of what it does not know."""
    words = ProviderWords()
    packed = gzip.compress(b'{"stop_reason": "pause_turn"}')
    said = response("application/json", packed, **{"content-encoding": "gzip"})
    listen(said, words)
    await said.aread()
    assert words.finish == "pause_turn"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"error": {"code": "content_filter", "message": "a secret"}}', FailureKind.CONTENT_FILTERED),
        (400, b"<html>", FailureKind.SERVER_ERROR),
        (400, b'{"error": {"message": "Your credit balance is too low"}}', FailureKind.NO_CREDIT),
        (529, b"", FailureKind.UNAVAILABLE),
        (307, b"", FailureKind.MALFORMED),
        (500, b"a" * 10_000_000, FailureKind.SERVER_ERROR),
    ],
)
async def test_a_refusal_is_read_here_and_litellm_is_handed_none_of_it(
    status: int, body: bytes, kind: FailureKind
) -> None:
    """LiteLLM searches errors for secrets, for minutes where they are megabytes, and quotes them."""
    refused = httpx.Response(
        status, headers={"content-type": "application/json", "retry-after": "7"}, stream=Pieces(body)
    )
    failure = await refusal_of(refused)
    assert (failure.kind, failure.status) == (kind, status)
    assert b"refused" in await refused.aread()


async def test_a_refusal_that_came_packed_is_read_by_its_words() -> None:
    body = gzip.compress(b'{"error": {"message": "Your credit balance is too low"}}')
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    failure = await refusal_of(httpx.Response(400, headers=headers, stream=Pieces(body)))
    assert failure.kind is FailureKind.NO_CREDIT


async def test_a_refusal_whose_body_never_ends_is_clear_by_its_status(monkeypatch) -> None:
    """It was taken for a time-out, and booked at the bound."""
    monkeypatch.setattr(provider_bodies, "LAST_WORD_S", 0.01)

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b'{"error": {'
            await asyncio.Event().wait()

    failure = await refusal_of(httpx.Response(503, stream=Endless()))
    assert (failure.kind, failure.status) == (FailureKind.UNAVAILABLE, 503)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", FailureKind.RATE_LIMITED),
        ("internalServerException", FailureKind.SERVER_ERROR),
        ("serviceUnavailableException", FailureKind.UNAVAILABLE),
        ("newException", FailureKind.MALFORMED),
    ],
)
async def test_an_exception_in_a_frame_is_what_amazon_calls_it(name: str, kind: FailureKind) -> None:
    words = ProviderWords()
    said = response(MEDIA_TYPE, frame(b'{"message": "no"}', message_type="exception", exception_type=name))
    listen(said, words)
    with pytest.raises(ProviderFailedError):
        await said.aread()
    assert words.failure is not None
    assert words.failure.kind is kind


async def test_a_frame_of_a_models_own_format_is_heard_too() -> None:
    """What Bedrock is asked for by `invoke` has its event wrapped, and no end of it was heard."""
    inner = base64.b64encode(b'{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}').decode()
    words = ProviderWords()
    said = response(MEDIA_TYPE, frame(json.dumps({"bytes": inner}).encode()))
    listen(said, words)
    await said.aread()
    assert words.finish == "end_turn"


@pytest.mark.parametrize(
    "choice",
    [
        {"message": {"content": "other words"}, "finish_reason": "stop"},
        {"message": {"content": "more"}},
        {"text": "more"},
    ],
    ids=["at the end", "in the middle", "text"],
)
async def test_words_that_stand_where_nobody_reads_them_are_no_answer(choice: dict[str, object]) -> None:
    pieces = [{"delta": {"content": "Chào"}}, choice, {"delta": {}, "finish_reason": "stop"}]
    events = [b"data: " + json.dumps({"choices": [each]}).encode() + b"\n\n" for each in pieces]
    said = response("text/event-stream", *events)
    listen(said, ProviderWords())
    with pytest.raises(MalformedEventError):
        await said.aread()


@pytest.mark.parametrize(
    "odd",
    [
        {"delta": {}, "choices": ["more"]},
        {"choices": [{"delta": {"content": [{"type": []}]}}]},
        {"choices": [{"delta": {"content": [{"type": {}}]}}]},
    ],
    ids=["a choice", "a list as a type", "an object as a type"],
)
async def test_an_event_of_another_shape_is_malformed(odd: dict[str, object]) -> None:
    """It was a TypeError or an AttributeError of ours, of which nobody knows what is wrong."""
    said = response("text/event-stream", b"data: " + json.dumps(odd).encode() + b"\n\n")
    listen(said, ProviderWords())
    with pytest.raises(MalformedEventError):
        await said.aread()


@pytest.mark.parametrize(
    "odd",
    [{"promptFeedback": "fine"}, {"promptFeedback": ["fine"]}, {"object": "response", "status": []}],
    ids=["a text", "a list", "a status"],
)
async def test_an_odd_word_beside_an_answer_takes_nothing_from_it(odd: dict[str, object]) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Chào"}, "finish_reason": "stop"}
    said = response("application/json", json.dumps({**odd, "choices": [choice]}).encode())
    words = ProviderWords()
    listen(said, words)
    assert "Chào".encode() in await said.aread()
    assert words.finish == "stop"


async def test_a_stream_that_says_all_of_it_again_at_its_end_says_it_once() -> None:
    ended = {"message": {"content": "Chào"}, "delta": {}, "finish_reason": "stop"}
    pieces = [{"delta": {"content": "Chào"}}, ended]
    events = [b"data: " + json.dumps({"choices": [each]}).encode() + b"\n\n" for each in pieces]
    said = response("text/event-stream", *events)
    listen(said, ProviderWords())
    assert (await said.aread()).count("Chào".encode()) + (await said.aread()).count(b"Ch\\u00e0o") == 1


async def test_an_event_without_an_end_is_given_up() -> None:
    said = response("text/event-stream", b"data: " + b"a" * 600_000)
    listen(said, ProviderWords())
    with pytest.raises(BodyTooLargeError):
        await said.aread()
