"""A recommendation: one change, what it is worth, its evidence, its risk, and the lines that apply it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.core.money import NanoUsd
from orchestrator.reports.phrase import Phrase
from orchestrator.reports.resampling import Interval

MONTH_DAYS = 30


class RecommendationKind(StrEnum):
    """What is wasted."""

    PAID_FAILURES = "paid_failures"
    REFUSING_LIMIT = "refusing_limit"
    UNUSED_MAX_TOKENS = "unused_max_tokens"
    REPEATED_PROMPTS = "repeated_prompts"
    COMMON_PREFIXES = "common_prefixes"
    BATCH_PRICE = "batch_price"
    IDLE_COMMITMENT = "idle_commitment"
    CHEAPER_MODEL = "cheaper_model"

    @property
    def risk(self) -> str:
        """Return what may go wrong when it is followed, in English."""
        return _RISKS[self.value]


_RISKS = {
    "paid_failures": "requests that it would have answered go to the next deployment, which may cost more",
    "refusing_limit": "the limit may be meant: this money would be spent",
    "unused_max_tokens": "an answer longer than any so far is cut off",
    "repeated_prompts": "who asks again gets the answer of before, also where another was wanted",
    "common_prefixes": "storing a beginning costs more than reading it once, where it is not asked again in minutes",
    "batch_price": "an answer may take a day, and this program sends no batch: its budgets do not hold for them",
    "idle_commitment": "a smaller commitment may lose its discount, and what goes beyond it pays the list",
    "cheaper_model": "it was measured on the rows of then: where what is asked changes, measure again",
}


class MoneyMeaning(StrEnum):
    """What the dollars of a recommendation are."""

    SAVED = "saved"
    SPENT = "spent"
    """What it costs to follow it: work that is refused today."""
    NONE = "none"
    """Nothing: what is held is freed sooner, and no bill changes."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One change, and why."""

    kind: RecommendationKind
    subject: str
    """The deployment, tenant, use case or provider."""
    meaning: MoneyMeaning
    month_nusd: NanoUsd
    """A month of 30 days like those of the range."""
    interval: Interval | None
    """None with too few days, or where no money changes hands."""
    count: int
    """How many rows say so."""
    out_of: int
    """Of how many."""
    rows: Phrase
    """Which rows: the condition by which to find them in an export of the ledger."""
    apply: Phrase
    """The command, or the lines of config.yaml."""
    figure: int = 0
    """Of max_tokens: the longest answer; of beginnings: equal bytes; of a policy: rows that measured it."""


@dataclass(frozen=True, slots=True)
class NotKnown:
    """A kind that was not looked for, or not everywhere, and why."""

    kind: str
    names: tuple[str, ...] = ()
    """The deployments or use cases that it is about, where it is about some."""

    @property
    def reason(self) -> str:
        """Return why, in English."""
        return _REASONS[self.kind].format(names=", ".join(self.names))


_REASONS: Mapping[str, str] = {
    "repeated_prompts": "no row of these days has the fingerprint of a prompt: 'record' is off, or they are older",
    "common_prefixes": "no price of a cached token is known of {names}",
    "batch_price": "no price of a batch is known of {names}, where work waited",
    "idle_commitments": "config.yaml names no 'commitments'",
    "cheaper_model": "no measurement of 'orchestrator calibrate' or 'eval --policy' holds for {names}, and a price alone is no reason",
}
