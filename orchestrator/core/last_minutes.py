"""What happened in each of the last minutes, by name: in bounded memory, whatever is named.

    minutes = LastMinutes(Bucket, clock=clock)
    minutes.now("tenant:acme").requests += 1
    sum(bucket.requests for bucket in minutes.last("tenant:acme", window_s=300))

Whoever keeps some takes a lock around both: a bucket is changed in place.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, TypeVar

from orchestrator.core.clock import Clock

MINUTE_S = 60.0
WINDOW_MAX_S = 3600.0
NAMES_MAX = 500
"""Beyond so many the name that was asked longest ago is forgotten."""

B = TypeVar("B")


class LastMinutes(Generic[B]):
    """A bucket for each minute of the last hour in which something happened, for each name."""

    def __init__(self, make: Callable[[], B], *, clock: Clock) -> None:
        """Begin with nothing; `make` returns an empty bucket."""
        self._make = make
        self._clock = clock
        self._names: OrderedDict[str, deque[tuple[int, B]]] = OrderedDict()

    def now(self, name: str) -> B:
        """Return the bucket of this minute, to count into."""
        minutes = self._names.get(name)
        if minutes is None:
            minutes = self._names[name] = deque(maxlen=int(WINDOW_MAX_S // MINUTE_S) + 1)
            if len(self._names) > NAMES_MAX:
                self._names.popitem(last=False)
        self._names.move_to_end(name)
        number = int(self._clock.monotonic_s() // MINUTE_S)
        if not minutes or minutes[-1][0] != number:
            minutes.append((number, self._make()))
        return minutes[-1][1]

    def last(self, name: str, *, window_s: float = WINDOW_MAX_S) -> tuple[B, ...]:
        """Return the buckets of the last `window_s` seconds, whole minutes counted; an hour at most."""
        oldest = int((self._clock.monotonic_s() - min(window_s, WINDOW_MAX_S)) // MINUTE_S) + 1
        return tuple(bucket for number, bucket in self._names.get(name, ()) if number >= oldest)

    def names(self) -> tuple[str, ...]:
        """Return every name that is counted."""
        return tuple(self._names)
