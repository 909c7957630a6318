"""One whole answer of one provider, whichever way it came."""

from dataclasses import dataclass

from orchestrator.core.failures import Failure
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import ToolCall, Usage


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """One whole answer of one provider."""

    text: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str
    usage: Usage
    reported_cost_nusd: NanoUsd | None
    """What the provider says it charged; None when it does not say."""
    upstream_id: str | None


class AttemptFailedError(Exception):
    """One attempt has failed; carries no text of a provider."""

    def __init__(self, failure: Failure, answer: ProviderAnswer | None = None) -> None:
        """Keep what it was, and the usage it came with."""
        self.failure = failure
        self.answer = answer
        super().__init__(str(failure))


class UnreadableAnswerError(AttemptFailedError):
    """The provider answered with something that is no answer; it may be billed all the same."""
