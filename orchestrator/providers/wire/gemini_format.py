"""Answers in the format of Gemini's `generateContent`, whole and streamed: both are the same object.

https://ai.google.dev/api/generate-content. A thought signature travels with the tool call that it belongs to:
behind `SIGNATURE_MARK` in the call's id, as LiteLLM writes it too, because ids are what callers send back.
"""

from collections.abc import Mapping
from typing import Any

from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import Delta, ToolCallDelta
from orchestrator.providers.wire.answer_checks import unreadable
from orchestrator.providers.wire.answer_draft import AnswerDraft
from orchestrator.providers.wire.error_bodies import is_bare_error
from orchestrator.providers.wire.failures import failure_of_error, failure_of_late_error
from orchestrator.providers.wire.finish_reasons import GEMINI_FINISH_REASONS
from orchestrator.providers.wire.half_characters import HalfCharacters
from orchestrator.providers.wire.sse import SentEvent, is_end_mark
from orchestrator.providers.wire.thought_signatures import signature_block, with_signature
from orchestrator.providers.wire.usage_reading import read_gemini_usage
from orchestrator.providers.wire.wire_json import read_object

_FILES = frozenset({"inlineData", "fileData"})
_CODE = frozenset({"executableCode", "codeExecutionResult"})
_PART_WORDS = _FILES | _CODE | {"text", "functionCall", "thoughtSignature"}
_PART_NAMES = _PART_WORDS | {"thought"}
"""What a part of an answer may hold; how Google's own tools came to it are no words of the answer."""
_SPELT = frozenset(name.lower() for name in _PART_NAMES)
_NO_THOUGHT = (None, False, "false")
_NO_ARGUMENTS: tuple[Any, ...] = (None, [], "")
"""What stands in the place of an object without any."""
BLOCK_REASONS = ("SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "JAILBREAK")
"""Why a prompt may be blocked; another word than these is not repeated."""


def read_gemini_answer(body: bytes) -> ProviderAnswer:
    """Return the answer in a whole body.

    Raises:
        UnreadableAnswerError: it is an error, or no whole answer; what it used comes along.
    """
    return _read_object(read_object(body))


def _read_object(data: Mapping[str, Any]) -> ProviderAnswer:
    """Return the answer in a decoded body.

    Raises:
        UnreadableAnswerError: as for `read_gemini_answer`.
    """
    stream = GeminiReader(in_pieces=False)
    stream.take_response(data)
    if stream.draft.finish_reason is None:
        part = "finishReason" if data.get("candidates") else "candidates"
        raise stream.draft.malformed(f"'{part}' is missing")
    return stream.whole()


class GeminiReader:
    """Reads one answer, response by response."""

    def __init__(self, *, in_pieces: bool = True) -> None:
        """Expect the first response, or the only one where it does not come in pieces."""
        self.draft = AnswerDraft(read_gemini_usage, has_last_count=not in_pieces)
        self._in_pieces = in_pieces
        self._halves = HalfCharacters()
        self._text_signature: str | None = None

    @property
    def has_finished(self) -> bool:
        """Return whether the provider has said why its answer ends."""
        return self.draft.finish_reason is not None

    @property
    def is_over(self) -> bool:
        """Return False: the format has no end mark."""
        return False

    @property
    def is_complete(self) -> bool:
        """Return whether all that an answer must have is there."""
        draft = self.draft
        return draft.finish_reason is not None and not draft.counted.usage.estimated

    def take(self, event: SentEvent) -> list[Delta]:
        """Return the pieces of the reply in one event; most have one, some have none.

        Raises:
            UnreadableAnswerError: it is no event of this format, or an error of the provider's.
        """
        # Google has none, and some servers of its format write OpenAI's.
        if self.has_finished and is_end_mark(event.data):
            return []
        objects = self.draft.objects_in(event, self._halves)
        deltas = (self.take_response(data) for data in objects)
        return [delta for delta in deltas if delta is not None]

    def take_response(self, data: Mapping[str, Any]) -> Delta | None:
        """Take in one response of the answer; return its piece of the reply, None when it has none.

        Raises:
            UnreadableAnswerError: it has not the shape of the format, or is an error of the provider's.
        """
        draft = self.draft
        draft.name(
            upstream_id=data.get("responseId"), served_model=data.get("modelVersion"), service_tier=None
        )
        if "usageMetadata" in data:
            draft.count(data["usageMetadata"], ends=not self._in_pieces or _ends(data))
        self._check_error(data.get("error"))
        self._check_feedback(data.get("promptFeedback"))
        candidate = self._candidate(data)
        if candidate is None:
            self._check_error(data if is_bare_error(data) else None)
            return None
        self._check_error(candidate.get("error"))
        draft.take_place(candidate.get("index"))
        delta = self._take_content(candidate.get("content"))
        draft.end(draft.known_finish(candidate.get("finishReason"), GEMINI_FINISH_REASONS))
        return delta

    def whole(self) -> ProviderAnswer:
        """Return the finished answer.

        Raises:
            UnreadableAnswerError: the stream ended too early, or said nothing that is an answer.
        """
        draft = self.draft
        if self._text_signature is not None:
            draft.thought_blocks.append(signature_block(self._text_signature))
            self._text_signature = None
        return draft.whole()

    def _check_error(self, error: Any) -> None:
        if error:
            begun = self.draft.has_content
            late = failure_of_late_error(error, begun=begun)
            raise self.draft.failed(late if begun else failure_of_error(error), "an error in its place")

    def _check_feedback(self, feedback: Any) -> None:
        reason = feedback.get("blockReason") if isinstance(feedback, Mapping) else None
        if reason:
            self.draft.finish_reason = "content_filter"
            named = f": {reason}" if reason in BLOCK_REASONS else ""
            raise unreadable(
                FailureKind.CONTENT_FILTERED,
                f"the prompt was blocked{named}",
                answer=self.draft.as_it_stands(),
            )

    def _candidate(self, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
        candidates = data.get("candidates")
        if candidates is None or candidates == []:
            return None
        if not isinstance(candidates, list) or not isinstance(candidates[0], Mapping):
            raise self.draft.malformed("'candidates' is no list of objects")
        return candidates[0]

    def _take_content(self, content: Any) -> Delta | None:
        if content is None:
            return None
        parts = content.get("parts") if isinstance(content, Mapping) else content
        if parts is None:
            return None
        if not isinstance(parts, list) or not all(isinstance(part, Mapping) for part in parts):
            raise self.draft.malformed("'content.parts' is no list of objects")
        for part in parts:
            self._check_part(part)
        thoughts_before = len(self.draft.thoughts)
        text = "".join(self._text_of(part) for part in parts)
        calls = tuple(self._call_of(part) for part in parts if part.get("functionCall") is not None)
        if text:
            self.draft.texts.append(text)
        reasoning = "".join(self.draft.thoughts[thoughts_before:])
        return Delta(text, calls, reasoning) if text or calls or reasoning else None

    def _check_part(self, part: Mapping[str, Any]) -> None:
        """Check that what a part says stands where it is read; files and code are left out, and told."""
        names = {name for name, value in part.items() if value not in (None, "", False)}
        if names - _PART_NAMES and (not names & _PART_WORDS or _spelt_otherwise(names)):
            raise self.draft.malformed("a part holds something that is none of the format's")
        self.draft.leaves_out_file = self.draft.leaves_out_file or bool(names & _FILES)
        self.draft.leaves_out_code = self.draft.leaves_out_code or bool(names & _CODE)

    def _text_of(self, part: Mapping[str, Any]) -> str:
        text = part.get("text")
        if text is not None and not isinstance(text, str):
            raise self.draft.malformed("a part's 'text' is no text")
        signature = part.get("thoughtSignature")
        if isinstance(signature, str) and signature and part.get("functionCall") is None:
            self._text_signature = signature
        if part.get("thought") not in _NO_THOUGHT:
            self.draft.think(text or "")
            return ""
        return text or ""

    def _call_of(self, part: Mapping[str, Any]) -> ToolCallDelta:
        call, signature = part["functionCall"], part.get("thoughtSignature")
        arguments = call.get("args") if isinstance(call, Mapping) else None
        if isinstance(call, Mapping) and (call.get("partialArgs") or call.get("willContinue")):
            raise self.draft.malformed("a 'functionCall' comes in pieces, which was not asked for")
        named = isinstance(call, Mapping) and isinstance(call.get("name"), str) and bool(call["name"])
        if arguments in _NO_ARGUMENTS:
            arguments = {}
        if not named or not isinstance(arguments, Mapping):
            raise self.draft.malformed("a 'functionCall' comes without a name, or its 'args' are no object")
        own_id = call.get("id")
        call_id = own_id if isinstance(own_id, str) and own_id else self._new_id()
        signed_id = with_signature(call_id, signature if isinstance(signature, str) else None)
        return self.draft.calls.add_whole(call_id=signed_id, name=call["name"], arguments=arguments)

    def _new_id(self) -> str:
        """Return an id for a call that has none, unlike those of the conversation's other answers."""
        place = len(self.draft.calls)
        return f"call_{self.draft.upstream_id}_{place}" if self.draft.upstream_id else f"call_{place}"


def _spelt_otherwise(names: set[str]) -> bool:
    """Return whether one of the format's names is written in another way, such as `function_call`."""
    return any(name not in _PART_NAMES and name.replace("_", "").lower() in _SPELT for name in names)


def _ends(data: Mapping[str, Any]) -> bool:
    """Return whether a response is the last one; a count before it is that of the answer so far."""
    feedback, candidates = data.get("promptFeedback"), data.get("candidates")
    first = candidates[0] if isinstance(candidates, list) and candidates else None
    return bool(
        data.get("error")
        or (isinstance(feedback, Mapping) and feedback.get("blockReason"))
        or (isinstance(first, Mapping) and first.get("finishReason"))
    )
