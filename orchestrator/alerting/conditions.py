"""Which conditions of a rule hold now: decided from facts that somebody else fetches."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from statistics import median
from typing import Protocol

from orchestrator.alerting.settings import RuleSettings
from orchestrator.core.alerts import (
    AlertFacts,
    AlertKind,
    LatencyFacts,
    RateFacts,
    SpendFacts,
    SubjectFacts,
)
from orchestrator.core.money import NanoUsd, format_usd
from orchestrator.ledger.periods import Window
from orchestrator.ledger.records import BudgetStatus
from orchestrator.ledger.verify import Difference
from orchestrator.resilience.circuit_breaker import CircuitState
from orchestrator.resilience.traffic_counts import TrafficCounts, TrafficSums

USUAL_DAYS = 7
"""What is usual is the median of so many days before today."""
_USUAL_DAYS_MIN = 3
"""Fewer days with any spend say nothing of what is usual."""
_MIN_NUSD = NanoUsd(1_000_000_000)
"""A dollar: less is never unusual, unless the rule says so."""
_ELAPSED_MIN = 0.1
"""Before a tenth of a window is over its pace says nothing."""
_DIFFERENCES_MAX = 20


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that holds now and is worth an alert."""

    subject: str
    """What it is about, once within a rule; `period ...` where it is told once in its window."""
    facts: AlertFacts
    quiet: bool = False
    """A higher mark of the same limit says it too."""


@dataclass(frozen=True, slots=True)
class DaySpend:
    """What every scope spent today, and on each of the days before."""

    today: date
    spent: Mapping[str, NanoUsd]
    before: Mapping[str, tuple[NanoUsd, ...]]
    """Of the last days; a day without any spend is left out."""


class Sources(Protocol):
    """Where the facts come from; each is asked only where a rule needs it."""

    @property
    def now(self) -> datetime:
        """Return the moment of this look."""

    @property
    def traffic(self) -> TrafficCounts:
        """Return how the requests of this process ended."""

    def budgets(self) -> tuple[BudgetStatus, ...]:
        """Return how every limited scope stands."""

    def day_spend(self) -> DaySpend:
        """Return what was spent today and before."""

    def provider_circuits(self) -> Mapping[str, CircuitState]:
        """Return the circuit of every provider."""

    def circuits(self) -> Mapping[str, CircuitState]:
        """Return the circuit of every deployment."""

    def ended_models(self) -> Mapping[str, date]:
        """Return the models in use that have ended, and when."""

    def differences(self, *, every_s: float) -> tuple[Difference, ...]:
        """Return the counters that differ from their rows, looked for at most every `every_s` seconds."""


