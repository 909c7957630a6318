"""Answers of OpenAI's Responses API, read for their bill, and for whether they are whole.

What a client makes of them is its own. The format is that of
https://platform.openai.com/docs/api-reference/responses.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import ProviderAnswer, UnreadableAnswerError, stated_name, stated_tier
from orchestrator.core.reply import Delta
from orchestrator.providers.litellm.sse_check import RESPONSE_ENDS
from orchestrator.providers.litellm.whole_as_events import WORDS_OF_PARTS
from orchestrator.providers.wire.answer_checks import unreadable
from orchestrator.providers.wire.failures import failure_of_error
from orchestrator.providers.wire.sse import SentEvent
from orchestrator.providers.wire.usage_reading import read_openai_usage
from orchestrator.providers.wire.wire_json import arguments_text, event_objects, read_object

_DELTAS: Mapping[str, str] = {
    "response.output_text.delta": "message",
    "response.refusal.delta": "message",
    "response.function_call_arguments.delta": "function_call",
}
"""Pieces of what an answer says, and the kind of item that each is of."""
_THOUGHTS = frozenset({"response.reasoning_text.delta", "response.reasoning_summary_text.delta"})
_CUT_BY = frozenset({"max_output_tokens", "content_filter"})
"""Why a response is incomplete that is told as its finish."""


class ResponsesReader:
    """One answer, whole or as its events come."""

    def __init__(self) -> None:
        """Expect the first event, or the only body."""
        self._last: Mapping[str, Any] | None = None
        self._pieces: set[str] = set()
        """Of which kinds of items pieces have come."""
        self.has_content = False
        self.upstream_id: str | None = None
        """What the provider calls it."""

    @property
    def is_complete(self) -> bool:
        """Return whether its last event has come."""
        return self._last is not None

    @property
    def has_finished(self) -> bool:
        """Return the same: its last event says why it ends, too."""
        return self._last is not None

    def take(self, event: SentEvent) -> list[Delta]:
        """Take in an event of a stream; return words, thoughts, and the arguments of tool calls as text.

        Behind the last event what cannot be read is passed over.

        Raises:
            UnreadableAnswerError: it is an error, or holds words that are none.
        """
        deltas = []
        try:
            events = event_objects(event.data)
        except UnreadableAnswerError:
            if self._last is None:
                raise
            return []
        for data in events:
            kind = str(data.get("type"))
            self.upstream_id = self.upstream_id or _id_of(data.get("response"))
            self.has_content = self.has_content or kind.endswith(".delta")
            if kind == "error" or (data.get("error") and kind not in RESPONSE_ENDS):
                raise UnreadableAnswerError(failure_of_error(data.get("error") or data))
            if kind in _DELTAS:
                self._pieces.add(_DELTAS[kind])
                if not isinstance(data.get("delta"), str):
                    raise unreadable(FailureKind.MALFORMED, "a piece of it is no text")
                deltas.append(Delta(data["delta"]))
            elif kind in _THOUGHTS and isinstance(data.get("delta"), str):
                deltas.append(Delta(reasoning=data["delta"]))
            if kind in RESPONSE_ENDS and isinstance(data.get("response"), Mapping):
                self._last = data["response"]
        return deltas

    def read(self, body: bytes) -> ProviderAnswer:
        """Return the answer in a whole body.

        Raises:
            UnreadableAnswerError: it is none, or none that is whole.
        """
        return _answer_of(read_object(body))

    def whole(self) -> ProviderAnswer:
        """Return the finished answer of a stream.

        Raises:
            UnreadableAnswerError: it is none that is whole, or its pieces have not come.
        """
        if self._last is None:
            raise unreadable(FailureKind.INTERRUPTED, "it ended without its last event")
        answer = _answer_of(self._last)
        for item in self._last["output"]:
            # Clients make the message of the pieces alone, which may have been lost on the way.
            if item["type"] in _DELTAS.values() and _says(item) and item["type"] not in self._pieces:
                lost = replace(answer, finish_reason="")
                raise unreadable(
                    FailureKind.MALFORMED, "its last event holds what no piece said", answer=lost
                )
        return answer


def _answer_of(response: Mapping[str, Any]) -> ProviderAnswer:
    counted = read_openai_usage(_chat_usage(response.get("usage")), reports_cost=False)
    answer = ProviderAnswer(
        text="",
        tool_calls=(),
        finish_reason="",
        usage=counted.usage,
        reported_cost_nusd=None,
        upstream_id=_id_of(response),
        service_tier=stated_tier(response.get("service_tier")),
    )
    if response.get("error"):
        raise UnreadableAnswerError(failure_of_error(response["error"]), answer)
    _check_end(response, answer)
    output = response.get("output")
    if not isinstance(output, list) or not all(isinstance(item, Mapping) for item in output):
        raise unreadable(FailureKind.MALFORMED, "'output' is no list of items", answer=answer)
    is_cut = response["status"] == "incomplete"
    for item in output:
        _check_item(item, answer, is_cut=is_cut)
    ids = [item["call_id"] for item in output if item.get("type") == "function_call"]
    if len(set(ids)) < len(ids):
        raise unreadable(FailureKind.MALFORMED, "two tool calls have one id", answer=answer)
    if not is_cut and not any(map(_says, output)):
        raise unreadable(FailureKind.EMPTY, "neither text nor tool calls", answer=answer)
    return replace(answer, finish_reason=str(response["status"]))


def _id_of(response: Any) -> str | None:
    return stated_name(response.get("id")) if isinstance(response, Mapping) else None


def _check_end(response: Mapping[str, Any], answer: ProviderAnswer) -> None:
    """Check why a response ends: behind a word that is not known may stand half an answer."""
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, Mapping) else None
    status = response.get("status")
    if status == "completed" or (status == "incomplete" and isinstance(reason, str) and reason in _CUT_BY):
        return
    raise UnreadableAnswerError(
        Failure(FailureKind.INTERRUPTED), answer, detail="its status stands for no whole answer"
    )


def _check_item(item: Mapping[str, Any], answer: ProviderAnswer, *, is_cut: bool) -> None:
    """Check that the words of an item are text, and that a call can be carried out or is told as cut."""
    if item.get("type") == "message":
        parts = item.get("content")
        if not isinstance(parts, list) or not all(isinstance(part, Mapping) for part in parts):
            raise unreadable(
                FailureKind.MALFORMED, "the content of a message is no list of parts", answer=answer
            )
        for part in parts:
            name = WORDS_OF_PARTS.get(str(part.get("type")))
            if name is None or not isinstance(part.get(name), str):
                raise unreadable(FailureKind.MALFORMED, "a part of a message is no text", answer=answer)
    elif item.get("type") == "function_call":
        name, arguments = item.get("name"), item.get("arguments")
        is_named = all(isinstance(word, str) and word for word in (name, item.get("call_id")))
        is_one = is_named and isinstance(arguments, str)
        if not is_one or (not is_cut and arguments_text(str(arguments)) is None):
            raise unreadable(
                FailureKind.MALFORMED,
                "a tool call comes without a name, an id, or arguments that are a JSON object",
                answer=answer,
            )
    elif item.get("type") != "reasoning":
        raise unreadable(FailureKind.MALFORMED, "it has an item that nobody asked for", answer=answer)


def _says(item: Mapping[str, Any]) -> bool:
    if item.get("type") == "message":
        return any(
            part.get(WORDS_OF_PARTS.get(str(part.get("type")), "")) for part in item.get("content") or ()
        )
    return item.get("type") == "function_call"


def _chat_usage(usage: Any) -> Any:
    """Return a usage of the Responses API by the names of chat completions."""
    if not isinstance(usage, Mapping):
        return usage
    return {
        "prompt_tokens": usage.get("input_tokens"),
        "completion_tokens": usage.get("output_tokens"),
        "total_tokens": usage.get("total_tokens"),
        "prompt_tokens_details": usage.get("input_tokens_details"),
        "completion_tokens_details": usage.get("output_tokens_details"),
    }
