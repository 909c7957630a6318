"""What a practice provider is asked and what it answers: the nouns, and answers from a script.

An answer is a stream of pieces: text, tool calls, and at its end, where it matters, a reason
for finishing. Whoever wants it whole collects it.
"""

import re
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

JsonObject = dict[str, Any]
"""A decoded JSON object."""

JsonValue = Any
"""Any decoded JSON value."""

_PIECE = re.compile(r"\s*\S{1,24}|\s+")


@dataclass(frozen=True, slots=True)
class PracticeRequest:
    """One request for an answer, the same whichever provider's wire format it came in."""

    provider: str
    model: str
    messages: tuple[JsonObject, ...]
    """In OpenAI's shape: role, content (text or parts), tool_calls, tool_call_id."""
    tools: tuple[JsonObject, ...] = ()
    """Each with name, description and parameters (a JSON schema)."""
    tool_choice: str = "auto"
    """`auto`, `none`, `required`, or `named` with `forced_tool`."""
    forced_tool: str | None = None
    response_format: JsonObject | None = None
    """In OpenAI's shape: type `json_object`, or `json_schema` with the schema."""
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    temperature: float | None = None
    begun: str | None = None
    """What had been read of the answer to these messages when it broke off; it is asked for again."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call; `arguments` is JSON text as the model wrote it, so it may be broken."""

    name: str
    arguments: str = "{}"
    id: str = ""
    """Given by the server when empty."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The last piece of an answer: `stop`, `length`, `tool_calls` or `content_filter`."""

    reason: str


Piece = str | ToolCall | Finish


@dataclass(frozen=True, slots=True)
class PracticeAnswer:
    """A whole answer; without a finish reason it is `tool_calls` if there are any, else `stop`."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None


class Answerer(Protocol):
    """Whoever answers practice requests."""

    def answer(self, request: PracticeRequest) -> AsyncIterator[Piece]:
        """Yield the answer in pieces; `Finish` is optional and comes last."""
        ...


Reply = str | ToolCall | PracticeAnswer
"""A scripted reply: text, one tool call, or a whole answer."""


class Scripted:
    """Answers from a script, then from rules.

    A reply whose key in `matched` occurs in the last user message (case ignored; an empty key
    occurs in every message) comes first, then the `replies` in order, each once, then the rule-based
    answer of `orchestrator.practice.rules`. An answer that broke off is asked for again and is the
    same reply. Replies may be added from any thread.
    """

    def __init__(self, replies: Iterable[Reply] = (), *, matched: Mapping[str, Reply] | None = None) -> None:
        """Take the replies in order and those for matching messages."""
        self._replies = deque(replies)
        self._told: PracticeAnswer | None = None
        """The last reply that was given in order."""
        self._matched = {key.casefold(): _whole(reply) for key, reply in (matched or {}).items()}

    def add(self, *replies: Reply) -> None:
        """Append replies to those that are given in order."""
        self._replies.extend(replies)

    async def answer(self, request: PracticeRequest) -> AsyncIterator[Piece]:
        """Yield the scripted or rule-based answer in pieces of about a word."""
        answer = self.reply_to(request)
        for text in _PIECE.findall(answer.text):
            yield text
        for call in answer.tool_calls:
            yield call
        if answer.finish_reason is not None:
            yield Finish(answer.finish_reason)

    def reply_to(self, request: PracticeRequest) -> PracticeAnswer:
        """Return the whole answer; uses up an ordered reply."""
        if self._matched:
            asked = last_text(request.messages, role="user").casefold()
            for key, reply in self._matched.items():
                if key in asked:
                    return reply
        if request.begun is not None and self._told is not None and self._told.text.startswith(request.begun):
            return self._told
        try:
            self._told = _whole(self._replies.popleft())
            return self._told
        except IndexError:
            from orchestrator.practice.rules import rule_based_answer  # noqa: PLC0415 -- rules import this module

            return rule_based_answer(request)


def text_of(message: JsonObject) -> str:
    """Return a message's text: its string, or its text parts joined by a line break."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(_part_text(part) for part in content if _part_text(part))


def last_text(messages: Iterable[JsonObject], *, role: str) -> str:
    """Return the text of the last message of a role, empty if there is none."""
    return next(
        (text_of(message) for message in reversed(tuple(messages)) if message.get("role") == role), ""
    )


def _part_text(part: object) -> str:
    if isinstance(part, str):
        return part
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else ""


def _whole(reply: Reply) -> PracticeAnswer:
    if isinstance(reply, PracticeAnswer):
        return reply
    if isinstance(reply, ToolCall):
        return PracticeAnswer(tool_calls=(reply,))
    return PracticeAnswer(text=reply)
