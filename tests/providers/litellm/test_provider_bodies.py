"""What is heard of a response, and what a refusal means by its own words."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from orchestrator.core.event_frames import MEDIA_TYPE, BrokenFrameError, Frame
from orchestrator.core.failures import FailureKind
from orchestrator.providers.litellm.provider_bodies import NoAnswerError, listen, refusal_of
from orchestrator.providers.litellm.provider_words import ProviderWords
from orchestrator.providers.litellm.sse_check import MalformedEventError


class Pieces(httpx.AsyncByteStream):
    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def response(kind: str, *pieces: bytes, **headers: str) -> httpx.Response:
    return httpx.Response(200, headers={"content-type": kind, **headers}, stream=Pieces(*pieces))


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
    assert (words.finish, words.counted().usage.input_tokens, words.has_error) == ("end_turn", 7, False)


@pytest.mark.parametrize("kind", ["exception", "error"])
async def test_a_frame_that_is_no_event_is_an_error(kind: str) -> None:
    words = ProviderWords()
    said = response(MEDIA_TYPE, frame(b'{"message": "no"}', message_type=kind))
    listen(said, words)
    await said.aread()
    assert words.has_error


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
    with pytest.raises(NoAnswerError):
        listen(response("text/html", b"<html>"), words)


async def test_what_comes_packed_is_left_to_litellm() -> None:
    words = ProviderWords()
    listen(response("application/json", b"...", **{"content-encoding": "gzip"}), words)
    assert not words.heard


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
