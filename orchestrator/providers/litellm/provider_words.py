"""A provider's own words, read beside LiteLLM: its counts, why it ended, and its errors.

LiteLLM turns a finish that it does not know into `stop`, makes up a usage where none came, and guesses
tokens of thought. What money and trust hang on is therefore read from the bytes themselves, in every format:
OpenAI's two, Anthropic's, Gemini's and Bedrock's.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import ProviderAnswer, UnreadableAnswerError, stated_tier
from orchestrator.providers.wire.error_bodies import error_in
from orchestrator.providers.wire.failures import failure_of_late_error
from orchestrator.providers.wire.finish_reasons import (
    FAILED,
    FINISH_REASONS,
    UNKNOWN,
    UNKNOWN_FINISH,
    native_finish,
)
from orchestrator.providers.wire.usage_reading import (
    CONTRADICTION,
    UNKNOWN_USAGE,
    CountedUsage,
    dearer_of,
    grown_of,
    read_anthropic_usage,
    read_bedrock_usage,
    read_gemini_usage,
    read_openai_usage,
    read_responses_usage,
)
from orchestrator.providers.wire.wire_json import read_object_or_none

_NOT_WHOLE = frozenset({"content_filter", "length"})
_ANSWERS = ("choices", "candidates", "output", "content", "delta", "response")
"""What holds an answer, or a piece of one, in some format."""
_SPOKEN = (
    *("content", "text", "thinking", "partial_json", "tool_calls", "reasoning_content", "reasoning"),
    *("toolUse", "reasoningContent"),
)
"""What a part has that brings words, thoughts or calls."""
_CALLED = ("tool_calls", "function_call", "tool_use")
_USAGES = ("usage", "usageMetadata")
_RESPONSE_ENDS = frozenset({"completed", "incomplete", "failed", "cancelled"})
_FINISHES = ("finish_reason", "finishReason", "stop_reason", "stopReason")


@dataclass(slots=True)
class ProviderWords:
    """What one answer said of itself."""

    heard: bool = False
    """Something of it was JSON, whole or as events."""
    finish: str | None = None
    """The provider's own word for why it ended."""
    native: str | None = None
    """What the host behind a router says of it."""
    failure: Failure | None = None
    """What its own error means."""
    has_spoken: bool = False
    """Something of an answer has come."""
    has_calls: bool = False
    """A tool call has come, or a piece of one."""
    ends_counted: bool = False
    """Its error came with counts, which are then of all that it used."""
    usage: dict[str, Any] = field(default_factory=dict)
    """Its counts; of several in a stream the dearer of each, but for what was cached: that grows too."""
    service_tier: str | None = None

    def take(self, raw: bytes) -> None:
        """Take one JSON text in; what is none is left to LiteLLM, which fails at it."""
        self.hear(read_object_or_none(raw))

    def hear(self, event: Any) -> None:
        """Take in what one JSON text says; nothing of what is no object."""
        if not isinstance(event, Mapping):
            return
        self.heard = True
        error = error_in(event, answers=any(map(event.get, _ANSWERS)) or _finish_of(event) is not None)
        if error is not None:
            self.fail(error)
            self.ends_counted = any(map(event.get, _USAGES))
        had_ended = self.finish is not None and bool(self.usage)
        for part in _parts_of(event):
            if part.get("error") and part is not event:
                self.fail(part["error"])
            self.has_spoken = self.has_spoken or any(map(part.get, _SPOKEN))
            self.has_calls = self.has_calls or _has_calls(part)
            self.finish = _finish_of(part) or self.finish
            self.native = native_finish(part.get("native_finish_reason")) or self.native
            self._count(part, had_ended=had_ended)
        if self.finish is not None and event.get("type") == "message_delta" and not _counts_output(event):
            # Anthropic's first event counts an answer that has not begun.
            self.usage = {}

    def fail(self, error: Any) -> None:
        """Take it that the provider has said that it failed, and how."""
        self.heard = True
        self.failure = self.failure or failure_of_late_error(error, begun=self.has_spoken)

    def _count(self, part: Mapping[str, Any], *, had_ended: bool) -> None:
        for name in _USAGES:
            counts = part.get(name)
            if isinstance(counts, Mapping):
                stated = {key: value for key, value in counts.items() if value is not None}
                self.usage = (dearer_of if had_ended else grown_of)(self.usage, stated)
        self.service_tier = stated_tier(part.get("service_tier")) or self.service_tier

    def counted(self) -> CountedUsage:
        """Return its counts, read in its own format; without them, or before its end, an estimate."""
        if self.finish is None and not self.ends_counted:
            return UNKNOWN_USAGE
        for name, read in _READERS.items():
            if name in self.usage:
                return read(self.usage)
        return UNKNOWN_USAGE

    def counted_answer(self) -> ProviderAnswer | None:
        """Return what came in the place of an answer, without its words; None where nothing counts it."""
        counted = self.counted().of(self.has_spoken)
        if counted.usage.estimated:
            return None
        notices = (CONTRADICTION,) if counted.contradicts else ()
        return ProviderAnswer(
            "",
            (),
            self.finish or "",
            counted.usage,
            None,
            None,
            notices=notices,
            service_tier=self.service_tier,
        )

    def checked(self, answer: ProviderAnswer) -> ProviderAnswer:
        """Return LiteLLM's reading of an answer with the provider's own counts and finish.

        Raises:
            UnreadableAnswerError: by its own words it is no whole answer.
        """
        if not self.heard:
            return answer
        answer = self.billed(answer)
        finish = FINISH_REASONS.get(self.finish or "")
        finish = self.native if self.native in _NOT_WHOLE else finish
        if self.failure is not None or finish is None or self.native == FAILED:
            kind = FailureKind.INTERRUPTED if answer.text else FailureKind.MALFORMED
            raise UnreadableAnswerError(Failure(kind), answer)
        if finish == "content_filter" and not answer.text:
            raise UnreadableAnswerError(Failure(FailureKind.CONTENT_FILTERED), answer)
        if self.finish in _CALLED and not self.has_calls:
            raise UnreadableAnswerError(Failure(FailureKind.MALFORMED), answer)
        if self.native == UNKNOWN:
            answer = replace(answer, notices=(*answer.notices, UNKNOWN_FINISH))
        # Of a schema LiteLLM makes a tool and reads its call as text, so that the other words stay its own.
        return replace(answer, finish_reason=finish) if finish in _NOT_WHOLE else answer

    def billed(self, answer: ProviderAnswer) -> ProviderAnswer:
        """Return an answer, or what came in its place, with the provider's own counts."""
        if not self.heard:
            return answer
        counted = self.counted().of(answer.has_content)
        notices = (*answer.notices, CONTRADICTION) if counted.contradicts else answer.notices
        return replace(answer, usage=counted.usage, notices=notices, service_tier=self.service_tier)


