"""How the requests of the last hour ended, by scope: counted in memory, a few additions for each request.

    counts.add(("all", "tenant:acme"), succeeded=True, degraded=False, emergency=False, latency_s=0.8)
    counts.sums("tenant:acme", window_s=300).failed

Counted are the requests of this process that were answered by a model or failed; one that was refused by a
budget, cancelled or repeated from the cache says nothing of the providers.
"""

import math
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.core.clock import Clock

BUCKET_S = 60.0
WINDOW_MAX_S = 3600.0
SCOPES_MAX = 500
"""Beyond so many the scope that was asked longest ago is forgotten: memory has a bound."""
_STEP = 1.25
_FASTEST_S = 0.01
_SLOW_SHARE = 0.05


@dataclass(slots=True)
class _Bucket:
    number: int
    """Of its minute."""
    requests: int = 0
    failed: int = 0
    degraded: int = 0
    emergency: int = 0
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
    p95_s: float
    """The slowest twentieth took so long or longer; exact to a quarter, and never too high."""


class TrafficCounts:
    """Counts by scope and minute; thread-safe."""

    def __init__(self, *, clock: Clock) -> None:
        """Begin with nothing."""
        self._clock = clock
        self._lock = threading.Lock()
        self._scopes: OrderedDict[str, deque[_Bucket]] = OrderedDict()

    def add(
        self, scopes: Iterable[str], *, succeeded: bool, degraded: bool, emergency: bool, latency_s: float
    ) -> None:
        """Count one request in each of its scopes."""
        number = int(self._clock.monotonic_s() // BUCKET_S)
        step = _step_of(latency_s)
        with self._lock:
            for scope in scopes:
                bucket = self._bucket(scope, number)
                bucket.requests += 1
                bucket.failed += not succeeded
                bucket.degraded += succeeded and degraded
                bucket.emergency += emergency
                bucket.latencies[step] = bucket.latencies.get(step, 0) + 1

    def scopes(self) -> tuple[str, ...]:
        """Return every scope that is counted."""
        with self._lock:
            return tuple(self._scopes)

    def sums(self, scope: str, *, window_s: float) -> TrafficSums:
        """Return what the last `window_s` seconds say, whole minutes counted; an hour at most."""
        oldest = int((self._clock.monotonic_s() - min(window_s, WINDOW_MAX_S)) // BUCKET_S) + 1
        with self._lock:
            buckets = [bucket for bucket in self._scopes.get(scope, ()) if bucket.number >= oldest]
            latencies: dict[int, int] = {}
            for bucket in buckets:
                for step, count in bucket.latencies.items():
                    latencies[step] = latencies.get(step, 0) + count
            return TrafficSums(
                requests=sum(bucket.requests for bucket in buckets),
                failed=sum(bucket.failed for bucket in buckets),
                degraded=sum(bucket.degraded for bucket in buckets),
                emergency=sum(bucket.emergency for bucket in buckets),
                p95_s=_p95_s(latencies),
            )

    def _bucket(self, scope: str, number: int) -> _Bucket:
        buckets = self._scopes.get(scope)
        if buckets is None:
            buckets = self._scopes[scope] = deque(maxlen=int(WINDOW_MAX_S // BUCKET_S) + 1)
            if len(self._scopes) > SCOPES_MAX:
                self._scopes.popitem(last=False)
        self._scopes.move_to_end(scope)
        if not buckets or buckets[-1].number != number:
            buckets.append(_Bucket(number))
        return buckets[-1]


def _step_of(latency_s: float) -> int:
    return 0 if latency_s <= _FASTEST_S else int(math.log(latency_s / _FASTEST_S, _STEP))


def _p95_s(latencies: dict[int, int]) -> float:
    slow = max(1, int(sum(latencies.values()) * _SLOW_SHARE))
    for step in sorted(latencies, reverse=True):
        slow -= latencies[step]
        if slow <= 0:
            return float(_FASTEST_S * _STEP**step) if step else 0.0
    return 0.0
