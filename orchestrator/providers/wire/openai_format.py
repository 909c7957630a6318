"""Answers in OpenAI's chat-completions format, whole and streamed.

As OpenAI, OpenRouter, llama.cpp, Ollama and vLLM write it:
https://platform.openai.com/docs/api-reference/chat, https://openrouter.ai/docs/api-reference/overview.
Unknown fields are skipped; a part that is missing or of the wrong type is named.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from orchestrator.core.provider_answer import ProviderAnswer, UnreadableAnswerError
from orchestrator.core.reply import Delta, ToolCallDelta
from orchestrator.providers.wire.answer_draft import AnswerDraft, answer_place
from orchestrator.providers.wire.error_bodies import error_in
from orchestrator.providers.wire.failures import failure_of_error, failure_of_late_error
from orchestrator.providers.wire.finish_reasons import OPENAI_FINISH_REASONS
from orchestrator.providers.wire.half_characters import HalfCharacters
from orchestrator.providers.wire.sse import SentEvent, is_end_mark
from orchestrator.providers.wire.usage_reading import CountedUsage, read_openai_usage
from orchestrator.providers.wire.wire_json import read_object

_WORDLESS_PARTS = frozenset({"reasoning", "redacted_thinking", "reference", "image_url", "citations"})
"""Parts of `content` that may have no text. In any other it is missing: left out, half an answer is whole."""


def read_openai_answer(body: bytes, *, reports_cost: bool) -> ProviderAnswer:
    """Return the answer in a whole body; its cost where this provider reports one.

    Raises:
        UnreadableAnswerError: it is an error, or no whole answer; what it used comes along.
    """
    return _read_object(read_object(body), reports_cost=reports_cost)


def _read_object(data: Mapping[str, Any], *, reports_cost: bool) -> ProviderAnswer:
    """Return the answer in a decoded body.

    Raises:
        UnreadableAnswerError: as for `read_openai_answer`.
    """
    draft = AnswerDraft(_usage_reader(reports_cost=reports_cost), data.get("usage"))
    _take_names(draft, data)
    choice = _choice(draft, data)
    error = _error_in(data, choice)
    if choice is None:
        if error is None:
            raise draft.malformed("'choices' is missing or empty")
        raise draft.failed(failure_of_error(error), "the body is an error")
    message = choice.get("message")
    if isinstance(message, Mapping):
        _take_message(draft, message)
        draft.say_last()
    if error is not None:
        raise draft.failed(failure_of_error(error), "an error stands beside the answer")
    if not isinstance(message, Mapping):
        raise draft.malformed("'choices[0].message' is missing")
    draft.finish_reason = draft.known_finish(choice.get("finish_reason"), OPENAI_FINISH_REASONS)
    if draft.finish_reason is None:
        raise draft.malformed("'choices[0].finish_reason' is missing")
    draft.hear_native(choice.get("native_finish_reason"))
    return draft.whole()


class OpenAiReader:
    """Reads one streamed answer, event by event."""

    def __init__(self, *, reports_cost: bool) -> None:
        """Expect the first event."""
        self.draft = AnswerDraft(_usage_reader(reports_cost=reports_cost), has_last_count=False)
        self._halves = HalfCharacters()
        self._is_done = False

    @property
    def has_finished(self) -> bool:
        """Return whether the provider has said why its answer ends; its usage may still come."""
        return self._is_done or self.draft.finish_reason is not None

    @property
    def is_over(self) -> bool:
        """Return whether the end mark has come, behind which nothing counts."""
        return self._is_done

    @property
    def is_complete(self) -> bool:
        """Return whether all that an answer must have is there."""
        return self._is_done or (self.draft.finish_reason is not None and self.draft.has_last_count)

    def take(self, event: SentEvent) -> list[Delta]:
        """Return the pieces of the reply in one event; most have one, some have none.

        Raises:
            UnreadableAnswerError: it is no event of this format, or an error of the provider's.
        """
        if self._is_done or is_end_mark(event.data):
            self._is_done = True
            return []
        objects = self.draft.objects_in(event, self._halves)
        is_error = event.name == b"error"
        deltas = (self._take_chunk(data, is_error=is_error) for data in objects)
        return [delta for delta in deltas if delta is not None]

    def whole(self) -> ProviderAnswer:
        """Return the finished answer.

        Raises:
            UnreadableAnswerError: the stream ended too early, or said nothing that is an answer.
        """
        return self.draft.whole()

    def _take_chunk(self, data: Mapping[str, Any], *, is_error: bool) -> Delta | None:
        draft = self.draft
        _take_names(draft, data)
        choice = _choice(draft, data)
        if choice is not None:
            draft.take_place(choice.get("index"))
            if len(data["choices"]) > 1 and _pieces_at(draft.place, data["choices"]) > 1:
                raise draft.malformed("two pieces of one answer stand in one event")
        error = data if is_error and data.get("error") is None else _error_in(data, choice)
        has_finish = bool((choice or {}).get("finish_reason"))
        usage = data.get("usage") or (_usage_elsewhere(data, choice) if has_finish else None)
        if isinstance(usage, Mapping):
            ends = error is not None or has_finish
            draft.count(usage, ends=ends, alone=choice is None)
        delta = self._take_delta(_piece_of(draft, choice)) if choice is not None else None
        if has_finish and not draft.tags.is_over:
            delta = _with_last(draft, delta)
        if error is not None:
            raise draft.failed(failure_of_late_error(error, begun=draft.has_content), "an error event")
        if choice is not None:
            if not choice.get("finish_reason"):
                # A model that thinks unseen sends pieces of nothing, and what it thinks is counted later.
                draft.is_counted_alone = False
            draft.end(draft.known_finish(choice.get("finish_reason"), OPENAI_FINISH_REASONS))
            draft.hear_native(choice.get("native_finish_reason"))
        return delta

    def _take_delta(self, raw: Any) -> Delta | None:
        if raw is None:
            return None
        if not isinstance(raw, Mapping):
            raise self.draft.malformed("'choices[0].delta' is no object")
        thoughts_before = len(self.draft.thoughts)
        text, calls = _take_message(self.draft, raw, in_pieces=True)
        reasoning = "".join(self.draft.thoughts[thoughts_before:])
        if any(value for name, value in raw.items() if name != "role"):
            self.draft.is_counted_alone = False
        return Delta(text, calls, reasoning) if text or calls or reasoning else None


def _with_last(draft: AnswerDraft, delta: Delta | None) -> Delta | None:
    """Return the last piece of a stream with what was kept back of its text."""
    thoughts_before = len(draft.thoughts)
    text = draft.say_last()
    reasoning = "".join(draft.thoughts[thoughts_before:])
    if not text and not reasoning:
        return delta
    delta = delta or Delta("")
    return replace(delta, text=delta.text + text, reasoning=delta.reasoning + reasoning)


def _usage_reader(*, reports_cost: bool) -> Callable[[Any], CountedUsage]:
    return partial(read_openai_usage, reports_cost=reports_cost)


def _usage_elsewhere(data: Mapping[str, Any], choice: Mapping[str, Any] | None) -> Any:
    """Return the usage that stands with a stream's finish where Groq and Moonshot write it."""
    groqs = data.get("x_groq")
    return (groqs if isinstance(groqs, Mapping) else choice or {}).get("usage")


