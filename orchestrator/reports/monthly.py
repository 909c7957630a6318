"""The month: what was asked, what it cost, who answered, and how the budgets stand.

Cost comes from the sends, which are what providers charge; requests come from the operations. A
success rate leaves out what nobody tried: refused before a send, or cancelled by the caller. Of a
compacted month requests and cost are left, and neither outcomes nor latencies.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.core.money import ZERO_NUSD, NanoUsd
from orchestrator.core.names import name_of
from orchestrator.core.reply import CacheState, CostSource, Outcome
from orchestrator.ledger.facts import Rows
from orchestrator.ledger.store import LedgerView
from orchestrator.reports import frames

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Part:
    """One model, use case or tenant of a month."""

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


@dataclass(frozen=True, slots=True)
class MonthReport:
    """One month of the ledger, for one tenant or for all."""

    month: str
    tenant: str | None
    requests: int
    outcomes: Mapping[str, int]
    """Requests by how they ended: succeeded, failed, refused, cancelled."""
    cost_nusd: NanoUsd
    average_cost_nusd: NanoUsd | None
    average_latency_s: float | None
    success_rate: float | None
    cache_hits: int
    joined: int
    """Requests answered by another's answer that was under way."""
    stale: int
    """Requests that got an older answer of the cache, because nobody answered."""
    degraded: int
    cost_by_source: Mapping[str, NanoUsd]
    """Cost by how it is known: reported by the provider, from the price book, estimated, or a bound."""
    models: tuple[Part, ...]
    """By cost, the dearest first."""
    use_cases: tuple[Part, ...]
    tenants: tuple[Part, ...]

    @property
    def is_empty(self) -> bool:
        """Return whether nothing was booked."""
        return self.requests == 0 and not self.models


def month_report(view: LedgerView, *, month: str, tenant: str | None = None) -> MonthReport:
    """Return the report of a month (`2026-11`, in the time zone of the budgets).

    A ledger that does not exist yet gives an empty report.

    Raises:
        LedgerError: the ledger cannot be read.
        InvalidRequestError: the tenant is no name.
    """
    tenant = None if tenant is None else name_of(tenant, "tenant")
    if not view.exists:
        return _empty(month, tenant)
    with view:
        requests = frames.operations(view, month=month, tenant=tenant)
        sent = frames.attempts(view, month=month, tenant=tenant)
        rolled = view.rolled(month=month, tenant=tenant)
    cost = NanoUsd(int(sent["cost_nusd"].sum()))
    report = MonthReport(
        month=month,
        tenant=tenant,
        requests=len(requests),
        outcomes={outcome.value: int((requests["outcome"] == outcome.value).sum()) for outcome in Outcome},
        cost_nusd=cost,
        average_cost_nusd=_average(cost, len(requests)),
        average_latency_s=_latency_s(requests),
        success_rate=_success_rate(requests),
        cache_hits=int((requests["cached"] == CacheState.HIT.value).sum()),
        joined=int((requests["cached"] == CacheState.JOINED.value).sum()),
        stale=int((requests["cached"] == CacheState.STALE.value).sum()),
        degraded=int(requests["degraded"].notna().sum()),
        cost_by_source={
            source.value: _cost(sent[sent["cost_source"] == source.value]) for source in CostSource
        },
        models=_parts(sent, sent, by="model"),
        use_cases=_parts(requests, sent, by="use_case"),
        tenants=_parts(requests, sent, by="tenant"),
    )
    return _with_rolled(report, rolled) if rolled.rows else report


