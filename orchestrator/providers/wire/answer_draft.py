"""An answer while it is being read, whole or in pieces, and what is believed of it in the end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import (
    SHOWN_THOUGHTS,
    ProviderAnswer,
    UnreadableAnswerError,
    stated_name,
    stated_tier,
)
from orchestrator.core.reply import ToolCall
from orchestrator.providers.wire.answer_checks import call_in_text, check_says_something, unreadable
from orchestrator.providers.wire.finish_reasons import FAILED, UNKNOWN, UNKNOWN_FINISH, native_finish
from orchestrator.providers.wire.half_characters import HalfCharacters
from orchestrator.providers.wire.sse import SentEvent
from orchestrator.providers.wire.thought_tags import ThoughtTags, parted_at_stray_end
from orchestrator.providers.wire.tool_call_assembly import CUT_CALL, ToolCallAssembly
from orchestrator.providers.wire.usage_reading import (
    CONTRADICTION,
    UNKNOWN_USAGE,
    CountedUsage,
    dearer_of,
    grown_of,
)
from orchestrator.providers.wire.wire_json import event_objects, index_of

_NOT_WHOLE = frozenset({"length", "content_filter"})
CUT_BY_THOUGHT = "the limit of output tokens was used up before the first word; raise max_tokens, or the model's reasoning_tokens"
LEFT_OUT_FILE = "a picture or another file of the answer is left out; a reply has text and tool calls"
LEFT_OUT_CODE = "code that the provider ran is left out, and what came of it; a reply has text and tool calls"


@dataclass(slots=True)
class AnswerDraft:
    """What has been read of one answer so far."""

    read_usage: Callable[[Any], CountedUsage]
    """Reads the usage of this format."""
    raw_usage: Any = None
    has_last_count: bool = True
    """The usage is that of the whole answer: of a stream none is before the end, though pieces may count."""
    is_counted_alone: bool = False
    """The latest count came in a piece of its own, and nothing was said after it."""
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    tags: ThoughtTags = field(default_factory=ThoughtTags)
    """Parts what was thought within the text."""
    is_shown: bool = False
    """What it says is shown while it comes."""
    shows_thoughts: bool = False
    """What was shown begins with thoughts, as only their end has told."""
    offers_tools: bool = False
    """Its question did, so that a tool call in the text is meant as one."""
    thought_blocks: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    calls: ToolCallAssembly = field(default_factory=ToolCallAssembly)
    finish_reason: str | None = None
    """One of the wire's own: stop, length, tool_calls, content_filter."""
    filtered_for: str | None = None
    """The format's own word for a finish by a filter, such as `RECITATION`."""
    has_unknown_finish: bool = False
    """The host behind a router has a reason of its own for the end, which no format has."""
    leaves_out_file: bool = False
    """It holds a picture or another file, which no reply carries."""
    leaves_out_code: bool = False
    """Likewise code that the provider ran, and what came of it."""
    upstream_id: str | None = None
    served_model: str | None = None
    service_tier: str | None = None
    pieces_before_unread: int | None = None
    """How many pieces there were when something came that cannot be read, behind the finish reason."""
    place: int | None = None
    """Which of several answers it is, where the format counts them; known with its first piece."""

    @property
    def has_content(self) -> bool:
        """Return whether the provider has begun to answer, be it only in thought."""
        return bool(self.texts or self.thoughts or self.thought_blocks or self.refusals or len(self.calls))

    @property
    def counted(self) -> CountedUsage:
        """Return what the provider says that the whole answer used."""
        return self.read_usage(self.raw_usage).of(self.has_content) if self.has_last_count else UNKNOWN_USAGE

    def objects_in(self, event: SentEvent, halves: HalfCharacters) -> list[dict[str, Any]]:
        """Return the objects in the data of one event.

        Behind the finish reason what cannot be read is passed over, be it a usage that is cut in two: the
        answer is whole, unless words come behind it all the same.

        Raises:
            UnreadableAnswerError: there is anything else in it.
        """
        try:
            return event_objects(event.data, halves)
        except UnreadableAnswerError as exc:
            if self.finish_reason is None:
                raise self.malformed(exc.detail) from None
        if self.pieces_before_unread is None:
            self.pieces_before_unread = self._piece_count
        return []

    @property
    def _piece_count(self) -> int:
        return len(self.texts) + len(self.calls)

    def count(self, raw_usage: Any, *, ends: bool, alone: bool = False) -> None:
        """Note what a piece of a stream counts; `ends` says that it ends the answer, well or badly.

        Of several counts of the whole answer the dearer is taken. One that comes `alone`, in a piece for
        nothing else, is of the whole answer too, when only the finish comes after it.
        """
        self.is_counted_alone = alone
        together = dearer_of if self.has_last_count else grown_of
        self.raw_usage = together(self.raw_usage, raw_usage)
        self.has_last_count = ends or self.finish_reason is not None

    def name(self, *, upstream_id: Any, served_model: Any, service_tier: Any) -> None:
        """Note what the provider calls this answer, its model and its tier; the first word counts.

        Of the tier it is the last one, which a stream may say in any of its pieces.
        """
        self.upstream_id = self.upstream_id or stated_name(upstream_id)
        self.served_model = self.served_model or stated_name(served_model)
        self.service_tier = stated_tier(service_tier) or self.service_tier

    def take_place(self, index: Any) -> None:
        """Note which answer a piece belongs to: one is asked for, and two must not be mixed.

        Raises:
            UnreadableAnswerError: it is another answer's.
        """
        place = answer_place(index)
        self.place = place if self.place is None else self.place
        if place != self.place:
            raise self.malformed("the stream mixes two answers")

    def known_finish(self, reason: Any, known: Mapping[str, str]) -> str | None:
        """Return a finish reason in the wire's own words, None where there is none yet.

        Raises:
            UnreadableAnswerError: it is none of `known`, the reasons of this format that end an answer well.
        """
        if reason is None or reason == "":
            return None
        finish = known.get(reason) if isinstance(reason, str) else None
        if finish is not None:
            self.filtered_for = reason if finish == "content_filter" else self.filtered_for
            return finish
        raise self._ended_badly()

    def hear_native(self, reason: Any) -> None:
        """Note why the host behind a router says that its answer ends; the worse of both words counts.

        Raises:
            UnreadableAnswerError: it failed.
        """
        finish = native_finish(reason)
        if finish == FAILED:
            raise self._ended_badly()
        self.has_unknown_finish = self.has_unknown_finish or finish == UNKNOWN
        if finish not in _NOT_WHOLE:
            return
        if finish == "content_filter":
            # A tool call, or a limit of tokens, says nothing about what was left out.
            self.finish_reason, self.filtered_for = finish, str(reason)
        self.end(finish)

    def _ended_badly(self) -> UnreadableAnswerError:
        detail = "it ended with a finish reason that stands for no whole answer"
        return self.broken(detail) if self.has_content else self.malformed(detail)

    def end(self, finish: str | None) -> None:
        """Note why the answer ends, where that is said; said twice, that it is not whole counts."""
        if finish is None:
            return
        self.has_last_count = self.has_last_count or self.is_counted_alone
        if self.finish_reason not in _NOT_WHOLE:
            self.finish_reason = finish

    def say(self, piece: str) -> str:
        """Take in a piece of text; return what of it is the answer's, without thoughts in tags before it.

        Raises:
            UnreadableAnswerError: it begins with a tool call, which the server has not read as one.
        """
        if not self.tags.is_over:
            return self._say_parted(*self.tags.feed(piece))
        if piece:
            self.texts.append(piece)
        return piece

    def say_last(self) -> str:
        """Take in what was kept of the text, at its end; return it.

        Raises:
            UnreadableAnswerError: it begins with a tool call, which the server has not read as one.
        """
        return self._say_parted(*self.tags.close())

    def _say_parted(self, piece: str, thoughts: str) -> str:
        self.think(thoughts)
        if self.tags.is_call and self.offers_tools:
            raise call_in_text(self.as_it_stands())
        if piece:
            self.texts.append(piece)
        return piece

    def think(self, text: str) -> None:
        """Add a piece of thought."""
        if text:
            self.thoughts.append(text)

    def grow_thought_block(self, piece: Mapping[str, Any]) -> None:
        """Add a piece of a block of thought to the last block, where both have the same type and index."""
        last = self.thought_blocks[-1] if self.thought_blocks else None
        if last is None or piece.get("index") is None or not _belong_together(last, piece):
            self.thought_blocks.append(dict(piece))
            return
        joined = {**last, **{name: value for name, value in piece.items() if value is not None}}
        for name in ("text", "summary"):
            if isinstance(piece.get(name), str) and isinstance(last.get(name), str):
                joined[name] = last[name] + piece[name]
        self.thought_blocks[-1] = joined

    def as_it_stands(self, calls: tuple[ToolCall, ...] = ()) -> ProviderAnswer:
        """Return what has been read, unchecked: what a failed attempt may be billed for."""
        counted = self.counted
        return ProviderAnswer(
            text="".join(self.texts),
            tool_calls=calls,
            finish_reason=self.finish_reason or "",
            usage=counted.usage,
            reported_cost_nusd=counted.reported_cost_nusd,
            upstream_id=self.upstream_id,
            reasoning="".join(self.thoughts),
            reasoning_details=tuple(self.thought_blocks),
            served_model=self.served_model,
            service_tier=self.service_tier,
            fee_nusd=counted.fee_nusd,
            notices=(CONTRADICTION,) if counted.contradicts else (),
        )

    def whole(self, *, id_suffix: str = "") -> ProviderAnswer:
        """Return the finished answer; `id_suffix` goes into ids of tool calls that came without one.

        Raises:
            UnreadableAnswerError: it has no finish, says nothing, was filtered or refused, or its tool calls
                cannot be read.
        """
        if self.finish_reason is None:
            raise self.broken("it ended without a finish reason")
        if self.pieces_before_unread not in (None, self._piece_count):
            raise self.malformed("a part within it cannot be read")
        try:
            calls, left_out = self.calls.finish(was_cut=self.finish_reason == "length", id_suffix=id_suffix)
        except UnreadableAnswerError as exc:
            raise self._with_answer(exc) from None
        if calls and self.finish_reason == "stop":
            # Gemini, and servers of OpenAI's format that are not OpenAI's, say so of tool calls too.
            self.finish_reason = "tool_calls"
        self._part_from_thoughts()
        answer = self.as_it_stands(calls)
        if self.refusals and not answer.text and not calls:
            raise unreadable(FailureKind.CONTENT_FILTERED, "the model refused to answer", answer=answer)
        check_says_something(answer, filtered_for=self.filtered_for)
        reasons = (
            (UNKNOWN_FINISH, self.has_unknown_finish),
            (SHOWN_THOUGHTS, self.shows_thoughts),
            (LEFT_OUT_FILE, self.leaves_out_file),
            (LEFT_OUT_CODE, self.leaves_out_code),
            (CUT_CALL, left_out),
        )
        notices = [notice for notice, is_so in reasons if is_so]
        return _with_notices(answer, notices, filtered_for=self.filtered_for)

    def _part_from_thoughts(self) -> None:
        """Part thoughts from the text whose beginning is in the prompt; what was shown of them stays."""
        parted = None if self.tags.had_any else parted_at_stray_end("".join(self.texts))
        if parted is None:
            return
        self.shows_thoughts = self.is_shown
        if not self.is_shown:
            self.think(parted[0])
            self.texts = [parted[1]]

    def broken(self, detail: str, *, status: int | None = None) -> UnreadableAnswerError:
        """Return the error for an answer that breaks off here."""
        return unreadable(FailureKind.INTERRUPTED, detail, answer=self.as_it_stands(), status=status)

    def failed(self, failure: Failure, detail: str) -> UnreadableAnswerError:
        """Return the error for an answer that the provider ends with an error."""
        return UnreadableAnswerError(failure, self.as_it_stands(), detail=detail)

    def malformed(self, detail: str) -> UnreadableAnswerError:
        """Return the error for a part that has not the shape of the format."""
        return unreadable(FailureKind.MALFORMED, detail, answer=self.as_it_stands())

    def _with_answer(self, exc: UnreadableAnswerError) -> UnreadableAnswerError:
        return UnreadableAnswerError(exc.failure, self.as_it_stands(), detail=exc.detail)


def answer_place(index: Any) -> int:
    """Return which of several answers an `index` means; the first where it says nothing."""
    return index_of(index) or 0


def _with_notices(
    answer: ProviderAnswer, more: list[str], *, filtered_for: str | None = None
) -> ProviderAnswer:
    notices = list(answer.notices)
    if filtered_for is not None:
        notices.append(f"the provider's content filter cut the answer off: {filtered_for}")
    notices += more
    if answer.finish_reason == "length" and not answer.text.strip() and not answer.tool_calls:
        notices.append(CUT_BY_THOUGHT)
    if len(notices) == len(answer.notices):
        return answer
    return replace(answer, notices=tuple(notices))


def _belong_together(block: Mapping[str, Any], piece: Mapping[str, Any]) -> bool:
    if piece.get("type") == "reasoning.encrypted":
        return False
    return all(block.get(name) == piece.get(name) for name in ("type", "index"))
