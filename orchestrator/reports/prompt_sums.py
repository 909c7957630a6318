"""What fingerprints of prompts say of a range: how often the same was asked or began alike, who waited."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.ledger.usage import BeginningGroup, RepeatGroup, Selection, UsageView, WaitingGroup


@dataclass(slots=True)
class RepeatSum:
    """Requests of a use case that asked a model what had been asked before."""

    requests: int = 0
    hourly: int = 0
    daily: int = 0
    hourly_by_day: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Nano-dollars of those repeated within an hour."""
    daily_by_day: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Nano-dollars of those repeated within a day."""


@dataclass(slots=True)
class BeginningSum:
    """Sends of a use case to a deployment, with equal beginnings of one length."""

    sends: int = 0
    alike: int = 0
    tokens_by_day: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Tokens of equal beginnings that were paid in full."""


@dataclass(slots=True)
class WaitingSum:
    """Sends of a use case to a deployment for which nobody waited."""

    sends: int = 0
    cost_by_day: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(slots=True)
class PromptSums:
    """What recommendations about prompts are computed from."""

    repeats: defaultdict[str, RepeatSum] = field(default_factory=lambda: defaultdict(RepeatSum))
    """By use case."""
    beginnings: defaultdict[tuple[str, str, int], BeginningSum] = field(
        default_factory=lambda: defaultdict(BeginningSum)
    )
    """By use case, deployment and length in bytes."""
    waiting: defaultdict[tuple[str, str], WaitingSum] = field(default_factory=lambda: defaultdict(WaitingSum))
    """By use case and deployment."""


def read_prompt_sums(view: UsageView, selection: Selection) -> PromptSums:
    """Return the sums of a selection; the view is entered already.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    sums = PromptSums()
    _add_repeats(sums, view.repeat_groups(selection))
    _add_beginnings(sums, view.beginning_groups(selection))
    _add_waiting(sums, view.waiting_groups(selection))
    return sums


def _add_repeats(sums: PromptSums, groups: Iterable[RepeatGroup]) -> None:
    for group in groups:
        repeats = sums.repeats[group.use_case]
        repeats.requests += group.requests
        repeats.hourly += group.hourly
        repeats.daily += group.daily
        repeats.hourly_by_day[group.day] += group.hourly_nusd
        repeats.daily_by_day[group.day] += group.daily_nusd


def _add_beginnings(sums: PromptSums, groups: Iterable[BeginningGroup]) -> None:
    for group in groups:
        beginnings = sums.beginnings[group.use_case, group.deployment, group.length_bytes]
        beginnings.sends += group.sends
        beginnings.alike += group.alike
        beginnings.tokens_by_day[group.day] += group.uncached_tokens


def _add_waiting(sums: PromptSums, groups: Iterable[WaitingGroup]) -> None:
    for group in groups:
        waiting = sums.waiting[group.use_case, group.deployment]
        waiting.sends += group.sends
        waiting.cost_by_day[group.day] += group.cost_nusd
