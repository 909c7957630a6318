"""What a practice provider is asked and what it answers.

An answer is a stream of pieces: text, tool calls, and at its end, where it matters, a reason
for finishing. A caller that needs it whole collects it.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Protocol

from orchestrator.practice.json_types import JsonObject


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
class PracticeToolCall:
    """A tool call; `arguments` is JSON text as the model wrote it, so it may be broken."""

    name: str
    arguments: str = "{}"
    id: str = ""
    """Given by the server when empty."""

    def __post_init__(self) -> None:
        """Refuse arguments that are no text.

        Raises:
            TypeError: they are something else, such as a dictionary.
        """
        if not isinstance(self.arguments, str):
            msg = f"arguments of {self.name} are JSON text: json.dumps({self.arguments!r})"  # type: ignore[unreachable]
            raise TypeError(msg)


@dataclass(frozen=True, slots=True)
class Thought:
    """Reasoning: so many tokens of output, of which only the usage tells where there is no text."""

    tokens: int
    text: str = ""
    """What is shown of it; a provider that shows none counts it all the same."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The last piece of an answer: `stop`, `length`, `tool_calls` or `content_filter`."""

    reason: str


Content = str | PracticeToolCall | Thought
"""What an answer is made of, and billed by."""

Piece = Content | Finish


@dataclass(frozen=True, slots=True)
class PracticeAnswer:
    """A whole answer; without a finish reason it is `tool_calls` if there are any, else `stop`."""

    text: str = ""
    tool_calls: tuple[PracticeToolCall, ...] = ()
    finish_reason: str | None = None
    reasoning_tokens: int = 0
    """What the model thinks before it answers, unseen."""
    reasoning: str = ""
    """What it thinks aloud before it answers; it counts as output too."""


class Answerer(Protocol):
    """Answers practice requests."""

    def answer(self, request: PracticeRequest) -> AsyncIterator[Piece]:
        """Yield the answer in pieces; `Finish` is optional and comes last."""
        ...


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