_READERS: Mapping[str, Callable[[Any], CountedUsage]] = {
    "input_tokens_details": read_responses_usage,
    "promptTokenCount": read_gemini_usage,
    "inputTokens": read_bedrock_usage,
    "input_tokens": read_anthropic_usage,
    "prompt_tokens": partial(read_openai_usage, reports_cost=False),
}
"""The format of a usage by a name that only that format has."""


def _finish_of(part: Mapping[str, Any]) -> str | None:
    """Return the vendor's word for why it ended, None where it has not."""
    if part.get("object") == "response":
        # OpenAI's Responses API, to which LiteLLM carries function tools of newer models over.
        details = part.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, Mapping) else None
        return str(reason or part.get("status")) if str(part.get("status")) in _RESPONSE_ENDS else None
    return next((str(part[name]) for name in _FINISHES if part.get(name)), None)


def _parts_of(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what may hold a finish, an error or counts: the whole, its choices, its inner parts."""
    listed: list[Any] = [event, event.get("message"), event.get("delta"), event.get("response")]
    output = event.get("output")
    listed += [event.get("x_groq"), event.get("content_block"), event.get("start")]
    listed.append(output.get("message") if isinstance(output, Mapping) else None)
    for name in ("choices", "candidates"):
        inner = event.get(name)
        choices = inner if isinstance(inner, list) else []
        listed.extend(choices)
        for choice in choices:
            listed += [choice.get("message"), choice.get("delta")] if isinstance(choice, Mapping) else []
    yield from (part for part in listed if isinstance(part, Mapping))


def _counts_output(event: Mapping[str, Any]) -> bool:
    counts = event.get("usage")
    return isinstance(counts, Mapping) and counts.get("output_tokens") is not None


def _has_calls(part: Mapping[str, Any]) -> bool:
    """Return whether a part has a tool call: OpenAI's, Anthropic's or Bedrock's, or a block of such."""
    if any(map(part.get, ("tool_calls", "function_call", "toolUse"))) or part.get("type") == "tool_use":
        return True
    content = part.get("content")
    blocks = content if isinstance(content, list) else []
    return any(_has_calls(block) for block in blocks if isinstance(block, Mapping))
