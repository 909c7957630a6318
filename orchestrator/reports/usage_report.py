"""Some days: what was asked, what it cost, who answered, how quickly, and how it was the range before.

Cost comes from the sends, which are what providers charge; requests come from the operations. Shadows of
experiments are nobody's requests: their cost is in the total, and they stand apart (`experiments`). A
success rate leaves out what nobody tried: refused before a send, or cancelled by the caller. Of a compacted
month requests and cost are left, and neither outcomes nor latencies.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from orchestrator.core.money import NanoUsd
from orchestrator.core.names import name_of
from orchestrator.core.reply import CacheState, CostSource, Outcome
from orchestrator.ledger.store import LedgerView
from orchestrator.ledger.usage import Duration, Selection
from orchestrator.reports.durations import Durations, durations_of
from orchestrator.reports.phrase import Phrase
from orchestrator.reports.ratings import Ratings, ratings_of
from orchestrator.reports.rolled_months import RolledSums, rolled_sums
from orchestrator.reports.span import Span
from orchestrator.reports.usage_sums import Tally, UsageSums, read_sums, read_totals


@dataclass(frozen=True, slots=True)
class Filter:
    """Whose requests are meant; None is everybody's."""

    tenant: str | None = None
    use_case: str | None = None
    user: str | None = None
    tag: str | None = None

    def __post_init__(self) -> None:
        """Take every name as the ledger counts it.

        Raises:
            InvalidRequestError: one of them is no name.
        """
        for kind in ("tenant", "use_case", "user", "tag"):
            name = getattr(self, kind)
            object.__setattr__(self, kind, None if name is None else name_of(name, kind))

    @property
    def label(self) -> str:
        """Return `tenant acme, tag sale`, or nothing."""
        named = (("tenant", self.tenant), ("use case", self.use_case), ("user", self.user), ("tag", self.tag))
        return ", ".join(f"{kind} {name}" for kind, name in named if name is not None)

    def over(self, span: Span) -> Selection:
        """Return the rows of some days that are meant."""
        return Selection(
            f"{span.first}",
            f"{span.last}",
            tenant=self.tenant,
            use_case=self.use_case,
            user=self.user,
            tag=self.tag,
        )


EVERYBODY = Filter()


@dataclass(frozen=True, slots=True)
class Part:
    """One model, use case, tenant, user or tag of a report."""

    name: str
    requests: int
    """For a model: how often it was asked, retries and fallbacks included."""
    share: float
    """Of all requests of its table, 0 to 1."""
    cost_nusd: NanoUsd
    average_cost_nusd: NanoUsd | None
    """Rounded up to a whole nano-dollar; None without requests."""
    average_latency_s: float | None
    """Of those that were answered."""
    success_rate: float | None
    latency: Durations | None = None
    """Of a model's sends that were answered; None for other parts."""
    first_token: Durations | None = None
    """Likewise, of streams."""
    output_tokens_per_s: float | None = None
    """Of a model's answered sends: all output tokens by all their time."""