def conditions_of(rule: RuleSettings, sources: Sources) -> tuple[Condition, ...]:
    """Return what holds now of a rule; nothing of a kind that is told as it happens.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    check = _CHECKS.get(rule.kind)
    return tuple(check(rule, sources)) if check is not None else ()


def _budget(rule: RuleSettings, sources: Sources) -> Iterator[Condition]:
    for status in _limited(rule, sources):
        limit = status.limit or NanoUsd(0)
        passed = [mark for mark in sorted(set(rule.at_percent)) if status.spent * 100 >= limit * mark]
        for mark in passed:
            facts = SpendFacts(status.scope, status.period, status.spent, limit, percent=mark)
            subject = f"period {status.period} {status.scope} {mark}"
            yield Condition(subject, facts, quiet=mark != passed[-1])


def _overrun(rule: RuleSettings, sources: Sources) -> Iterator[Condition]:
    for status in _limited(rule, sources):
        limit = status.limit or NanoUsd(0)
        pace = projected(status, sources.now)
        if pace is not None and pace > limit:
            facts = SpendFacts(status.scope, status.period, status.spent, limit, projected_nusd=pace)
            yield Condition(f"period {status.period} {status.scope}", facts)


def _limited(rule: RuleSettings, sources: Sources) -> Iterator[BudgetStatus]:
    for status in sources.budgets():
        if (
            status.limit is not None
            and status.window is not Window.REQUEST
            and _matches(rule.scope, status.scope)
        ):
            yield status


def projected(status: BudgetStatus, now: datetime) -> NanoUsd | None:
    """Return what the whole period costs at its pace so far, None while it is too young to have one."""
    # In UTC: of two moments of one zone Python takes no change of its clock into account.
    begins, ends = status.begins_at.astimezone(UTC), status.resets_at.astimezone(UTC)
    passed_s, whole_s = int((now - begins).total_seconds()), int((ends - begins).total_seconds())
    if passed_s < whole_s * _ELAPSED_MIN:
        return None
    return NanoUsd(status.spent * whole_s // min(passed_s, whole_s))


def _unusual(rule: RuleSettings, sources: Sources) -> Iterator[Condition]:
    days = sources.day_spend()
    for scope, spent in days.spent.items():
        usual = _usual(days, scope)
        if (
            usual is None
            or spent < (_MIN_NUSD if rule.min_usd is None else rule.min_usd)
            or not _matches(rule.scope, scope)
        ):
            continue
        if spent > usual * rule.factor:
            cause = _cause(days) if scope == "all" else None
            facts = SpendFacts(scope, days.today.isoformat(), spent, usual, cause=cause)
            yield Condition(f"period {days.today} {scope}", facts)


def _usual(days: DaySpend, scope: str) -> NanoUsd | None:
    before = days.before.get(scope, ())
    return NanoUsd(int(median(before))) if len(before) >= _USUAL_DAYS_MIN else None


def _cause(days: DaySpend) -> str | None:
    """Return the tenant and the use case whose spend has grown most over what is usual."""
    names = []
    for kind in ("tenant:", "use_case:"):
        grown = {
            scope: spent - (_usual(days, scope) or 0)
            for scope, spent in days.spent.items()
            if scope.startswith(kind)
        }
        names += [max(grown, key=lambda scope: grown[scope])] if grown else []
    return ", ".join(names) or None


def _providers(rule: RuleSettings, sources: Sources) -> Iterator[Condition]:
    del rule
    yield from _not_closed(sources.provider_circuits())


def _deployments(rule: RuleSettings, sources: Sources) -> Iterator[Condition]:
    del rule
    yield from _not_closed(sources.circuits())


def _not_closed(circuits: Mapping[str, CircuitState]) -> Iterator[Condition]:
    for name, state in circuits.items():
        if state is not CircuitState.CLOSED:
            yield Condition(name, SubjectFacts(name, str(state.value)))


def _rates(rule: RuleSettings, sources: Sources) -> Iterator[Condition]:
    for scope, sums in _counted(rule, sources):
        share = _share(rule.kind, sums)
        if sums.requests >= rule.min_requests and share * 100 > rule.above_percent:
            facts = RateFacts(scope, share, rule.above_percent / 100, sums.requests, rule.window_s)
            yield Condition(scope, facts)


def _share(kind: AlertKind, sums: TrafficSums) -> float:
    part = sums.failed if kind is AlertKind.ERROR_RATE else sums.degraded
    return part / sums.requests if sums.requests else 0.0


def _latency(rule: RuleSettings, sources: Sources) -> Iterator[Condition]:
    for scope, sums in _counted(rule, sources):
        if sums.requests >= rule.min_requests and sums.p95_s > rule.above_s:
            yield Condition(
                scope, LatencyFacts(scope, sums.p95_s, rule.above_s, sums.requests, rule.window_s)
            )


def _emergency(rule: RuleSettings, sources: Sources) -> Iterator[Condition]:
    for scope, sums in _counted(rule, sources):
        if sums.emergency:
            share = sums.emergency / sums.requests
            yield Condition(scope, RateFacts(scope, share, 0.0, sums.requests, rule.window_s))


def _counted(rule: RuleSettings, sources: Sources) -> Iterator[tuple[str, TrafficSums]]:
    for scope in sources.traffic.scopes():
        if _matches(rule.scope, scope):
            yield scope, sources.traffic.sums(scope, window_s=rule.window_s)


def _ended(rule: RuleSettings, sources: Sources) -> Iterator[Condition]:
    del rule
    for name, ended in sources.ended_models().items():
        yield Condition(name, SubjectFacts(name, ended.isoformat()))


def _different(rule: RuleSettings, sources: Sources) -> Iterator[Condition]:
    for difference in sources.differences(every_s=rule.every_s)[:_DIFFERENCES_MAX]:
        counted = NanoUsd(difference.counted_spent + difference.counted_held)
        booked = NanoUsd(difference.booked_spent + difference.booked_held)
        name = f"{difference.scope} {difference.period}"
        yield Condition(name, SubjectFacts(name, f"{format_usd(counted)} ≠ {format_usd(booked)}"))


def _matches(pattern: str, scope: str) -> bool:
    return scope.startswith(pattern[:-1]) if pattern.endswith(":*") else pattern == scope


_CHECKS: Mapping[AlertKind, Callable[[RuleSettings, Sources], Iterator[Condition]]] = {
    AlertKind.BUDGET: _budget,
    AlertKind.PROJECTED_OVERRUN: _overrun,
    AlertKind.UNUSUAL_SPEND: _unusual,
    AlertKind.PROVIDER_DOWN: _providers,
    AlertKind.CIRCUIT_OPEN: _deployments,
    AlertKind.FALLBACK_RATE: _rates,
    AlertKind.ERROR_RATE: _rates,
    AlertKind.LATENCY: _latency,
    AlertKind.EMERGENCY_MODEL: _emergency,
    AlertKind.MODEL_ENDED: _ended,
    AlertKind.LEDGER_DIFFERENCE: _different,
}
