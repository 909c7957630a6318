"""What happens now: the requests of the last minutes, summed, from a look at the ledger.

A look reads the newest 5,000 requests at most. Where there were more, the numbers are of a shorter span,
which `window_s` says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from orchestrator.core.formatting import money
from orchestrator.core.payer import is_own, shadowed_experiment
from orchestrator.ledger.requests import RequestQuery, RequestRow
from orchestrator.ledger.store import LedgerView

PAGE, PAGES_MAX = 1000, 5
_HOUR_S = 3600
_P95 = 0.95


@dataclass(frozen=True, slots=True)
class ModelNow:
    """The requests that one model answered."""

    model: str
    requests: int
    cost_nusd: int


@dataclass(frozen=True, slots=True)
class LiveNumbers:
    """The requests that began in the last `window_s` seconds and have ended."""

    window_s: float
    requests: int
    """Without the shadows of experiments, which are in nothing but cost and their own number."""
    errors: int
    """Those that ended without an answer by an error."""
    degraded: int
    latency_average_s: float | None
    latency_p95_s: float | None
    cost_nusd: int
    models: tuple[ModelNow, ...]
    """The one with most requests first."""
    shadows: int = 0
    shadows_nusd: int = 0

    @property
    def error_share(self) -> float | None:
        """Return the share of requests that ended in an error, None without any request."""
        return self.errors / self.requests if self.requests else None

    @property
    def cost_per_hour_nusd(self) -> int:
        """Return what an hour costs that goes on like this, in nano-dollars, rounded up."""
        return ceil(self.cost_nusd * _HOUR_S / self.window_s)

    def as_plain(self) -> dict[str, Any]:
        """Return the numbers for JSON."""
        return {
            "window_s": self.window_s,
            "requests": self.requests,
            "errors": self.errors,
            "error_share": self.error_share,
            "degraded": self.degraded,
            "latency_average_s": self.latency_average_s,
            "latency_p95_s": self.latency_p95_s,
            **money("cost", self.cost_nusd),
            **money("cost_per_hour", self.cost_per_hour_nusd),
            "experiments": {"requests": self.shadows, **money("cost", self.shadows_nusd)},
            "models": [
                {"model": row.model, "requests": row.requests, **money("cost", row.cost_nusd)}
                for row in self.models
            ],
        }


def live_numbers(view: LedgerView, *, now: datetime, window_s: float) -> LiveNumbers:
    """Return the numbers of the last `window_s` seconds, or of those that the newest 5,000 requests cover.

    Raises:
        LedgerError: there is a ledger and it cannot be read.
    """
    rows: list[RequestRow] = []
    if not view.exists:
        return _summed(rows, window_s)
    since = now - timedelta(seconds=window_s)
    before: str | None = None
    with view:
        for _ in range(PAGES_MAX):
            page = view.requests(RequestQuery(since=since, before=before, limit=PAGE))
            rows += page
            if len(page) < PAGE:
                return _summed(rows, window_s)
            before = page[-1].id
    covered_s = max(1.0, (now - rows[-1].started_at).total_seconds())
    return _summed(rows, min(window_s, covered_s))


def _summed(every: Sequence[RequestRow], window_s: float) -> LiveNumbers:
    rows = [row for row in every if shadowed_experiment(row.tenant) is None]
    latencies = sorted(row.latency_s for row in rows)
    return LiveNumbers(
        window_s,
        requests=len(rows),
        errors=sum(row.error is not None and not is_own(row.tenant) for row in rows),
        degraded=sum(row.degraded is not None for row in rows),
        latency_average_s=sum(latencies) / len(latencies) if latencies else None,
        latency_p95_s=latencies[ceil(len(latencies) * _P95) - 1] if latencies else None,
        cost_nusd=sum(row.cost_nusd for row in every),
        models=_by_model(rows),
        shadows=len(every) - len(rows),
        shadows_nusd=sum(row.cost_nusd for row in every) - sum(row.cost_nusd for row in rows),
    )


def _by_model(rows: Sequence[RequestRow]) -> tuple[ModelNow, ...]:
    costs: dict[str, list[int]] = {}
    for row in rows:
        if row.model is not None:
            costs.setdefault(row.model, []).append(row.cost_nusd)
    models = [ModelNow(model, len(booked), sum(booked)) for model, booked in costs.items()]
    return tuple(sorted(models, key=lambda row: (-row.requests, row.model)))