def _with_rolled(report: MonthReport, rolled: Rows) -> MonthReport:
    """Return the report with the sums of what was compacted in it."""
    sums: dict[tuple[str, str], list[int]] = {}
    for tenant, use_case, model, requests, attempts, cost in rolled.rows:
        for key, count in (
            (("tenants", tenant), requests),
            (("use_cases", use_case), requests),
            (("models", model), attempts),
        ):
            entry = sums.setdefault(key, [0, 0])
            entry[0] += count
            entry[1] += cost
    counted = [sums[key] for key in sums if key[0] == "tenants"]
    requests = report.requests + sum(count for count, _ in counted)
    cost = NanoUsd(report.cost_nusd + sum(cost for _, cost in counted))

    def parts(kind: str, known: tuple[Part, ...]) -> tuple[Part, ...]:
        of_kind = {name: entry for (of, name), entry in sums.items() if of == kind and name and any(entry)}
        return _joined(known, of_kind)

    return replace(
        report,
        requests=requests,
        cost_nusd=cost,
        average_cost_nusd=_average(cost, requests),
        models=parts("models", report.models),
        use_cases=parts("use_cases", report.use_cases),
        tenants=parts("tenants", report.tenants),
    )


def _joined(known: tuple[Part, ...], sums: Mapping[str, list[int]]) -> tuple[Part, ...]:
    by_name = {part.name: part for part in known}
    joined = []
    total = sum(part.requests for part in known) + sum(count for count, _ in sums.values())
    for name in by_name.keys() | sums.keys():
        part = by_name.get(name) or Part(name, 0, 0.0, ZERO_NUSD, None, None, None)
        count, cost = sums.get(name, [0, 0])
        requests, cost_nusd = part.requests + count, NanoUsd(part.cost_nusd + cost)
        joined.append(
            replace(
                part,
                requests=requests,
                share=requests / total if total else 0.0,
                cost_nusd=cost_nusd,
                average_cost_nusd=_average(cost_nusd, requests),
            )
        )
    return _ordered(joined)


def _ordered(parts: Iterable[Part]) -> tuple[Part, ...]:
    return tuple(sorted(parts, key=lambda part: (-part.cost_nusd, -part.requests, part.name)))


def _parts(requests: "pd.DataFrame", sent: "pd.DataFrame", *, by: str) -> tuple[Part, ...]:
    names = sorted({*requests[by].dropna(), *sent[by].dropna()})
    parts = [
        _part(name, requests[requests[by] == name], sent[sent[by] == name], of=len(requests))
        for name in names
    ]
    return _ordered(parts)


def _part(name: str, requests: "pd.DataFrame", sent: "pd.DataFrame", *, of: int) -> Part:
    cost = _cost(sent)
    return Part(
        name=name,
        requests=len(requests),
        share=len(requests) / of if of else 0.0,
        cost_nusd=cost,
        average_cost_nusd=_average(cost, len(requests)),
        average_latency_s=_latency_s(requests),
        success_rate=_success_rate(requests),
    )


def _cost(sent: "pd.DataFrame") -> NanoUsd:
    return NanoUsd(int(sent["cost_nusd"].sum()))


def _average(cost: NanoUsd, count: int) -> NanoUsd | None:
    return NanoUsd(-(-cost // count)) if count else None


def _latency_s(requests: "pd.DataFrame") -> float | None:
    answered = requests.loc[requests["outcome"] == Outcome.SUCCEEDED.value, "latency_ms"]
    return float(answered.mean()) / 1000 if len(answered) else None


def _success_rate(requests: "pd.DataFrame") -> float | None:
    succeeded = int((requests["outcome"] == Outcome.SUCCEEDED.value).sum())
    failed = int((requests["outcome"] == Outcome.FAILED.value).sum())
    return succeeded / (succeeded + failed) if succeeded + failed else None


def _empty(month: str, tenant: str | None) -> MonthReport:
    return MonthReport(
        month=month,
        tenant=tenant,
        requests=0,
        outcomes={outcome.value: 0 for outcome in Outcome},
        cost_nusd=ZERO_NUSD,
        average_cost_nusd=None,
        average_latency_s=None,
        success_rate=None,
        cache_hits=0,
        joined=0,
        stale=0,
        degraded=0,
        cost_by_source={source.value: ZERO_NUSD for source in CostSource},
        models=(),
        use_cases=(),
        tenants=(),
    )
