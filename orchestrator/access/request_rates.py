"""How many requests a minute each caller gets: a bucket for each, which fills evenly."""

from collections import OrderedDict
from dataclasses import dataclass

from orchestrator.core.clock import Clock

_BUCKETS_MAX = 10_000
"""Callers that are remembered; the one that was quiet longest is forgotten first."""
_MINUTE_S = 60.0


@dataclass(slots=True)
class _Bucket:
    left: float
    filled_s: float


class RequestRates:
    """Counts requests by caller, in this process; what was not used for a minute is full again."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nobody known."""
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, caller: str, *, per_min: int) -> float:
        """Count a request; return 0 where the caller may go on, or the seconds until it may."""
        wait_s = self.wait_s(caller, per_min=per_min)
        if not wait_s:
            self._buckets[caller].left -= 1
        return wait_s

    def wait_s(self, caller: str, *, per_min: int) -> float:
        """Return the seconds until a caller may go on, and count nothing."""
        bucket = self._filled(caller, per_min)
        return 0.0 if bucket.left >= 1 else (1 - bucket.left) * _MINUTE_S / per_min

    def _filled(self, caller: str, per_min: int) -> _Bucket:
        now_s = self._clock.monotonic_s()
        bucket = self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = _Bucket(per_min, now_s)
            if len(self._buckets) > _BUCKETS_MAX:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(caller)
            passed_s = now_s - bucket.filled_s
            bucket.left = min(per_min, bucket.left + passed_s * per_min / _MINUTE_S)
            bucket.filled_s = now_s
        return bucket
