"""How many second attempts a provider may still get, so that an outage does not multiply the load.

A token bucket for each provider, after the retry quota of the AWS SDKs: a second attempt of one
request on one provider draws, its success gives back what it drew, and every other success gives
back one. The first attempt on a provider draws nothing, so a fallback to another provider is
always possible; a dead one is left alone by its circuit.
"""

from collections.abc import Iterator
from dataclasses import dataclass

CAPACITY = 500
COST = 5
"""Of a second attempt: after a hundred in a row without success there are no more.

With 14, the newer figure of AWS, a steady 30 % of faults empties the bucket; with 5 it does not.
"""
REFUND = 1
"""For a success that drew nothing."""


@dataclass(slots=True)
class _Bucket:
    left: int = CAPACITY


class RetryBudget:
    """What is left for second attempts, provider by provider."""

    def __init__(self) -> None:
        """Start with every bucket full."""
        self._buckets: dict[str, _Bucket] = {}

    def draw(self, provider: str) -> bool:
        """Take what a second attempt costs; False when too little is left, and nothing was taken."""
        bucket = self._buckets.setdefault(provider, _Bucket())
        if bucket.left < COST:
            return False
        bucket.left -= COST
        return True

    def give_back(self, provider: str, *, drew: bool) -> None:
        """Give back for a success, or for a second attempt that was not sent after all."""
        bucket = self._buckets.setdefault(provider, _Bucket())
        bucket.left = min(CAPACITY, bucket.left + (COST if drew else REFUND))

    def left(self) -> Iterator[tuple[str, int]]:
        """Yield each provider that was asked, with what is left in its bucket."""
        for provider, bucket in self._buckets.items():
            yield provider, bucket.left
