"""Requests and tokens a provider may still take this minute.

A sliding window of sixty seconds for each provider, kept by this process. A provider that sent
a Retry-After rests until it is over.
"""

from collections import deque
from dataclasses import dataclass, field

from orchestrator.clock import Clock

WINDOW_S = 60.0


@dataclass(slots=True)
class _Taken:
    sends: "deque[tuple[float, int]]" = field(default_factory=deque)
    """(monotonic seconds, tokens), oldest first."""
    tokens: int = 0
    rests_until_s: float = 0.0


class RateLimits:
    """What each provider has taken in the last minute."""

    def __init__(self, *, clock: Clock) -> None:
        """Start with nothing taken."""
        self._clock = clock
        self._taken: dict[str, _Taken] = {}

    def take(self, provider: str, *, tokens: int, requests_per_min: int, tokens_per_min: int) -> float:
        """Take one request of `tokens`, or return the seconds until it may be taken; 0 is taken.

        A request larger than a whole minute's tokens is taken when the window is empty.
        """
        taken = self._taken.setdefault(provider, _Taken())
        now_s = self._clock.monotonic_s()
        while taken.sends and taken.sends[0][0] <= now_s - WINDOW_S:
            taken.tokens -= taken.sends.popleft()[1]
        if taken.rests_until_s > now_s:
            return taken.rests_until_s - now_s
        wait_s = _wait_s(taken, now_s, tokens, requests_per_min, tokens_per_min)
        if wait_s == 0.0:
            taken.sends.append((now_s, tokens))
            taken.tokens += tokens
        return wait_s

    def give_back(self, provider: str, *, tokens: int) -> None:
        """Undo the last `take` of `tokens`: the request was not sent after all."""
        taken = self._taken.get(provider)
        if taken is None:
            return
        place = next(
            (place for place in reversed(range(len(taken.sends))) if taken.sends[place][1] == tokens), None
        )
        if place is not None:
            del taken.sends[place]
            taken.tokens -= tokens

    def rests_s(self, name: str) -> float:
        """Return how many seconds `name` still rests, 0 when it does not."""
        taken = self._taken.get(name)
        return 0.0 if taken is None else max(0.0, taken.rests_until_s - self._clock.monotonic_s())

    def rest(self, provider: str, *, duration_s: float) -> None:
        """Send nothing to `provider` for `duration_s` seconds, because it said so."""
        taken = self._taken.setdefault(provider, _Taken())
        taken.rests_until_s = max(taken.rests_until_s, self._clock.monotonic_s() + duration_s)


def _wait_s(taken: _Taken, now_s: float, tokens: int, requests_per_min: int, tokens_per_min: int) -> float:
    if not taken.sends:
        return 0.0
    too_many = len(taken.sends) - requests_per_min + 1
    excess = taken.tokens + tokens - tokens_per_min
    freed_at_s = now_s
    for place, (sent_at_s, sent_tokens) in enumerate(taken.sends):
        if place >= too_many and excess <= 0:
            break
        excess -= sent_tokens
        freed_at_s = sent_at_s + WINDOW_S
    return max(0.0, freed_at_s - now_s)