@dataclass(frozen=True, slots=True)
class DayCost:
    """One day of the range."""

    day: str
    requests: int
    cost_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class Trend:
    """The range before, to compare with."""

    label: str
    requests: int
    cost_nusd: NanoUsd
    change: float | None
    """Cost now by cost then, less one; None where nothing was spent then."""

    @property
    def is_empty(self) -> bool:
        """Return whether nothing was asked and nothing was spent then."""
        return not self.requests and not self.cost_nusd


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Some days of the ledger, for everybody or for whom the filter names."""

    span: Span
    of: Filter
    requests: int
    outcomes: Mapping[str, int]
    """Requests by how they ended: succeeded, failed, refused, cancelled."""
    cost_nusd: NanoUsd
    """The shadows of experiments among it."""
    average_cost_nusd: NanoUsd | None
    """Of a request; without what shadows cost."""
    average_latency_s: float | None
    success_rate: float | None
    """Of the requests that were tried, `probes` left out: the availability of the whole."""
    probes: int
    """Requests of our own (`doctor`, health checks): how they end is no success and no failure of anybody."""
    latency: Durations | None
    requests_per_hour: float
    """On average over the days of the range that have begun."""
    cache_hits: int
    joined: int
    """Requests answered by another's answer that was under way."""
    stale: int
    """Requests that got an older answer of the cache, because nobody answered."""
    degraded: int
    ratings: Ratings
    """What people thought of the answers."""
    cost_by_source: Mapping[str, NanoUsd]
    """Cost by how it is known: reported by the provider, from the price book, estimated, or a bound."""
    trend: Trend
    days: tuple[DayCost, ...]
    models: tuple[Part, ...]
    """By cost, the dearest first."""
    use_cases: tuple[Part, ...]
    tenants: tuple[Part, ...]
    experiments: tuple[Part, ...]
    """Their shadows, asked beside live answers: no tenant's and no use case's."""
    users: tuple[Part, ...]
    tags: tuple[Part, ...]
    notices: tuple[Phrase, ...] = ()
    """What the numbers leave out."""

    @property
    def experiments_nusd(self) -> NanoUsd:
        """Return what shadows of experiments cost of it."""
        return NanoUsd(sum(part.cost_nusd for part in self.experiments))

    @property
    def is_empty(self) -> bool:
        """Return whether nothing was booked."""
        return self.requests == 0 and not self.models


def usage_report(view: LedgerView, span: Span, *, of: Filter = EVERYBODY, today: date) -> UsageReport:
    """Return the report of some days; those after `today` are not counted as time that has passed.

    A ledger that does not exist yet gives an empty report.

    Raises:
        LedgerError: the ledger cannot be read.
        InvalidRequestError: a name of the filter is none.
    """
    return report_of(*look(view, span, of=of, today=today), span, of=of, today=today)


@dataclass(frozen=True, slots=True)
class Looked:
    """What was read of a range, and of the range before it."""

    sums: UsageSums
    rolled: RolledSums
    ratings: Ratings


def look(view: LedgerView, span: Span, *, of: Filter, today: date) -> tuple[Looked, Looked]:
    """Return what the ledger holds of a range and of as much of the one before, all of one moment.

    Raises:
        LedgerError: the ledger cannot be read.
        InvalidRequestError: a name of the filter is none.
    """
    before = compared_with(span, today)
    now, then = of.over(span), of.over(before)
    if not view.exists:
        nothing = Looked(UsageSums(), RolledSums(), Ratings())
        return nothing, nothing
    with view:
        return (
            Looked(read_sums(view, now), rolled_sums(view, span, now), ratings_of(view.feedback_sums(now))),
            Looked(read_totals(view, then), rolled_sums(view, before, then), Ratings()),
        )


def compared_with(span: Span, today: date) -> Span:
    """Return the range before; of a range that still runs, as many days of it as have passed."""
    before = span.before
    passed = len(span.until(today))
    return before if passed == len(span) else Span(before.first, min(before.last, before.days()[:passed][-1]))


