"""The formats of our own wire, a row for each kind of provider: how each writes and reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import Delta
from orchestrator.providers.wire.answer_draft import AnswerDraft
from orchestrator.providers.wire.embedding_format import (
    EmbeddingFormat,
    gemini_embedding_format,
    openai_embedding_format,
)
from orchestrator.providers.wire.gemini_format import GeminiReader, read_gemini_answer
from orchestrator.providers.wire.gemini_request import gemini_body, gemini_path
from orchestrator.providers.wire.openai_format import OpenAiReader, read_openai_answer
from orchestrator.providers.wire.openai_request import OPENAI_PATH, openai_body
from orchestrator.providers.wire.outbound import OutboundRequest
from orchestrator.providers.wire.sse import SentEvent


class StreamReader(Protocol):
    """What reads the events of one format."""

    draft: AnswerDraft

    @property
    def has_finished(self) -> bool:
        """Return whether the answer has ended; its usage may still come."""
        ...

    @property
    def is_over(self) -> bool:
        """Return whether the end mark of the format has come, behind which nothing counts."""
        ...

    def take(self, event: SentEvent) -> list[Delta]:
        """Return the pieces of the reply in one event."""
        ...

    def whole(self) -> ProviderAnswer:
        """Return the finished answer."""
        ...


@dataclass(frozen=True, slots=True)
class WireFormat:
    """How one vendor writes questions and answers."""

    path: Callable[[OutboundRequest], str]
    """Below the address of the API."""
    body: Callable[[OutboundRequest, Mapping[str, Any], list[str]], dict[str, Any]]
    """With the parameters that the model takes; what is left out is added to the notices."""
    read: Callable[[bytes], ProviderAnswer]
    """A whole answer."""
    reader: Callable[[], StreamReader]
    """Of a stream."""
    embedding: EmbeddingFormat
    """Of questions for vectors."""


_GEMINI = WireFormat(gemini_path, gemini_body, read_gemini_answer, GeminiReader, gemini_embedding_format())


def _openai(*, reports_cost: bool) -> WireFormat:
    """Return OpenAI's format, of a vendor whose answers say what they cost, or do not."""
    return WireFormat(
        lambda _: OPENAI_PATH,
        openai_body,
        partial(read_openai_answer, reports_cost=reports_cost),
        partial(OpenAiReader, reports_cost=reports_cost),
        openai_embedding_format(reports_cost=reports_cost),
    )


FORMATS: Mapping[ProviderKind, WireFormat] = {
    ProviderKind.OPENROUTER: _openai(reports_cost=True),
    ProviderKind.OPENAI: _openai(reports_cost=False),
    ProviderKind.LOCAL: _openai(reports_cost=False),
    ProviderKind.GOOGLE: _GEMINI,
}
"""A kind that is not here is carried by LiteLLM."""
