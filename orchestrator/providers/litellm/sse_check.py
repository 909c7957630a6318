"""The events of a provider's stream, checked before LiteLLM reads them.

LiteLLM leaves out an event that is not JSON, words and all, and makes up an end for a stream that
merely stopped. Both are told here, where the provider's own lines can still be seen. And it takes an
answer that speaks of the end mark `[DONE]` for finished: in an answer the mark is spelt otherwise.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import orjson

from orchestrator.providers.litellm import heard_streams
from orchestrator.providers.litellm.readable_answers import in_one_text
from orchestrator.providers.wire.sse import is_end_mark, is_stray
from orchestrator.providers.wire.wire_json import says_nothing

_END_MARK = "[DONE]"
RESPONSE_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
"""The last events of OpenAI's Responses API."""


class MalformedEventError(Exception):
    """An event of a stream cannot be read; its words are lost."""


class EndedEarlyError(Exception):
    """A stream stopped without saying that its answer is finished."""


async def checked(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """Yield the lines of a stream of server-sent events.

    Raises:
        MalformedEventError: an event is not JSON of the shape that can be read.
        EndedEarlyError: the stream ended, and no event gave a reason for finishing.
    """
    check = _LineCheck()
    async for line in lines:
        yield check.take(line)
        if check.has_end_mark:
            break
    check.end()
    try:
        async with asyncio.timeout(heard_streams.REST_S):
            async for _ in lines:
                pass
    except TimeoutError:
        return


def checked_in_thread(lines: Iterator[str]) -> Iterator[str]:
    """Yield the lines of a stream that is read in a thread, as `checked` does.

    Raises:
        MalformedEventError: an event is not JSON of the shape that can be read.
        EndedEarlyError: the stream ended, and no event gave a reason for finishing.
    """
    check = _LineCheck()
    for line in lines:
        yield check.take(line)
        if check.has_end_mark:
            break
    check.end()


class _LineCheck:
    """What is known of a stream after each of its lines."""

    def __init__(self) -> None:
        self._is_finished = False
        self.has_end_mark = False

    def take(self, line: str) -> str:
        """Return the line as it goes on."""
        if line.startswith("data:"):
            return self._take_data(line, line.removeprefix("data:").strip())
        if is_stray(line.encode("utf-8", "surrogatepass")):
            raise MalformedEventError
        return line

    def _take_data(self, line: str, data: str) -> str:
        raw = data.encode("utf-8", "surrogatepass")
        if is_end_mark(raw):
            self.has_end_mark = True
            return line if data == _END_MARK else f"data: {_END_MARK}"
        if says_nothing(raw):
            return ""
        self._is_finished = finishes(_event(data)) or self._is_finished
        # The same JSON: an escape for one of its letters.
        return line.replace(_END_MARK, "[DON\\u0045]")

    def end(self) -> None:
        if not self._is_finished:
            raise EndedEarlyError


def checked_event(data: bytes) -> dict[str, Any]:
    """Return an event that has come in a frame of its own.

    Raises:
        MalformedEventError: it is not JSON of the shape that can be read.
    """
    event = _event(data)
    finishes(event)
    return event


def _event(data: str | bytes) -> dict[str, Any]:
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise MalformedEventError from None
    if not isinstance(event, dict):
        raise MalformedEventError
    return event


def finishes(event: Mapping[str, Any]) -> bool:
    """Return whether an event says why the answer ends, in OpenAI's two, Gemini's or Anthropic's format.

    Raises:
        MalformedEventError: a piece of text is no text.
    """
    feedback = event.get("promptFeedback")
    is_blocked = isinstance(feedback, Mapping) and feedback.get("blockReason")
    if is_blocked or event.get("error") or str(event.get("type")) in RESPONSE_ENDS:
        return True
    delta = event.get("delta")
    if isinstance(delta, dict):
        _check_text({"delta": delta})
        return bool(delta.get("stop_reason"))
    listed = event.get("choices") or event.get("candidates") or []
    choices: list[Any] = [each for each in listed if each is not None] if isinstance(listed, list) else [None]
    if not all(isinstance(choice, dict) for choice in choices):
        raise MalformedEventError
    for choice in choices:
        _check_text(choice)
    return any(choice.get("finish_reason") or choice.get("finishReason") for choice in choices)


def _check_text(choice: Mapping[str, Any]) -> None:
    holders = [choice.get("delta") or {}]
    content = choice.get("content") or {}
    if not isinstance(content, dict):
        raise MalformedEventError
    parts = content.get("parts") or []
    holders += parts if isinstance(parts, list) else [None]
    for holder in holders:
        if not isinstance(holder, dict):
            raise MalformedEventError
        text = in_one_text(holder).get("content", holder.get("text"))
        if text is not None and not isinstance(text, str):
            raise MalformedEventError
