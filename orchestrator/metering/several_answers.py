"""Several answers in one stream of OpenAI's format (`n`), read for their one bill.

Each answer has a reader of its own. What a piece counts is believed once all of them have ended: before that
a server counts what has come so far.
"""

from collections.abc import Mapping
from typing import Any

from orchestrator.core.provider_answer import ProviderAnswer, UnreadableAnswerError
from orchestrator.core.reply import Delta
from orchestrator.providers.wire.answer_draft import answer_place
from orchestrator.providers.wire.openai_format import OpenAiReader, read_openai_answer
from orchestrator.providers.wire.sse import SentEvent, is_end_mark
from orchestrator.providers.wire.wire_json import event_objects, json_text


class SeveralReader:
    """Reads as many answers as were asked for; what is told of them is the first one's words."""

    def __init__(self, answers: int, *, reports_cost: bool) -> None:
        """Expect the first event."""
        self._reports_cost = reports_cost
        self._readers = [OpenAiReader(reports_cost=reports_cost) for _ in range(answers)]

    @property
    def has_content(self) -> bool:
        """Return whether one of the answers has begun."""
        return any(reader.draft.has_content for reader in self._readers)

    @property
    def upstream_id(self) -> str | None:
        """Return what the provider calls its answers."""
        return self._readers[0].draft.upstream_id

    @property
    def is_complete(self) -> bool:
        """Return whether all that the answers must have is there."""
        return all(reader.is_complete and reader.draft.finish_reason for reader in self._readers)

    @property
    def has_finished(self) -> bool:
        """Return whether it was said of all answers why they end."""
        return all(reader.has_finished for reader in self._readers)

    def take(self, event: SentEvent) -> list[Delta]:
        """Take in an event; return what it brings, of whichever answers.

        Behind the ends of all answers what cannot be read is passed over.

        Raises:
            UnreadableAnswerError: it is none of this format, an error, or of an answer that nobody asked for.
        """
        if is_end_mark(event.data):
            return []
        try:
            events = event_objects(event.data)
        except UnreadableAnswerError:
            if not self.has_finished:
                raise
            return []
        return [delta for data in events for delta in self._take(data, event.name)]

    def read(self, body: bytes) -> ProviderAnswer:
        """Return the first answer in a whole body, with what all of them used."""
        return read_openai_answer(body, reports_cost=self._reports_cost)

    def whole(self) -> ProviderAnswer:
        """Return the first answer, with what all of them used.

        Raises:
            UnreadableAnswerError: one of them ended too early, or is none.
        """
        first, *others = [reader.whole() for reader in self._readers]
        del others
        return first

    def _take(self, data: Mapping[str, Any], name: bytes) -> list[Delta]:
        deltas: list[Delta] = []
        choices = data.get("choices")
        head = {key: value for key, value in data.items() if key not in {"choices", "usage"}}
        if isinstance(choices, list):
            for choice in choices:
                reader = self._reader_of(choice)
                deltas += reader.take(SentEvent(json_text({**head, "choices": [choice]}).encode(), name))
            if choices and not self._are_counted(data):
                return deltas
        elif choices is not None:
            head["choices"] = choices
        if self._are_counted(data):
            head["usage"] = data["usage"]
        for reader in self._readers:
            reader.take(SentEvent(json_text(head).encode(), name))
        return deltas

    def _are_counted(self, data: Mapping[str, Any]) -> bool:
        return data.get("usage") is not None and all(reader.draft.finish_reason for reader in self._readers)

    def _reader_of(self, choice: Any) -> OpenAiReader:
        place = answer_place(choice.get("index")) if isinstance(choice, Mapping) else 0
        if place >= len(self._readers):
            raise self._readers[0].draft.malformed("an answer that nobody asked for")
        return self._readers[place]
