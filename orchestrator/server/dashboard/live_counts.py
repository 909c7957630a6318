"""The last hour in this process, by tenant and minute: what each model did and cost; the latest failures.

Fed by the ledger's bookings, so every amount is one that was booked. Some additions for each request; what is
in memory is bounded by tenants, minutes and the models of config.yaml. How requests ended, and how long they
took, `resilience.traffic_counts` counts.
"""

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.core.clock import Clock
from orchestrator.core.last_minutes import LastMinutes
from orchestrator.core.payer import is_own, name_in, shadowed_experiment
from orchestrator.core.reply import Attempt, CacheState, Outcome
from orchestrator.ledger.records import Hold, RequestRecord

ALL_TENANTS = ""
"""In the place of a tenant's name, which is never empty."""
_FAILURES_MAX = 10
"""Of each provider: one that fails all the time does not push out what others said."""
_REPEATS = frozenset({CacheState.HIT, CacheState.JOINED, CacheState.REPLAYED})


@dataclass(slots=True)
class ModelCount:
    """Sends to a model, and the requests that it answered."""

    requests: int = 0
    """Those it answered; a repetition from the cache is none."""
    sends: int = 0
    failed: int = 0
    cost_nusd: int = 0
    latency_s: float = 0.0
    """Of the sends that were answered, together."""
    streams: int = 0
    first_token_s: float = 0.0
    """Until the first piece of the streams, together."""

    def add(self, other: "ModelCount") -> None:
        """Add what another minute counted."""
        self.requests += other.requests
        self.sends += other.sends
        self.failed += other.failed
        self.cost_nusd += other.cost_nusd
        self.latency_s += other.latency_s
        self.streams += other.streams
        self.first_token_s += other.first_token_s

    @property
    def average_s(self) -> float | None:
        """Return how long an answered send took, None without any."""
        answered = self.sends - self.failed
        return self.latency_s / answered if answered else None

    @property
    def average_first_s(self) -> float | None:
        """Return how long the first piece of a stream took, None without a stream."""
        return self.first_token_s / self.streams if self.streams else None

    @property
    def success(self) -> float | None:
        """Return the part of the sends that was answered, None without any."""
        return 1 - self.failed / self.sends if self.sends else None


@dataclass(slots=True)
class _Minute:
    models: dict[str, ModelCount] = field(default_factory=dict)
    experiments_nusd: int = 0


@dataclass(frozen=True, slots=True)
class LiveSums:
    """The last minutes of a tenant, or of everybody."""

    cost_nusd: int
    models: dict[str, ModelCount]
    experiments_nusd: int = 0
    """What shadows of experiments cost of it; models have their sends, nothing has their requests."""


@dataclass(frozen=True, slots=True)
class LiveFailure:
    """A send that failed."""

    at: datetime
    provider: str
    deployment: str
    failure: str
    status: int | None


class LiveCounts:
    """Counts what the ledger books; thread-safe."""

    def __init__(self, *, clock: Clock) -> None:
        """Begin with nothing."""
        self._clock = clock
        self._lock = threading.Lock()
        self._minutes = LastMinutes(_Minute, clock=clock)
        self._failures: dict[str, deque[LiveFailure]] = {}
        self.since = clock.now()

    def attempt_settled(self, hold: Hold, attempt: Attempt) -> None:
        """Count a send."""
        tenant = name_in(hold.request.scopes, "tenant") or ALL_TENANTS
        is_shadow = shadowed_experiment(tenant) is not None
        failed = attempt.outcome is Outcome.FAILED
        count = _count_of(attempt)
        with self._lock:
            for name in {ALL_TENANTS, ALL_TENANTS if is_shadow else tenant}:
                minute = self._minutes.now(name)
                minute.models.setdefault(attempt.model, ModelCount()).add(count)
                minute.experiments_nusd += attempt.cost_nusd if is_shadow else 0
            if failed:
                latest = self._failures.setdefault(attempt.provider, deque(maxlen=_FAILURES_MAX))
                latest.appendleft(_failure_of(attempt, self._clock.now()))

    def request_recorded(self, record: RequestRecord) -> None:
        """Count a request that a model answered for somebody; a repetition says nothing of models."""
        is_answered = record.outcome is Outcome.SUCCEEDED and record.model is not None
        if not is_answered or record.cached in _REPEATS or is_own(record.tenant):
            return
        with self._lock:
            for name in {ALL_TENANTS, record.tenant}:
                self._minutes.now(name).models.setdefault(record.model or "", ModelCount()).requests += 1

    def sums(self, tenant: str = ALL_TENANTS) -> LiveSums:
        """Return the last hour of a tenant."""
        models: dict[str, ModelCount] = {}
        with self._lock:
            minutes = self._minutes.last(tenant)
            for minute in minutes:
                for model, count in minute.models.items():
                    models.setdefault(model, ModelCount()).add(count)
            experiments_nusd = sum(minute.experiments_nusd for minute in minutes)
        return LiveSums(sum(count.cost_nusd for count in models.values()), models, experiments_nusd)

    def failures(self) -> tuple[LiveFailure, ...]:
        """Return the latest failures of each provider, the newest first."""
        with self._lock:
            latest = [failure for failures in self._failures.values() for failure in failures]
        return tuple(sorted(latest, key=lambda failure: failure.at, reverse=True))


def _count_of(attempt: Attempt) -> ModelCount:
    failed = attempt.outcome is Outcome.FAILED
    first_s = attempt.first_token_s
    return ModelCount(
        sends=1,
        failed=int(failed),
        cost_nusd=attempt.cost_nusd,
        latency_s=0.0 if failed else attempt.latency_s,
        streams=int(first_s is not None),
        first_token_s=first_s or 0.0,
    )


def _failure_of(attempt: Attempt, at: datetime) -> LiveFailure:
    return LiveFailure(at, attempt.provider, attempt.deployment, attempt.failure or "unknown", attempt.status)