def _take_names(draft: AnswerDraft, data: Mapping[str, Any]) -> None:
    tier = data.get("service_tier")
    if draft.upstream_id is None or draft.served_model is None or tier is not None:
        draft.name(upstream_id=data.get("id"), served_model=data.get("model"), service_tier=tier)


def _choice(draft: AnswerDraft, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the choice that was asked for: of several that of the answer begun, else the first by index."""
    choices = data.get("choices")
    if choices is None or choices == []:
        return None
    if not isinstance(choices, list) or not all(
        each is None or isinstance(each, Mapping) for each in choices
    ):
        raise draft.malformed("'choices' is no list of objects")
    listed = [each for each in choices if each is not None]
    by_place: dict[int, Mapping[str, Any]] = {
        answer_place(each.get("index")): each for each in reversed(listed)
    }
    if draft.place in by_place:
        return by_place[draft.place]
    return by_place[min(by_place)] if by_place else None


def _pieces_at(place: int | None, choices: list[Mapping[str, Any] | None]) -> int:
    return sum(answer_place(each.get("index")) == place for each in choices if each is not None)


def _piece_of(draft: AnswerDraft, choice: Mapping[str, Any]) -> Any:
    """Return what a choice of a stream brings: its `delta`, or all of the answer where that comes at once.

    Raises:
        UnreadableAnswerError: its words stand elsewhere: to leave them out would make half an answer whole.
    """
    delta, message = choice.get("delta"), choice.get("message")
    # Its role alone is no word yet.
    is_piece = (
        any(value for name, value in delta.items() if name != "role") if isinstance(delta, Mapping) else delta
    )
    if is_piece:
        return delta
    if isinstance(message, Mapping):
        if choice.get("finish_reason") and not draft.has_content:
            return message
        if not _says_again(draft, message):
            raise draft.malformed("a piece stands in 'message', and 'delta' is its place")
    if choice.get("text") and not delta:
        raise draft.malformed("a piece stands in 'text', and 'delta' is its place")
    return delta


def _says_again(draft: AnswerDraft, message: Mapping[str, Any]) -> bool:
    """Return whether a message has nothing that the pieces before it have not: some streams end with all."""
    may_say = message.get("content") in (None, "", "".join(draft.texts))
    calls = message.get("tool_calls") or _older_call(message) or []
    return may_say and isinstance(calls, list) and len(calls) <= len(draft.calls)


def _error_in(data: Mapping[str, Any], choice: Mapping[str, Any] | None) -> Any:
    """Return the error in a body or an event, wherever servers put it; None when there is none."""
    if data.get("error"):
        return data["error"]
    for each in (choice, choice.get("message"), choice.get("delta")) if choice else ():
        if isinstance(each, Mapping) and each.get("error"):
            return each["error"]
    return error_in(data, answers=bool(choice))


def _take_message(
    draft: AnswerDraft, message: Mapping[str, Any], *, in_pieces: bool = False
) -> tuple[str, tuple[ToolCallDelta, ...]]:
    """Take in a message or a piece of one; return its text and tool calls."""
    text = _take_content(draft, message.get("content"))
    _take_thoughts(draft, message, in_pieces=in_pieces)
    draft.leaves_out_file = draft.leaves_out_file or bool(message.get("images") or message.get("audio"))
    refusal = message.get("refusal")
    if refusal and isinstance(refusal, str):
        draft.refusals.append(refusal)
    raw_calls = message.get("tool_calls") or _older_call(message)
    if not raw_calls:
        return text, ()
    if not isinstance(raw_calls, list):
        raise draft.malformed("'tool_calls' is no list")
    try:
        listed = [call for call in raw_calls if call is not None]
        if in_pieces:
            return text, tuple(draft.calls.add(call) for call in listed)
        # Whole ones are as many as are listed, whatever their ids and indexes say.
        return text, tuple(draft.calls.add(call, place=place) for place, call in enumerate(listed))
    except UnreadableAnswerError as exc:
        raise draft.malformed(exc.detail) from None


def _older_call(message: Mapping[str, Any]) -> list[Any] | None:
    """Return the one call of the format before there were lists of them."""
    function = message.get("function_call")
    return None if function is None else [{"index": 0, "function": function}]


def _take_content(draft: AnswerDraft, content: Any) -> str:
    if content is None or content == "":
        return ""
    if isinstance(content, str):
        return draft.say(content)
    if not isinstance(content, list):
        raise draft.malformed("'content' is neither text nor a list of parts")
    text = "".join(_text_of_part(draft, part) for part in content if part is not None)
    if text:
        draft.texts.append(text)
    return text


def _text_of_part(draft: AnswerDraft, part: Any) -> str:
    """Return the text of a part of a content list; Mistral's thinking goes to the thoughts."""
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        raise draft.malformed("a part of 'content' is no object")
    kind = part.get("type")
    if kind == "thinking":
        thoughts = part.get("thinking")
        listed = thoughts if isinstance(thoughts, list) else [{"text": thoughts}]
        draft.think("".join(_plain_text(each.get("text")) for each in listed if isinstance(each, Mapping)))
        return ""
    if kind == "refusal":
        draft.refusals.append(_plain_text(part.get("refusal")))
        return ""
    draft.leaves_out_file = draft.leaves_out_file or kind == "image_url"
    text = part.get("text")
    if not isinstance(text, str) and not (isinstance(kind, str) and kind in _WORDLESS_PARTS):
        raise draft.malformed("a part of 'content' has no text where text belongs")
    return _plain_text(text)


def _take_thoughts(draft: AnswerDraft, message: Mapping[str, Any], *, in_pieces: bool) -> None:
    text = message.get("reasoning_content") or message.get("reasoning")
    draft.think(_plain_text(text))
    blocks = message.get("reasoning_details")
    for block in blocks if isinstance(blocks, list) else ():
        if not isinstance(block, Mapping):
            continue
        if in_pieces:
            draft.grow_thought_block(block)
        else:
            draft.thought_blocks.append(dict(block))
        if not text:
            draft.think(_plain_text(block.get("text") or block.get("summary")))


def _plain_text(value: Any) -> str:
    return value if isinstance(value, str) else ""
