"""Requests and tokens a provider takes a minute: every send has its moment, in the order of asking.

A sliding window of sixty seconds for each provider, kept by this process. A request books the
earliest moment that no minute around it forbids and no earlier booking has, so it knows at once how
long it would wait: what waits is first come, first served, and what will not wait cancels. Half of a
minute may go at once; the other half is spread, one request after the other, so that a crowd does not
leave a minute behind in which nobody is served. A provider that sent a Retry-After rests until it is over.
"""

from collections import deque
from dataclasses import dataclass, field

from orchestrator.core.clock import Clock

WINDOW_S = 60.0
_SPREAD_MIN = 30
"""A limit of fewer requests a minute is not spread: each would wait for many seconds, with room left."""


@dataclass(slots=True, eq=False)
class RateReservation:
    """One request's moment at one provider."""

    provider: str
    at_s: float
    """When it may be sent, in monotonic seconds."""
    tokens: int
    counts: bool = True
    """Whether it is still in the window, or ahead of it."""
    waits_for_tokens: bool = False
    """It is the tokens of the minute that are used up, and not its requests."""


@dataclass(frozen=True, slots=True)
class RateRoom:
    """What a provider would still take in the minute that ends now."""

    requests: int
    requests_per_min: int
    tokens: int
    tokens_per_min: int
    waiting: int
    """Requests whose moment has not come."""


@dataclass(slots=True)
class _Taken:
    slots: "deque[RateReservation]" = field(default_factory=deque)
    """By their moments; those in the future are of requests that wait."""
    tokens: int = 0
    rests_until_s: float = 0.0


class RateLimiter:
    """What each provider has taken in the last minute, and will take next."""

    def __init__(self, *, clock: Clock) -> None:
        """Start with nothing taken."""
        self._clock = clock
        self._taken: dict[str, _Taken] = {}

    def book(
        self, provider: str, *, tokens: int, requests_per_min: int, tokens_per_min: int
    ) -> RateReservation:
        """Return the earliest moment for one request of `tokens`; `cancel` it when it is not sent.

        A request larger than a whole minute's tokens gets the moment when the window is empty.
        """
        taken = self._taken.setdefault(provider, _Taken())
        now_s = self._clock.monotonic_s()
        _forget(taken, before_s=now_s - WINDOW_S)
        line_s = _end_of_line_s(taken, requests_per_min)
        place_s = _free_at_s(taken, len(taken.slots) - requests_per_min + 1, excess_tokens=0)
        room_s = _free_at_s(taken, 0, excess_tokens=taken.tokens + tokens - tokens_per_min)
        slot = RateReservation(
            provider,
            max(now_s, line_s, taken.rests_until_s, place_s, room_s),
            tokens,
            waits_for_tokens=room_s > max(now_s, place_s),
        )
        taken.slots.append(slot)
        taken.tokens += tokens
        return slot

    def wait_s(self, slot: RateReservation) -> float:
        """Return how long it is until a slot's moment, 0 when it has come."""
        return max(0.0, slot.at_s - self._clock.monotonic_s())

    def cancel(self, slot: RateReservation) -> None:
        """Give a moment back: the request is not sent."""
        if not slot.counts:
            return
        taken = self._taken[slot.provider]
        taken.tokens -= _over(slot)
        if taken.slots[-1] is slot:
            taken.slots.pop()
        else:
            taken.slots.remove(slot)

    def settle(self, slot: RateReservation, *, tokens: int) -> None:
        """Count what a request really took, which is less than what was booked at the most."""
        if slot.counts:
            self._taken[slot.provider].tokens += tokens - slot.tokens
            slot.tokens = tokens

    def room(self, provider: str, *, requests_per_min: int, tokens_per_min: int) -> RateRoom:
        """Return what a provider would still take; those that wait have their place already."""
        taken, now_s = self._taken.get(provider, _Taken()), self._clock.monotonic_s()
        _forget(taken, before_s=now_s - WINDOW_S)
        return RateRoom(
            max(0, requests_per_min - len(taken.slots)),
            requests_per_min,
            max(0, tokens_per_min - taken.tokens),
            tokens_per_min,
            waiting=sum(slot.at_s > now_s for slot in taken.slots),
        )

    def rests_s(self, name: str) -> float:
        """Return how many seconds `name` still rests, 0 when it does not."""
        taken = self._taken.get(name)
        return 0.0 if taken is None else max(0.0, taken.rests_until_s - self._clock.monotonic_s())

    def rest(self, name: str, *, duration_s: float) -> None:
        """Send nothing to a provider or deployment for `duration_s` seconds, because it said so."""
        taken = self._taken.setdefault(name, _Taken())
        taken.rests_until_s = max(taken.rests_until_s, self._clock.monotonic_s() + duration_s)


def _forget(taken: _Taken, *, before_s: float) -> None:
    """Let out of the window what was sent until then."""
    while taken.slots and taken.slots[0].at_s <= before_s:
        taken.tokens -= _over(taken.slots.popleft())


def _over(slot: RateReservation) -> int:
    """Take a slot out of the window and return the tokens it leaves free."""
    slot.counts = False
    return slot.tokens


def _end_of_line_s(taken: _Taken, requests_per_min: int) -> float:
    """Return when the next in line may go; with half of the minute taken not at once behind the last."""
    if not taken.slots:
        return 0.0
    is_spread = 2 * len(taken.slots) >= requests_per_min >= _SPREAD_MIN
    return taken.slots[-1].at_s + (WINDOW_S / requests_per_min if is_spread else 0.0)


def _free_at_s(taken: _Taken, too_many: int, *, excess_tokens: int) -> float:
    """Return when enough of what is booked has left the window."""
    free_s = 0.0
    for place, slot in enumerate(taken.slots):
        if place >= too_many and excess_tokens <= 0:
            break
        excess_tokens -= slot.tokens
        free_s = slot.at_s + WINDOW_S
    return free_s
