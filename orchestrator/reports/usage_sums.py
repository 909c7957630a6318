"""Sums of a range of the ledger, folded group by group: what is in memory grows with names, not with rows."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from orchestrator.core.payer import is_own
from orchestrator.core.reply import CacheState, Outcome
from orchestrator.ledger.store import LedgerView
from orchestrator.ledger.usage import Duration, NameGroup, RequestGroup, Selection, SendGroup

_BUDGET_ERROR = "BudgetExceededError"


class CellKey(NamedTuple):
    """What spending is traced to."""

    day: str
    tenant: str
    use_case: str
    deployment: str
    model: str


@dataclass(slots=True)
class Tally:
    """Requests or sends of one name, as they are counted."""

    requests: int = 0
    cost_nusd: int = 0
    succeeded: int = 0
    failed: int = 0
    latency_ms: int = 0
    """Of those that succeeded, together."""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    answered_input_tokens: int = 0
    """Tokens of sends that succeeded, and likewise below."""
    answered_cached_tokens: int = 0
    answered_output_tokens: int = 0
    failed_nusd: int = 0
    """What failed sends cost."""
    failed_paid: int = 0
    """Sends that failed and had a cost."""
    output_tokens_max: int = 0

    def count(self, outcome: str, number: int, latency_ms: int, *, is_probe: bool = False) -> None:
        """Count so many of one outcome; how a probe of ours ended is no success and no failure of anybody."""
        self.requests += number
        if is_probe:
            return
        if outcome == Outcome.SUCCEEDED.value:
            self.succeeded += number
            self.latency_ms += latency_ms
        elif outcome == Outcome.FAILED.value:
            self.failed += number


def _tallies() -> defaultdict[str, Tally]:
    return defaultdict(Tally)


@dataclass(slots=True)
class UsageSums:
    """Everything that a report says is computed from these."""

    total: Tally = field(default_factory=Tally)
    outcomes: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    cached: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    sources: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    degraded: int = 0
    models: defaultdict[str, Tally] = field(default_factory=_tallies)
    providers: defaultdict[str, Tally] = field(default_factory=_tallies)
    use_cases: defaultdict[str, Tally] = field(default_factory=_tallies)
    tenants: defaultdict[str, Tally] = field(default_factory=_tallies)
    users: defaultdict[str, Tally] = field(default_factory=_tallies)
    """Requests, how they ended and what they cost; likewise of tags."""
    tags: defaultdict[str, Tally] = field(default_factory=_tallies)
    """A request with two tags counts in both."""
    days: defaultdict[str, Tally] = field(default_factory=_tallies)
    cells: defaultdict[CellKey, Tally] = field(default_factory=lambda: defaultdict(Tally))
    """The sends of each day, by whom and on which deployment."""
    provider_days: defaultdict[tuple[str, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    """The sends of each day to each provider."""
    sent_requests: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """Answered requests by day and use case that asked a model."""
    repeated: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """Requests by day and use case that another's answer served."""
    refused: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Requests of each tenant that a budget refused."""
    refused_by_day: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """Likewise, by day and tenant."""
    durations: dict[tuple[Duration, str], list[tuple[int, int]]] = field(default_factory=dict)
    """Milliseconds and how often, by model; of requests under an empty name."""


_REPEATS = frozenset({CacheState.HIT.value, CacheState.JOINED.value, CacheState.REPLAYED.value})


def read_sums(view: LedgerView, selection: Selection, *, durations: bool = True) -> UsageSums:
    """Return the sums of a selection; the view is entered already.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    sums = UsageSums()
    for requests in view.request_groups(selection):
        _add_requests(sums, requests)
    for sends in view.send_groups(selection):
        _add_sends(sums, sends)
    for name in view.name_groups(selection):
        _add_name(sums, name)
    if durations:
        for duration in Duration:
            for counted in view.durations(selection, duration):
                sums.durations.setdefault((duration, counted.model), []).append(
                    (counted.duration_ms, counted.count)
                )
    return sums


def _add_requests(sums: UsageSums, group: RequestGroup) -> None:
    is_probe = is_own(group.tenant)
    sums.outcomes[group.outcome] += 0 if is_probe else group.requests
    sums.cached[group.cached] += group.requests
    sums.degraded += group.requests if group.degraded else 0
    for tally in (
        sums.total,
        sums.days[group.day],
        sums.tenants[group.tenant],
        sums.use_cases[group.use_case],
    ):
        tally.count(group.outcome, group.requests, group.latency_ms, is_probe=is_probe)
    if group.cached in _REPEATS:
        sums.repeated[group.day, group.use_case] += group.requests
    elif group.outcome == Outcome.SUCCEEDED.value and group.cached == CacheState.MISS.value:
        sums.sent_requests[group.day, group.use_case] += group.requests
    if group.error == _BUDGET_ERROR:
        sums.refused[group.tenant] += group.requests
        sums.refused_by_day[group.day, group.tenant] += group.requests


def _add_sends(sums: UsageSums, group: SendGroup) -> None:
    tenant, use_case = group.tenant, group.use_case
    sums.sources[group.cost_source] += group.cost_nusd
    by_send = (
        sums.models[group.model],
        sums.providers[group.provider],
        sums.provider_days[group.day, group.provider],
        sums.cells[CellKey(group.day, tenant, use_case, group.deployment, group.model)],
    )
    for tally in by_send:
        tally.count(group.outcome, group.sends, group.latency_ms, is_probe=is_own(tenant))
    for tally in (
        *by_send,
        sums.total,
        sums.days[group.day],
        *((sums.tenants[tenant],) if tenant else ()),
        *((sums.use_cases[use_case],) if use_case else ()),
    ):
        _add_money(tally, group)


def _add_money(tally: Tally, group: SendGroup) -> None:
    tally.cost_nusd += group.cost_nusd
    tally.input_tokens += group.input_tokens
    tally.output_tokens += group.output_tokens
    tally.cached_input_tokens += group.cached_input_tokens
    tally.output_tokens_max = max(tally.output_tokens_max, group.output_tokens_max)
    if group.outcome == Outcome.SUCCEEDED.value:
        tally.answered_input_tokens += group.input_tokens
        tally.answered_cached_tokens += group.cached_input_tokens
        tally.answered_output_tokens += group.output_tokens
    elif group.outcome == Outcome.FAILED.value and group.cost_nusd > 0:
        tally.failed_nusd += group.cost_nusd
        tally.failed_paid += group.sends_paid


def _add_name(sums: UsageSums, group: NameGroup) -> None:
    tally = (sums.users if group.kind == "user" else sums.tags)[group.name]
    tally.requests += group.requests
    tally.succeeded += group.succeeded
    tally.failed += group.failed
    tally.latency_ms += group.latency_ms
    tally.cost_nusd += group.cost_nusd


def daily_costs(view: LedgerView, selection: Selection) -> dict[date, int]:
    """Return the nano-dollars of each day on which something was booked; the view is entered already."""
    return {date.fromisoformat(entry.day): entry.cost_nusd for entry in view.day_costs(selection)}
