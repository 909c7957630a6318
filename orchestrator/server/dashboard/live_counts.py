"""The last hour in this process, by tenant and minute: what each model did and cost; the latest failures.

Fed by the ledger's bookings, so every amount is one that was booked. Some additions for each request; what is
in memory is bounded by tenants, minutes and the models of config.yaml.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.core.clock import Clock
from orchestrator.core.payer import name_in
from orchestrator.core.reply import Attempt, CacheState, Outcome
from orchestrator.ledger.records import Hold, RequestRecord

ALL_TENANTS = ""
"""In the place of a tenant's name, which is never empty."""
MINUTES = 60
TENANTS_MAX = 500
"""Beyond so many the one that was asked longest ago is forgotten."""
_FAILURES_MAX = 10
"""Of each provider: one that fails all the time does not push out what others said."""
_MINUTE_S = 60.0
_TRIED = frozenset({Outcome.SUCCEEDED, Outcome.FAILED})
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
    number: int
    tried: int = 0
    failed: int = 0
    latency_s: float = 0.0
    models: dict[str, ModelCount] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LiveSums:
    """The last minutes of a tenant, or of everybody."""

    tried: int
    """Requests that were answered or failed; without those refused, cancelled or repeated from the cache."""
    failed: int
    average_s: float | None
    """Of these; None without any."""
    cost_nusd: int
    models: dict[str, ModelCount]


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
        self._tenants: OrderedDict[str, deque[_Minute]] = OrderedDict()
        self._failures: dict[str, deque[LiveFailure]] = {}
        self.since = clock.now()

    def attempt_settled(self, hold: Hold, attempt: Attempt) -> None:
        """Count a send."""
        tenant = name_in(hold.request.scopes, "tenant")
        failed = attempt.outcome is Outcome.FAILED
        count = _count_of(attempt)
        with self._lock:
            for minute in self._minutes(tenant):
                minute.models.setdefault(attempt.model, ModelCount()).add(count)
            if failed:
                latest = self._failures.setdefault(attempt.provider, deque(maxlen=_FAILURES_MAX))
                latest.appendleft(_failure_of(attempt, self._clock.now()))

    def request_recorded(self, record: RequestRecord) -> None:
        """Count a request that was tried; one refused by a budget or repeated says nothing of models."""
        if record.outcome not in _TRIED or record.cached in _REPEATS:
            return
        with self._lock:
            for minute in self._minutes(record.tenant):
                minute.tried += 1
                minute.failed += record.outcome is Outcome.FAILED
                minute.latency_s += record.latency_s
                if record.outcome is Outcome.SUCCEEDED and record.model is not None:
                    minute.models.setdefault(record.model, ModelCount()).requests += 1

    def sums(self, tenant: str = ALL_TENANTS) -> LiveSums:
        """Return the last hour of a tenant."""
        oldest = self._minute() - MINUTES + 1
        models: dict[str, ModelCount] = {}
        with self._lock:
            minutes = [minute for minute in self._tenants.get(tenant, ()) if minute.number >= oldest]
            for minute in minutes:
                for model, count in minute.models.items():
                    models.setdefault(model, ModelCount()).add(count)
            tried = sum(minute.tried for minute in minutes)
            failed = sum(minute.failed for minute in minutes)
            latency_s = sum(minute.latency_s for minute in minutes)
        cost = sum(count.cost_nusd for count in models.values())
        return LiveSums(tried, failed, latency_s / tried if tried else None, cost, models)

    def failures(self) -> tuple[LiveFailure, ...]:
        """Return the latest failures of each provider, the newest first."""
        with self._lock:
            latest = [failure for failures in self._failures.values() for failure in failures]
        return tuple(sorted(latest, key=lambda failure: failure.at, reverse=True))

    def _minute(self) -> int:
        return int(self._clock.monotonic_s() // _MINUTE_S)

    def _minutes(self, tenant: str | None) -> Iterable[_Minute]:
        number = self._minute()
        return [self._of(name, number) for name in (ALL_TENANTS, tenant) if name is not None]

    def _of(self, tenant: str, number: int) -> _Minute:
        minutes = self._tenants.get(tenant)
        if minutes is None:
            minutes = self._tenants[tenant] = deque(maxlen=MINUTES)
        self._tenants.move_to_end(tenant)
        if len(self._tenants) > TENANTS_MAX:
            self._tenants.popitem(last=False)
        if not minutes or minutes[-1].number != number:
            minutes.append(_Minute(number))
        return minutes[-1]


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
