"""A stream's own lines say whether it is whole, whatever LiteLLM makes of them."""

import asyncio

import pytest

from orchestrator.providers.litellm import heard_streams
from orchestrator.providers.litellm.sse_check import (
    EndedEarlyError,
    MalformedEventError,
    checked,
    checked_in_thread,
)

USAGE = '"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5}'
GEMINI = (
    'data: {"candidates":[{"content":{"parts":[{"text":"Chào"}],"role":"model"},"index":0}],' + USAGE + "}"
)
GEMINI_END = (
    'data: {"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP","index":0}],' + USAGE + "}"
)
CHAT = 'data: {"choices":[{"index":0,"delta":{"content":"Chào"},"finish_reason":null}]}'
CHAT_END = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'
CHAT_USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":3}}'


async def read(*lines: str) -> list[str]:
    async def source():
        for line in lines:
            yield line

    try:
        in_thread = list(checked_in_thread(iter(lines)))
    except (EndedEarlyError, MalformedEventError) as error:
        with pytest.raises(type(error)):
            assert [line async for line in checked(source())]
        raise
    in_task = [line async for line in checked(source())]
    assert in_thread == in_task
    return in_task


@pytest.mark.parametrize(
    "lines",
    [
        (GEMINI, "", GEMINI_END),
        (": OPENROUTER PROCESSING", "", CHAT, CHAT_END, CHAT_USAGE, "data: [DONE]"),
        ('data: {"promptFeedback":{"blockReason":"SAFETY"}}',),
        (CHAT, 'data: {"error":{"code":502,"message":"down"}}'),
        ('data: {"type":"response.output_text.delta","delta":"Chào"}', 'data: {"type":"response.completed"}'),
    ],
    ids=["gemini", "openrouter", "a blocked prompt", "an error, which LiteLLM raises", "responses"],
)
async def test_a_whole_stream_passes_unchanged(lines):
    assert await read(*lines) == list(lines)


async def test_what_says_nothing_is_left_out_and_an_end_mark_is_written_as_litellm_knows_it():
    lines = await read("data: null", CHAT, "data: []", CHAT_END, 'data: "[done]"')
    assert lines == ["", CHAT, "", CHAT_END, "data: [DONE]"]


@pytest.mark.parametrize("lines", [(GEMINI, GEMINI), (CHAT, "data: [DONE]"), ()])
async def test_a_stream_without_a_reason_to_end_has_broken_off(lines):
    """Gemini's usage comes with every event, so it says nothing of the end; neither does `[DONE]`."""
    with pytest.raises(EndedEarlyError):
        await read(*lines)


@pytest.mark.parametrize(
    "line",
    [
        'data: {"choices":[{"delta":{"content":"bro',
        "<html>busy</html>",
        "\ufeff" + CHAT,
        " " + CHAT,
        CHAT.removeprefix("data: "),
        "data: [1]",
        'data: {"choices":{"0":1}}',
        'data: {"choices":[{"delta":{"content":7}}]}',
        'data: {"choices":[{"delta":"Chào"}]}',
        'data: {"candidates":[{"content":{"parts":[{"text":["Chào"]}]}}]}',
        'data: {"candidates":[{"content":{"parts":"Chào"}}]}',
        'data: {"candidates":[{"content":"Chào"}]}',
    ],
)
async def test_an_event_whose_words_would_be_lost_is_an_error(line):
    with pytest.raises(MalformedEventError):
        await read(CHAT, line, CHAT_END)


async def test_the_end_mark_ends_a_stream_whose_connection_stays_open(monkeypatch) -> None:
    monkeypatch.setattr(heard_streams, "REST_S", 0.01)

    async def source():
        for line in (CHAT, CHAT_END, "data: [DONE]"):
            yield line
        await asyncio.Event().wait()

    assert [line async for line in checked(source())][-1] == "data: [DONE]"

    def in_thread():
        yield from (CHAT, CHAT_END, "data: [DONE]")
        pytest.fail("a thread would wait for more")

    assert list(checked_in_thread(in_thread()))[-1] == "data: [DONE]"
