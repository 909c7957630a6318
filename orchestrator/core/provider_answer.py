"""One whole answer of one provider, whichever way it came."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.core.failures import Failure
from orchestrator.core.money import ZERO_NUSD, NanoUsd
from orchestrator.core.reply import ToolCall, Usage

SHOWN_THOUGHTS = (
    "it thinks before its answer, up to '</think>', which was not known while it came; let its server part its "
    "reasoning"
)
_NAME_LETTERS_MAX = 256


def stated_name(value: Any) -> str | None:
    """Return an id, a model or a tier as a provider names it; None where it is no name that may be kept.

    It goes into the ledger, replies and traces, and the provider decides what stands in it.
    """
    is_name = isinstance(value, str) and 0 < len(value) <= _NAME_LETTERS_MAX and value.isprintable()
    return value if is_name else None


def stated_tier(value: Any) -> str | None:
    """Return a class of service as a provider names it; a text that is no name is no known class either.

    So it is priced as the dearest.
    """
    return (stated_name(value) or "without a name") if value and isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class BilledUsage:
    """What a provider says that an answer used and cost."""

    usage: Usage
    reported_cost_nusd: NanoUsd | None = None
    """None when it does not say."""
    fee_nusd: NanoUsd = ZERO_NUSD
    """OpenRouter's for a customer's own key, where it does not say what that key was charged: to be added.

    Beside a reported cost it is that cost, which may be such a fee: it was not said whose key was charged.
    """
    service_tier: str | None = None
    """The class of service that it was answered in."""

    @property
    def tells_cost(self) -> bool:
        """Return whether what it cost follows from it, and is no estimate."""
        return not self.usage.estimated or self.reported_cost_nusd is not None


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
    reasoning: str = ""
    """What the model thought aloud, apart from its answer."""
    reasoning_details: tuple[Mapping[str, Any], ...] = ()
    """Blocks of thought in OpenRouter's shape, with signatures; the next turn sends them back as they are."""
    reasoning_vendor: str = ""
    """Who can read them again."""
    served_model: str | None = None
    """The model that answered, by the provider's own name."""
    service_tier: str | None = None
    """The class of service that the provider says it charges for."""
    fee_nusd: NanoUsd = ZERO_NUSD
    """OpenRouter's for a customer's own key, where it does not say what that key was charged."""
    notices: tuple[str, ...] = ()
    """What was changed or read otherwise than it was written, for people."""
    vectors: tuple[tuple[float, ...], ...] = ()
    """Of an embedding model: one for each text; there are no words then."""

    @property
    def billed(self) -> BilledUsage:
        """Return what it used and cost."""
        return BilledUsage(self.usage, self.reported_cost_nusd, self.fee_nusd, self.service_tier)

    @property
    def has_content(self) -> bool:
        """Return whether the provider has begun to answer, be it only in thought."""
        return bool(self.text or self.tool_calls or self.reasoning or self.reasoning_details)


class AttemptFailedError(Exception):
    """One attempt has failed; carries no text of a provider."""

    def __init__(
        self,
        failure: Failure,
        answer: ProviderAnswer | None = None,
        *,
        was_sent: bool = True,
        detail: str = "",
    ) -> None:
        """Keep what it was, and the usage it came with; what was not sent cannot be billed.

        `detail` names the wrong part or the error below, never a value.
        """
        self.failure = failure
        self.answer = answer
        self.was_sent = was_sent
        self.detail = detail
        super().__init__(f"{failure}: {detail}" if detail else str(failure))


class UnreadableAnswerError(AttemptFailedError):
    """The provider answered with something that is no answer; it may be billed all the same."""
