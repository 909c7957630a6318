"""What is left of compacted months: their requests and cost, where a whole month is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.ledger.store import LedgerView
from orchestrator.ledger.usage import Selection
from orchestrator.reports.span import Span

_Sums = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class RolledSums:
    """Requests (of models: sends) and nano-dollars, by name."""

    requests: int = 0
    cost_nusd: int = 0
    models: _Sums = field(default_factory=dict)
    use_cases: _Sums = field(default_factory=dict)
    tenants: _Sums = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    """What cannot be said any more."""


def rolled_sums(view: LedgerView, span: Span, selection: Selection) -> RolledSums:
    """Return the sums of the compacted months in a range; the view is entered already.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    models: dict[str, tuple[int, int]] = {}
    use_cases: dict[str, tuple[int, int]] = {}
    tenants: dict[str, tuple[int, int]] = {}
    total = (0, 0)
    notices = []
    for month in sorted(set(view.months()) & set(span.months)):
        rows = view.rolled(month=month, tenant=selection.tenant).rows
        problem = _left_out(month, span, selection) if rows else None
        if problem:
            notices.append(problem)
            continue
        for tenant, use_case, model, requests, attempts, cost in rows:
            if selection.use_case in (None, use_case):
                total = (total[0] + requests, total[1] + cost)
                _add(tenants, tenant, requests, cost)
                _add(use_cases, use_case, requests, cost)
                _add(models, model, attempts, cost)
    return RolledSums(*total, models, use_cases, tenants, tuple(notices))


def _left_out(month: str, span: Span, selection: Selection) -> str | None:
    if month not in span.whole_months:
        return f"{month} is compacted and can only be reported as a whole: what is compacted is left out"
    if selection.user is not None or selection.tag is not None:
        return f"{month} is compacted and no longer knows users and tags: what is compacted is left out"
    return None


def _add(sums: dict[str, tuple[int, int]], name: str, count: int, cost_nusd: int) -> None:
    # A request that nobody answered has no model, and a send that lost its request no tenant.
    if name and (count or cost_nusd):
        before = sums.get(name, (0, 0))
        sums[name] = (before[0] + count, before[1] + cost_nusd)
