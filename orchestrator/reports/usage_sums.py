"""Sums of a range of the ledger, folded group by group: what is in memory grows with names, not with rows."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from orchestrator.core.payer import is_own, shadowed_experiment
from orchestrator.core.reply import CacheState, Outcome
from orchestrator.ledger.store import LedgerView
from orchestrator.ledger.usage import (
    Duration,
    NameGroup,
    RefusalGroup,
    RequestGroup,
    Selection,
    SendGroup,
    UsageView,
)

_SUCCEEDED, _FAILED, _MISS = Outcome.SUCCEEDED.value, Outcome.FAILED.value, CacheState.MISS.value


class CellKey(NamedTuple):
    """What spending is traced to; to a tenant by `costs_by_cause` alone, for there may be very many."""

    day: str
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
    answered: int = 0
    """Sends that succeeded, those of our own too: of a request that several models answer, each."""
    answered_input_tokens: int = 0
    """Their tokens, and likewise below."""
    answered_cached_tokens: int = 0
    answered_output_tokens: int = 0
    timed_output_tokens: int = 0
    """Of those whose latency is counted."""
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
        if outcome == _SUCCEEDED:
            self.succeeded += number
            self.latency_ms += latency_ms
        elif outcome == _FAILED:
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
    experiments: defaultdict[str, Tally] = field(default_factory=_tallies)
    """The shadows of each: their cost is in the total, in days, models and providers, and nothing else of
    them is in anything."""
    users: defaultdict[str, Tally] = field(default_factory=_tallies)
    """Requests, how they ended and what they cost; likewise of tags."""
    tags: defaultdict[str, Tally] = field(default_factory=_tallies)
    """A request with two tags counts in both."""
    days: defaultdict[str, Tally] = field(default_factory=_tallies)
    cells: defaultdict[CellKey, Tally] = field(default_factory=lambda: defaultdict(Tally))
    """The sends of each day, for what and on which deployment; without shadows, which answer nobody."""
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
    for tenant in view.tenant_groups(selection):
        _add_tenant(sums, tenant)
    for refusals in view.refusal_groups(selection):
        _add_refusals(sums, refusals)
    for name in view.name_groups(selection):
        _add_name(sums, name)
    if durations:
        for duration in Duration:
            for counted in view.durations(selection, duration):
                sums.durations.setdefault((duration, counted.model), []).append(
                    (counted.duration_ms, counted.count)
                )
    return sums


def read_totals(view: LedgerView, selection: Selection) -> UsageSums:
    """Return requests and cost of a selection and of its days, and nothing else; the view is entered already.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    sums = UsageSums()
    for day in view.day_totals(selection):
        for tally in (sums.total, sums.days[day.day]):
            tally.requests += day.requests
            tally.cost_nusd += day.cost_nusd
    return sums


def _add_requests(sums: UsageSums, group: RequestGroup) -> None:
    if shadowed_experiment(group.own) is not None:
        return
    is_probe = is_own(group.own)
    sums.outcomes[group.outcome] += 0 if is_probe else group.requests
    sums.cached[group.cached] += group.requests
    sums.degraded += group.requests if group.degraded else 0
    for tally in (sums.total, sums.days[group.day], sums.use_cases[group.use_case]):
        tally.count(group.outcome, group.requests, group.latency_ms, is_probe=is_probe)
    if group.cached in _REPEATS:
        sums.repeated[group.day, group.use_case] += group.requests
    elif group.outcome == _SUCCEEDED and group.cached == _MISS:
        sums.sent_requests[group.day, group.use_case] += group.requests


def _add_sends(sums: UsageSums, group: SendGroup) -> None:
    sums.sources[group.cost_source] += group.cost_nusd
    by_send = [
        sums.models[group.model],
        sums.providers[group.provider],
        sums.provider_days[group.day, group.provider],
    ]
    others = [sums.total, sums.days[group.day]]
    if shadowed_experiment(group.own) is None:
        by_send.append(sums.cells[CellKey(group.day, group.use_case, group.deployment, group.model)])
        others += [sums.use_cases[group.use_case]] if group.use_case else []
    for tally in by_send:
        tally.count(group.outcome, group.sends, group.latency_ms, is_probe=is_own(group.own))
        if group.outcome == _SUCCEEDED and not is_own(group.own):
            tally.timed_output_tokens += group.output_tokens
    for tally in (*by_send, *others):
        _add_money(tally, group)


def _add_tenant(sums: UsageSums, group: NameGroup) -> None:
    experiment = shadowed_experiment(group.name)
    tally = sums.tenants[group.name] if experiment is None else sums.experiments[experiment]
    _add_group(tally, group, is_probe=experiment is None and is_own(group.name))


def _add_refusals(sums: UsageSums, group: RefusalGroup) -> None:
    # What an experiment's own budget refuses is meant to be refused.
    if shadowed_experiment(group.tenant) is None:
        sums.refused[group.tenant] += group.requests
        sums.refused_by_day[group.day, group.tenant] += group.requests


def _add_money(tally: Tally, group: SendGroup) -> None:
    tally.cost_nusd += group.cost_nusd
    tally.input_tokens += group.input_tokens
    tally.output_tokens += group.output_tokens
    tally.cached_input_tokens += group.cached_input_tokens
    tally.output_tokens_max = max(tally.output_tokens_max, group.output_tokens_max)
    if group.outcome == _SUCCEEDED:
        tally.answered += group.sends
        tally.answered_input_tokens += group.input_tokens
        tally.answered_cached_tokens += group.cached_input_tokens
        tally.answered_output_tokens += group.output_tokens
    elif group.outcome == _FAILED and group.cost_nusd > 0:
        tally.failed_nusd += group.cost_nusd
        tally.failed_paid += group.sends_paid


def _add_name(sums: UsageSums, group: NameGroup) -> None:
    _add_group((sums.users if group.kind == "user" else sums.tags)[group.name], group)


def _add_group(tally: Tally, group: NameGroup, *, is_probe: bool = False) -> None:
    tally.requests += group.requests
    tally.cost_nusd += group.cost_nusd
    if not is_probe:
        tally.succeeded += group.succeeded
        tally.failed += group.failed
        tally.latency_ms += group.latency_ms


def daily_costs(view: LedgerView, selection: Selection) -> dict[date, int]:
    """Return the nano-dollars of each day on which something was booked; the view is entered already."""
    return {date.fromisoformat(entry.day): entry.cost_nusd for entry in view.day_totals(selection)}


class Cause(NamedTuple):
    """Who spent on what."""

    tenant: str
    use_case: str
    model: str


def costs_by_cause(view: UsageView, selection: Selection) -> Mapping[Cause, Mapping[str, int]]:
    """Return what each cause cost on each day; the view is entered already."""
    by_cause: defaultdict[Cause, dict[str, int]] = defaultdict(dict)
    for group in view.spending_groups(selection):
        by_cause[Cause(group.tenant, group.use_case, group.model)][group.day] = group.cost_nusd
    return by_cause