def report_of(now: Looked, then: Looked, span: Span, *, of: Filter, today: date) -> UsageReport:
    """Return the report of what was read."""
    sums, rolled = now.sums, now.rolled
    cost = NanoUsd(sums.total.cost_nusd + rolled.cost_nusd)
    requests = sums.total.requests + rolled.requests
    latency = durations_of(sums.durations.get((Duration.REQUEST, ""), ()))
    experiments = _parts(sums.experiments, rolled.experiments)
    return UsageReport(
        span=span,
        of=of,
        requests=requests,
        outcomes={outcome.value: sums.outcomes[outcome.value] for outcome in Outcome},
        cost_nusd=cost,
        average_cost_nusd=average(NanoUsd(cost - sum(part.cost_nusd for part in experiments)), requests),
        average_latency_s=_latency_s(sums.total),
        success_rate=_success_rate(sums.total),
        probes=sums.total.requests - sum(sums.outcomes.values()),
        latency=latency,
        requests_per_hour=requests / (24 * len(span.until(today))),
        cache_hits=sums.cached[CacheState.HIT.value],
        joined=sums.cached[CacheState.JOINED.value],
        stale=sums.cached[CacheState.STALE.value],
        degraded=sums.degraded,
        ratings=now.ratings,
        cost_by_source={source.value: NanoUsd(sums.sources[source.value]) for source in CostSource},
        trend=_trend(cost, then, compared_with(span, today)),
        days=tuple(
            DayCost(day, sums.days[day].requests, NanoUsd(sums.days[day].cost_nusd))
            for day in map(str, span.until(today).days())
        ),
        models=_parts(sums.models, rolled.models, durations=sums),
        use_cases=_parts(sums.use_cases, rolled.use_cases),
        tenants=_parts(sums.tenants, rolled.tenants),
        experiments=experiments,
        users=_parts(sums.users, {}, of=sums.total.requests),
        tags=_parts(sums.tags, {}, of=sums.total.requests),
        notices=(
            *rolled.notices,
            *(Phrase("range_before", {"notice": notice}) for notice in then.rolled.notices),
        ),
    )


def average(cost: NanoUsd, count: int) -> NanoUsd | None:
    """Return a share of a cost, rounded up; None of nothing."""
    return NanoUsd(-(-cost // count)) if count else None


def _trend(cost: NanoUsd, then: Looked, before: Span) -> Trend:
    earlier = NanoUsd(then.sums.total.cost_nusd + then.rolled.cost_nusd)
    requests = then.sums.total.requests + then.rolled.requests
    return Trend(before.label, requests, earlier, cost / earlier - 1 if earlier else None)


def _parts(
    tallies: Mapping[str, Tally],
    rolled: Mapping[str, tuple[int, int]],
    *,
    of: int | None = None,
    durations: UsageSums | None = None,
) -> tuple[Part, ...]:
    counted = sum(tally.requests for tally in tallies.values()) + sum(count for count, _ in rolled.values())
    whole = counted if of is None else of
    parts = []
    for name in tallies.keys() | rolled.keys():
        tally, (count, cost) = tallies.get(name) or Tally(), rolled.get(name, (0, 0))
        part = _part(name, tally, requests=tally.requests + count, cost_nusd=tally.cost_nusd + cost, of=whole)
        parts.append(part if durations is None else _timed(part, tally, durations))
    return _ordered(parts)


def _part(name: str, tally: Tally, *, requests: int, cost_nusd: int, of: int) -> Part:
    return Part(
        name=name,
        requests=requests,
        share=requests / of if of else 0.0,
        cost_nusd=NanoUsd(cost_nusd),
        average_cost_nusd=average(NanoUsd(cost_nusd), requests),
        average_latency_s=_latency_s(tally),
        success_rate=_success_rate(tally),
    )


def _timed(part: Part, tally: Tally, sums: UsageSums) -> Part:
    busy_s = tally.latency_ms / 1000
    return replace(
        part,
        latency=durations_of(sums.durations.get((Duration.SEND, part.name), ())),
        first_token=durations_of(sums.durations.get((Duration.FIRST_TOKEN, part.name), ())),
        output_tokens_per_s=tally.timed_output_tokens / busy_s if busy_s else None,
    )


def _ordered(parts: Iterable[Part]) -> tuple[Part, ...]:
    return tuple(sorted(parts, key=lambda part: (-part.cost_nusd, -part.requests, part.name)))


def _latency_s(tally: Tally) -> float | None:
    return tally.latency_ms / tally.succeeded / 1000 if tally.succeeded else None


def _success_rate(tally: Tally) -> float | None:
    tried = tally.succeeded + tally.failed
    return tally.succeeded / tried if tried else None
