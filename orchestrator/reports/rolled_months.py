"""What is left of compacted months: their requests and cost, where a whole month is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.core.payer import shadowed_experiment
from orchestrator.ledger.store import LedgerView
from orchestrator.ledger.usage import Selection
from orchestrator.reports.phrase import Phrase
from orchestrator.reports.span import Span

_Sums = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class RolledSums:
    """Requests (of models: sends) and nano-dollars, by name."""

    requests: int = 0
    """Without the shadows of experiments, whose cost is in."""
    cost_nusd: int = 0
    models: _Sums = field(default_factory=dict)
    use_cases: _Sums = field(default_factory=dict)
    tenants: _Sums = field(default_factory=dict)
    experiments: _Sums = field(default_factory=dict)
    """Their shadows, which are in no tenant and in no use case."""
    notices: tuple[Phrase, ...] = ()
    """What cannot be said any more."""


def rolled_sums(view: LedgerView, span: Span, selection: Selection) -> RolledSums:
    """Return the sums of the compacted months in a range; the view is entered already.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    models: dict[str, tuple[int, int]] = {}
    use_cases: dict[str, tuple[int, int]] = {}
    tenants: dict[str, tuple[int, int]] = {}
    experiments: dict[str, tuple[int, int]] = {}
    total = (0, 0)
    notices = []
    for month in span.months:
        rows = view.rolled(month=month, tenant=selection.tenant).rows
        problem = _left_out(month, span, selection) if rows else None
        if problem:
            notices.append(problem)
            continue
        for tenant, use_case, model, requests, attempts, cost in rows:
            if selection.use_case in (None, use_case):
                experiment = shadowed_experiment(tenant)
                total = (total[0] + (0 if experiment else requests), total[1] + cost)
                _add(models, model, attempts, cost)
                if experiment:
                    _add(experiments, experiment, requests, cost)
                else:
                    _add(tenants, tenant, requests, cost)
                    _add(use_cases, use_case, requests, cost)
    return RolledSums(*total, models, use_cases, tenants, experiments, tuple(notices))


def _left_out(month: str, span: Span, selection: Selection) -> Phrase | None:
    if month not in span.whole_months:
        return Phrase("compacted_month", {"month": month})
    if selection.user is not None or selection.tag is not None:
        return Phrase("compacted_names", {"month": month})
    return None


def _add(sums: dict[str, tuple[int, int]], name: str, count: int, cost_nusd: int) -> None:
    # A request that nobody answered has no model, and a send that lost its request no tenant.
    if name and (count or cost_nusd):
        before = sums.get(name, (0, 0))
        sums[name] = (before[0] + count, before[1] + cost_nusd)
