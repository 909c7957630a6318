"""How the requests of the last hour ended, by scope: counted in memory, a few additions for each request.

    counts.add(("all", "tenant:acme"), succeeded=True, degraded=False, emergency=False, latency_s=0.8)
    counts.sums("tenant:acme", window_s=300).failed

Counted are the requests of this process that were answered by a model or failed; one that was refused by a
budget, cancelled or repeated from the cache says nothing of the providers.
"""

import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.core.clock import Clock
from orchestrator.core.last_minutes import WINDOW_MAX_S, LastMinutes

_STEP = 1.25
_FASTEST_S = 0.01
_SLOW_SHARE = 0.05


@dataclass(slots=True)
class _Bucket:
    requests: int = 0
    failed: int = 0
    degraded: int = 0
    emergency: int = 0
    latency_s: float = 0.0
    """Together."""
    latencies: dict[int, int] = field(default_factory=dict)
    """How many took `_FASTEST_S` times `_STEP` to the power of the key, or more."""


@dataclass(frozen=True, slots=True)
class TrafficSums:
    """What happened to the requests of a scope within a window."""

    requests: int
    failed: int
    degraded: int
    """Answered, but not as the first choice would have."""
    emergency: int
    """Answered by the model of last resort."""
    average_s: float | None
    """Until the answer or the failure; None without a request."""
    p95_s: float
    """The slowest twentieth took so long or longer; exact to a quarter, and never too high."""


class TrafficCounts:
    """Counts by scope and minute; thread-safe."""

    def __init__(self, *, clock: Clock) -> None:
        """Begin with nothing."""
        self._lock = threading.Lock()
        self._minutes = LastMinutes(_Bucket, clock=clock)

    def add(
        self, scopes: Iterable[str], *, succeeded: bool, degraded: bool, emergency: bool, latency_s: float
    ) -> None:
        """Count one request in each of its scopes."""
        step = _step_of(latency_s)
        with self._lock:
            for scope in scopes:
                bucket = self._minutes.now(scope)
                bucket.requests += 1
                bucket.failed += not succeeded
                bucket.degraded += succeeded and degraded
                bucket.emergency += emergency
                bucket.latency_s += latency_s
                bucket.latencies[step] = bucket.latencies.get(step, 0) + 1

    def scopes(self) -> tuple[str, ...]:
        """Return every scope that is counted."""
        with self._lock:
            return self._minutes.names()

    def sums(self, scope: str, *, window_s: float = WINDOW_MAX_S) -> TrafficSums:
        """Return what the last `window_s` seconds say, whole minutes counted; an hour at most."""
        with self._lock:
            buckets = self._minutes.last(scope, window_s=window_s)
            latencies: dict[int, int] = {}
            for bucket in buckets:
                for step, count in bucket.latencies.items():
                    latencies[step] = latencies.get(step, 0) + count
            requests = sum(bucket.requests for bucket in buckets)
            latency_s = sum(bucket.latency_s for bucket in buckets)
            return TrafficSums(
                requests=requests,
                failed=sum(bucket.failed for bucket in buckets),
                degraded=sum(bucket.degraded for bucket in buckets),
                emergency=sum(bucket.emergency for bucket in buckets),
                average_s=latency_s / requests if requests else None,
                p95_s=_p95_s(latencies),
            )


def _step_of(latency_s: float) -> int:
    return 0 if latency_s <= _FASTEST_S else int(math.log(latency_s / _FASTEST_S, _STEP))


def _p95_s(latencies: dict[int, int]) -> float:
    slow = max(1, int(sum(latencies.values()) * _SLOW_SHARE))
    for step in sorted(latencies, reverse=True):
        slow -= latencies[step]
        if slow <= 0:
            return float(_FASTEST_S * _STEP**step) if step else 0.0
    return 0.0
