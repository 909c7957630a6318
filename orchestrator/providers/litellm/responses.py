"""What a provider answered, read from LiteLLM's objects and checked before it is believed.

LiteLLM says `finish_reason="stop"` of cut, empty and HTML answers, and providers send HTTP 200
with an error in it. So the shape is checked here: an answer has text or tool calls, or it is none.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel

from orchestrator.core.call_ids import TakenIds
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import (
    SHOWN_THOUGHTS,
    ProviderAnswer,
    UnreadableAnswerError,
    stated_name,
)
from orchestrator.core.reply import Delta, ToolCall, ToolCallDelta
from orchestrator.core.visible_text import shows_something
from orchestrator.providers.litellm.thoughts import Thoughts
from orchestrator.providers.wire.thought_tags import ThoughtTags, parted_at_stray_end, parted_from_thoughts
from orchestrator.providers.wire.tool_call_assembly import CUT_CALL
from orchestrator.providers.wire.usage_reading import CountedUsage, read_openai_usage
from orchestrator.providers.wire.wire_json import arguments_text, json_text


def check_answered(response: Any) -> None:
    """Check that LiteLLM returned anything at all.

    For OpenAI it answers a 422 by leaving parameters out and asking again, and returns nothing after
    the second 422.

    Raises:
        UnreadableAnswerError: it returned nothing, so the request itself was refused.
    """
    if response is None:
        raise UnreadableAnswerError(Failure(FailureKind.BAD_REQUEST, 422))


def read_answer(response: Any, *, reports_cost: bool) -> ProviderAnswer:
    """Return the answer in LiteLLM's response; its cost where the provider itself reports one.

    Raises:
        UnreadableAnswerError: no choice, an error inside, or neither text nor tool calls.
    """
    choices = getattr(response, "choices", None)
    if not choices:
        raise UnreadableAnswerError(Failure(FailureKind.MALFORMED))
    message = getattr(choices[0], "message", None)
    if message is None:
        raise UnreadableAnswerError(Failure(FailureKind.MALFORMED))
    finish_reason = str(getattr(choices[0], "finish_reason", None) or "stop")
    counted = counted_usage(getattr(response, "usage", None), reports_cost=reports_cost)
    counted = counted.of(says_something(response))
    upstream_id, thoughts = stated_name(getattr(response, "id", None)), Thoughts()
    thoughts.add(message)
    tagged, text = parted_from_thoughts(_text(getattr(message, "content", None)))
    if tagged:
        thoughts.texts.append(tagged)
    elif thoughts.texts:
        # LiteLLM parts both tags itself, and leaves the lines between thoughts and answer.
        text = text.lstrip("\n")
    answer = ProviderAnswer(
        text=text,
        tool_calls=_tool_calls(message, upstream_id),
        finish_reason=finish_reason,
        usage=counted.usage,
        reported_cost_nusd=counted.reported_cost_nusd,
        fee_nusd=counted.fee_nusd,
        upstream_id=upstream_id,
        reasoning=_text("".join(thoughts.texts)),
        reasoning_details=tuple(thoughts.blocks),
    )
    return _believed(answer)


def says_something(response: Any) -> bool:
    """Return whether a response of LiteLLM's, or a piece of one, has text or tool calls."""
    for choice in getattr(response, "choices", None) or ():
        holder = getattr(choice, "message", None) or getattr(choice, "delta", None)
        if getattr(holder, "content", None) or getattr(holder, "tool_calls", None):
            return True
    return False


def check_whole(answer: ProviderAnswer) -> None:
    """Check that an answer says something.

    Raises:
        UnreadableAnswerError: it was filtered, or it is empty though nothing cut it short.
    """
    if answer.finish_reason == "content_filter" and not answer.text:
        raise UnreadableAnswerError(Failure(FailureKind.CONTENT_FILTERED), answer)
    if answer.finish_reason == "error":
        raise UnreadableAnswerError(Failure(FailureKind.MALFORMED), answer)
    if not shows_something(answer.text) and not answer.tool_calls and answer.finish_reason != "length":
        raise UnreadableAnswerError(Failure(FailureKind.EMPTY), answer)


def _believed(answer: ProviderAnswer) -> ProviderAnswer:
    """Return an answer whose tool calls are whole; one that the limit of output has cut is left out.

    Raises:
        UnreadableAnswerError: as `check_whole`; or a call has no name, or arguments that are no JSON object.
    """
    whole: list[ToolCall] = []
    for call in answer.tool_calls:
        arguments = arguments_text(call.arguments) if call.name else None
        may_be_cut = answer.finish_reason == "length" and call is answer.tool_calls[-1]
        if may_be_cut and not call.arguments.strip():
            continue
        if arguments is not None:
            whole.append(replace(call, arguments=arguments))
        elif not may_be_cut:
            raise UnreadableAnswerError(Failure(FailureKind.MALFORMED), answer)
    if len(whole) < len(answer.tool_calls):
        answer = replace(answer, notices=(*answer.notices, CUT_CALL))
    answer = replace(answer, tool_calls=tuple(whole))
    if whole and answer.finish_reason == "stop":
        # Servers of OpenAI's format that are not OpenAI's say so of tool calls too.
        answer = replace(answer, finish_reason="tool_calls")
    check_whole(answer)
    return answer


def counted_usage(usage: Any, *, reports_cost: bool) -> CountedUsage:
    """Return what LiteLLM passes on of a provider's counts, read as our own wire reads them.

    A cost only of providers that report one: into other streams LiteLLM writes a cost of its own there.
    """
    return read_openai_usage(_plain(usage), reports_cost=reports_cost)


