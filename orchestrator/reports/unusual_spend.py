"""Days that cost unusually much, and who of whom made them so.

A day is unusual when it costs more than the median of the days around it by six times their median
deviation, and by a quarter at least. Its cause is the tenant, use case and model whose own cost rose most.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from orchestrator.core.money import NanoUsd
from orchestrator.reports.usage_sums import Cause, UsageSums

_DAYS_MIN = 7
_DEVIATIONS = 6
_RISE_MIN = 0.25


@dataclass(frozen=True, slots=True)
class UnusualDay:
    """A day that cost more than such days do, and its cause."""

    day: str
    cost_nusd: NanoUsd
    usual_nusd: NanoUsd
    """The median of all days of the range."""
    tenant: str
    use_case: str
    model: str
    rise_nusd: NanoUsd
    """What this tenant's use case cost more on this model than on its median day."""


_Costs = Mapping[Cause, Mapping[str, int]]


def unusual_days(
    sums: UsageSums, days: Sequence[str], costs_by_cause: Callable[[], _Costs]
) -> tuple[UnusualDay, ...]:
    """Return the unusual days of a range, in their order; none of fewer than seven days.

    `costs_by_cause` is asked where there is one, for it may have to read much.
    """
    if len(days) < _DAYS_MIN:
        return ()
    costs = {day: sums.days[day].cost_nusd if day in sums.days else 0 for day in days}
    usual = int(median(costs.values()))
    deviation = median(abs(cost - usual) for cost in costs.values())
    line = usual + max(_DEVIATIONS * deviation, _RISE_MIN * usual)
    above = [day for day in days if costs[day] > line]
    by_cause = costs_by_cause() if above else {}
    return tuple(_explained(day, costs[day], usual, by_cause, len(days)) for day in above)


def _explained(day: str, cost_nusd: int, usual: int, by_cause: _Costs, days: int) -> UnusualDay:
    def rise(cause: Cause) -> int:
        costs = by_cause[cause]
        whole = [*costs.values(), *[0] * (days - len(costs))]
        return costs.get(day, 0) - int(median(whole))

    tenant, use_case, model = cause = max(sorted(by_cause), key=rise)
    return UnusualDay(day, NanoUsd(cost_nusd), NanoUsd(usual), tenant, use_case, model, NanoUsd(rise(cause)))
