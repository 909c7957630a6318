"""The month: what was asked, what it cost, who answered, and how the budgets stand.

Cost comes from the sends, which are what providers charge; requests come from the operations. A
success rate leaves out what nobody tried: refused by a budget, or cancelled by the caller.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.calls import CacheState, CostSource, Outcome
from orchestrator.money import ZERO_NUSD, NanoUsd
from orchestrator.reports import frames
from orchestrator.state.ledger_read import LedgerReader

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
    degraded: int
    cost_by_source: Mapping[str, NanoUsd]
    """Cost by how it is known: reported by the provider, from the price book, estimated, or its upper bound."""
    models: tuple[Part, ...]
    """By cost, the dearest first."""
    use_cases: tuple[Part, ...]
    tenants: tuple[Part, ...]

    @property
    def is_empty(self) -> bool:
        """Return whether nothing was booked."""
        return self.requests == 0 and not self.models


def month_report(reader: LedgerReader, *, month: str, tenant: str | None = None) -> MonthReport:
    """Return the report of a month (`2026-11`, in the time zone of the budgets).

    A ledger that does not exist yet gives an empty report.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    if not reader.exists:
        return _empty(month, tenant)
    with reader:
        asked = frames.operations(reader, month=month, tenant=tenant)
        sent = frames.attempts(reader, month=month, tenant=tenant)
    cost = NanoUsd(int(sent["cost_nusd"].sum()))
    return MonthReport(
        month=month,
        tenant=tenant,
        requests=len(asked),
        outcomes={one.value: int((asked["outcome"] == one.value).sum()) for one in Outcome},
        cost_nusd=cost,
        average_cost_nusd=_average(cost, len(asked)),
        average_latency_s=_latency_s(asked),
        success_rate=_success_rate(asked),
        cache_hits=int((asked["cached"] == CacheState.HIT.value).sum()),
        joined=int((asked["cached"] == CacheState.JOINED.value).sum()),
        degraded=int(asked["degraded"].notna().sum()),
        cost_by_source={one.value: _cost(sent[sent["cost_source"] == one.value]) for one in CostSource},
        models=_parts(sent, sent, by="model"),
        use_cases=_parts(asked, sent, by="use_case"),
        tenants=_parts(asked, sent, by="tenant"),
    )


def _parts(asked: "pd.DataFrame", sent: "pd.DataFrame", *, by: str) -> tuple[Part, ...]:
    names = sorted({*asked[by].dropna(), *sent[by].dropna()})
    parts = [_part(name, asked[asked[by] == name], sent[sent[by] == name], of=len(asked)) for name in names]
    return tuple(sorted(parts, key=lambda part: (-part.cost_nusd, -part.requests, part.name)))


def _part(name: str, asked: "pd.DataFrame", sent: "pd.DataFrame", *, of: int) -> Part:
    cost = _cost(sent)
    return Part(
        name=name,
        requests=len(asked),
        share=len(asked) / of if of else 0.0,
        cost_nusd=cost,
        average_cost_nusd=_average(cost, len(asked)),
        average_latency_s=_latency_s(asked),
        success_rate=_success_rate(asked),
    )


def _cost(sent: "pd.DataFrame") -> NanoUsd:
    return NanoUsd(int(sent["cost_nusd"].sum()))


def _average(cost: NanoUsd, count: int) -> NanoUsd | None:
    return NanoUsd(-(-cost // count)) if count else None


def _latency_s(asked: "pd.DataFrame") -> float | None:
    answered = asked.loc[asked["outcome"] == Outcome.SUCCEEDED.value, "latency_ms"]
    return float(answered.mean()) / 1000 if len(answered) else None


def _success_rate(asked: "pd.DataFrame") -> float | None:
    succeeded = int((asked["outcome"] == Outcome.SUCCEEDED.value).sum())
    failed = int((asked["outcome"] == Outcome.FAILED.value).sum())
    return succeeded / (succeeded + failed) if succeeded + failed else None


def _empty(month: str, tenant: str | None) -> MonthReport:
    return MonthReport(
        month=month,
        tenant=tenant,
        requests=0,
        outcomes={one.value: 0 for one in Outcome},
        cost_nusd=ZERO_NUSD,
        average_cost_nusd=None,
        average_latency_s=None,
        success_rate=None,
        cache_hits=0,
        joined=0,
        degraded=0,
        cost_by_source={one.value: ZERO_NUSD for one in CostSource},
        models=(),
        use_cases=(),
        tenants=(),
    )