@dataclass(slots=True)
class _GrowingCall:
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class StreamedAnswer:
    """An answer that arrives in pieces."""

    text: str = ""
    finish_reason: str | None = None
    usage: Any = None
    upstream_id: str | None = None
    thoughts: Thoughts = field(default_factory=Thoughts)
    tags: ThoughtTags = field(default_factory=ThoughtTags)
    """Parts what was thought within the text."""
    _calls: dict[int, _GrowingCall] = field(default_factory=dict)
    _ids: TakenIds = field(default_factory=TakenIds)

    def add(self, chunk: Any) -> Delta | None:
        """Take one chunk in; return its piece of the reply, None when it has none.

        Raises:
            UnreadableAnswerError: the chunk says that the provider broke off with an error.
        """
        self.upstream_id = self.upstream_id or stated_name(getattr(chunk, "id", None))
        usage = getattr(chunk, "usage", None)
        if usage is not None:
            self.usage = usage
        choices = getattr(chunk, "choices", None) or ()
        if not choices:
            return None
        self.finish_reason = getattr(choices[0], "finish_reason", None) or self.finish_reason
        if self.finish_reason == "error":
            raise UnreadableAnswerError(Failure(FailureKind.INTERRUPTED))
        delta = getattr(choices[0], "delta", None)
        text = _text(getattr(delta, "content", None))
        calls = tuple(self._grow(call) for call in getattr(delta, "tool_calls", None) or ())
        thought = _text(self.thoughts.add(delta))
        if not self.tags.is_over:
            text, tagged = self._parted(text)
            thought += tagged
        self.text += text
        return Delta(text, calls, thought) if text or calls or thought else None

    def _parted(self, text: str) -> tuple[str, str]:
        """Return what is the answer's of a piece, and what is thought; with the finish all that was kept."""
        words, thought = self.tags.feed(text)
        if self.finish_reason is not None:
            last, more = self.tags.close()
            words, thought = words + last, thought + more
        if thought:
            self.thoughts.texts.append(thought)
        return words, thought

    @property
    def has_content(self) -> bool:
        """Return whether the reader has seen a piece of it."""
        return bool(self.text or self._calls or any(self.thoughts.texts))

    def whole(self, *, reports_cost: bool) -> ProviderAnswer:
        """Return the finished answer; its cost where the provider itself reports one.

        Raises:
            UnreadableAnswerError: the stream ended too early, or said nothing.
        """
        if self.finish_reason is None:
            raise UnreadableAnswerError(Failure(FailureKind.INTERRUPTED))
        counted = counted_usage(self.usage, reports_cost=reports_cost).of(self.has_content)
        answer = ProviderAnswer(
            text=self.text,
            tool_calls=tuple(
                ToolCall(call.id or _made_id(self.upstream_id, place), call.name, call.arguments)
                for place, call in self._calls.items()
            ),
            finish_reason=self.finish_reason,
            usage=counted.usage,
            reported_cost_nusd=counted.reported_cost_nusd,
            fee_nusd=counted.fee_nusd,
            upstream_id=self.upstream_id,
            reasoning=_text("".join(self.thoughts.texts)),
            reasoning_details=tuple(self.thoughts.blocks),
        )
        if not self.tags.had_any and parted_at_stray_end(self.text) is not None:
            answer = replace(answer, notices=(SHOWN_THOUGHTS,))
        return _believed(answer)

    def _grow(self, piece: Any) -> ToolCallDelta:
        index = int(getattr(piece, "index", 0) or 0)
        function = getattr(piece, "function", None)
        growing = self._calls.setdefault(index, _GrowingCall())
        call_id, name = getattr(piece, "id", None), getattr(function, "name", None)
        arguments = _text(getattr(function, "arguments", None)) or None
        if name and growing.name not in {"", name}:
            raise UnreadableAnswerError(Failure(FailureKind.MALFORMED))
        # Some providers repeat the id with every piece; a reader would join the repetitions.
        new_id = self._ids.take(str(call_id)) if call_id and not growing.id else None
        new_name = name if name and not growing.name else None
        growing.id = growing.id or new_id or ""
        growing.name = growing.name or str(name or "")
        growing.arguments += str(arguments or "")
        return ToolCallDelta(index, new_id, new_name, arguments)


def _made_id(upstream_id: str | None, place: int) -> str:
    """Return an id for a tool call that came without one: no other answer of the conversation may have it."""
    return f"call_{upstream_id}_{place}" if upstream_id else f"call_{place}"


def _tool_calls(message: Any, upstream_id: str | None) -> tuple[ToolCall, ...]:
    calls: list[ToolCall] = []
    ids = TakenIds()
    for place, call in enumerate(getattr(message, "tool_calls", None) or ()):
        function = getattr(call, "function", None)
        arguments = getattr(function, "arguments", None)
        call_id = str(getattr(call, "id", None) or _made_id(upstream_id, place))
        calls.append(
            ToolCall(
                id=ids.take(call_id),
                name=str(getattr(function, "name", None) or ""),
                arguments=_arguments_text(arguments),
            )
        )
    return tuple(calls)


def _arguments_text(arguments: Any) -> str:
    """Return arguments as text; what is neither text nor an object is JSON that is no object."""
    if arguments is None or isinstance(arguments, str):
        return _text(arguments)
    return json_text(arguments)


def _plain(holder: Any) -> Any:
    """Return one of LiteLLM's objects as the mapping that it stands for."""
    if isinstance(holder, BaseModel):
        return holder.model_dump()
    attributes = getattr(holder, "__dict__", None)
    return holder if attributes is None else {name: _plain(value) for name, value in attributes.items()}


def _text(value: Any) -> str:
    """Return a provider's text as Unicode that can be written: half an emoji is no character."""
    text = str(value or "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
