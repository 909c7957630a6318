"""How many requests are under way at once, and which goes next when all slots are taken.

A slot is free again when its request has ended, a stream when it has been read. A request that finds none
waits in a queue of its tenant, and a free slot goes

    1. to the tenant with the fewest slots, of several to the one that was served longest ago,
    2. there to requests that are waited for, before those of a `background` profile,
    3. among these to the one that came first.

So another tenant's chat goes next, however long the queue of a tenant with a batch of thousands is.
Background requests never have all slots: what is not waited for can take minutes, and a chat that finds every
slot taken by such requests would wait for minutes too.

Everything here runs on one event loop, so a check and its change are one step.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import PositiveInt

from orchestrator.core.clock import Clock
from orchestrator.core.deadline import answer_time_s
from orchestrator.core.errors import OverloadedError
from orchestrator.core.fork_hooks import forget_in_child
from orchestrator.core.settings import Settings, Share

_ENOUGH_SAMPLES = 20
_NEWEST_COUNTS = 0.1
"""How much the newest duration counts in the mean."""
_UNKNOWN_RETRY_AFTER_S = 1.0


class OverloadSettings(Settings):
    """How much may be under way and waiting in this process; beyond it requests are refused."""

    in_flight: PositiveInt = 200
    """Requests under way at once. One core serves 100 to 700 short ones a second, by how quick it is."""
    background_share: Share = 0.8
    """The part of in_flight that requests of background profiles may have at most."""
    queue_per_tenant: int = 500
    """Requests of one tenant that may wait for a slot; 0 refuses instead of waiting."""
    queue: int = 2000
    """Requests of all tenants together that may wait for a slot."""

    @property
    def background_slots(self) -> int:
        """Return how many slots requests of background profiles may have at once."""
        share = int(self.in_flight * self.background_share)
        # At least one, or none of them would ever run; and never all, where there is more than one.
        return max(1, min(share, self.in_flight - 1))


@dataclass(frozen=True, slots=True)
class Load:
    """What is under way and what waits, now."""

    in_flight: int
    waiting: int


_Waiters = OrderedDict["asyncio.Future[None]", None]
"""In the order of their coming; an ordered dictionary, because one may leave from the middle."""


@dataclass(slots=True)
class _Tenant:
    in_flight: int = 0
    served: int = 0
    """The number of the turn in which it was served last."""
    interactive: _Waiters = field(default_factory=OrderedDict)
    background: _Waiters = field(default_factory=OrderedDict)

    @property
    def waiting(self) -> int:
        return len(self.interactive) + len(self.background)

    @property
    def is_idle(self) -> bool:
        return not self.in_flight and not self.waiting


class ConcurrencyLimiter:
    """The slots of one process, shared by all its tenants."""

    def __init__(self, settings: OverloadSettings, *, clock: Clock) -> None:
        """Start with every slot free."""
        self._settings = settings
        self._clock = clock
        self._tenants: dict[str, _Tenant] = {}
        self._in_flight = 0
        self._in_background = 0
        self._waiting = 0
        self._turn = 0
        self._samples = 0
        self._mean_s = 0.0
        """How long a request has its slot, on average of late."""
        forget_in_child(self)

    @property
    def load(self) -> Load:
        """Return how many requests are under way, and how many wait."""
        return Load(self._in_flight, self._waiting)

    def begin_anew(self) -> None:
        """Free every slot, in a forked child: the requests that have one are in its parent."""
        self._tenants = {}
        self._in_flight = self._in_background = self._waiting = 0

    def adopt(self, settings: OverloadSettings) -> None:
        """Use changed settings from the next free slot on; no request is thrown out."""
        self._settings = settings

    async def slot(self, tenant: str, *, background: bool, left_s: float, usual_s: float = 0.0) -> "Slot":
        """Return a slot, which is to be left; wait for it where none is free.

        `usual_s` is how long an answer usually takes, 0 where that is not known: no wait uses it up.

        A caller that is cancelled while it waits has left the queue at once.

        Raises:
            OverloadedError: the queue is full, or could not come to this request within `left_s`.
        """
        free = self.free_slot(tenant, background=background)
        if free is not None:
            return free
        await self._wait(tenant, background=background, left_s=left_s, usual_s=usual_s)
        return self._slot(tenant, background=background)

    def free_slot(self, tenant: str, *, background: bool) -> "Slot | None":
        """Return a slot, which is to be left; None where none is free."""
        if not self.has_room(background=background):
            return None
        self._take(tenant, background=background)
        return self._slot(tenant, background=background)

    def leave(self, tenant: str, *, background: bool, duration_s: float) -> None:
        """Give a slot that was had for so long to the next."""
        self._learn(duration_s)
        self._leave(tenant, background=background)

    def _slot(self, tenant: str, *, background: bool) -> "Slot":
        return Slot(self, self._clock, tenant, background=background)

    async def _wait(self, tenant: str, *, background: bool, left_s: float, usual_s: float) -> None:
        wait_s = left_s - self._answer_s(left_s, usual_s)
        self._refuse_if_hopeless(tenant, background=background, left_s=left_s, wait_s=wait_s)
        mine = self._tenants.setdefault(tenant, _Tenant())
        queue = mine.background if background else mine.interactive
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue[turn] = None
        self._waiting += 1
        try:
            async with asyncio.timeout(wait_s):
                await self._turn_of(turn, queue, tenant, background=background)
        except TimeoutError:
            raise self._refusal(f"no slot was free within {wait_s:.1f} s") from None

    async def _turn_of(
        self, turn: "asyncio.Future[None]", queue: _Waiters, tenant: str, *, background: bool
    ) -> None:
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # The slot came in the same moment: it goes to the next.
                self._leave(tenant, background=background)
            elif turn in queue:
                del queue[turn]
                self._waiting -= 1
                self._forget_if_idle(tenant)
            raise

    def has_room(self, *, background: bool) -> bool:
        """Return whether a slot is free for this kind of request; then none of that kind waits."""
        if self._in_flight >= self._settings.in_flight:
            return False
        return not background or self._in_background < self._settings.background_slots

    def _take(self, tenant: str, *, background: bool) -> None:
        mine = self._tenants.setdefault(tenant, _Tenant())
        self._turn += 1
        mine.served = self._turn
        mine.in_flight += 1
        self._in_flight += 1
        self._in_background += background

    def _leave(self, tenant: str, *, background: bool) -> None:
        self._tenants[tenant].in_flight -= 1
        self._in_flight -= 1
        self._in_background -= background
        self._hand_over()
        self._forget_if_idle(tenant)

    def _hand_over(self) -> None:
        """Give what is free to those whose turn it is; one slot wakes one waiter."""
        while self._waiting and (chosen := self._next_tenant()) is not None:
            name, mine = chosen
            background = not mine.interactive
            queue = mine.background if background else mine.interactive
            turn, _ = queue.popitem(last=False)
            self._waiting -= 1
            if not turn.cancelled():
                # Taken on behalf of the waiter, which has not run yet: no other may come in between.
                self._take(name, background=background)
                turn.set_result(None)

    def _next_tenant(self) -> tuple[str, _Tenant] | None:
        candidates = self._that_may_go()
        return min(candidates, key=lambda named: (named[1].in_flight, named[1].served), default=None)

    def _that_may_go(self) -> Iterator[tuple[str, _Tenant]]:
        interactive, background = self.has_room(background=False), self.has_room(background=True)
        for name, mine in self._tenants.items():
            if (interactive and mine.interactive) or (
                background and mine.background and not mine.interactive
            ):
                yield name, mine

    def _forget_if_idle(self, tenant: str) -> None:
        # Tenants come and go for months.
        mine = self._tenants.get(tenant)
        if mine is not None and mine.is_idle:
            del self._tenants[tenant]

    def _refuse_if_hopeless(self, tenant: str, *, background: bool, left_s: float, wait_s: float) -> None:
        settings = self._settings
        mine = self._tenants.get(tenant, _Tenant())
        if self._waiting >= settings.queue:
            raise self._refusal(f"{self._waiting} requests wait already")
        if mine.waiting >= settings.queue_per_tenant:
            raise self._refusal(f"{mine.waiting} requests of tenant '{tenant}' wait already")
        ahead = len(mine.interactive) + (len(mine.background) if background else 0)
        slots = settings.background_slots if background else settings.in_flight
        least_s = self._least_wait_s(ahead, slots=slots)
        if least_s > wait_s:
            raise self._refusal(
                f"a slot would be free in {least_s:.1f} s at best, and the deadline is in {left_s:.1f} s"
            )

    def _least_wait_s(self, ahead: int, *, slots: int) -> float:
        """Return how long the wait for a slot is even if every slot that gets free goes to this tenant."""
        if self._samples < _ENOUGH_SAMPLES:
            return 0.0
        return (ahead + 1) * self._mean_s / slots

    def _answer_s(self, left_s: float, usual_s: float) -> float:
        """Return how much of the time left a wait may not use up: who gets a slot needs it for a while."""
        # In an outage slots are had for long, and the answers of who is well are as quick as ever.
        known_s = self._mean_s if self._samples >= _ENOUGH_SAMPLES else 0.0
        return answer_time_s(usual_s or known_s, left_s=left_s, timeout_s=left_s)

    def _refusal(self, why: str) -> OverloadedError:
        slots = self._settings.in_flight
        drained_s = (self._waiting + 1) * self._mean_s / slots
        return OverloadedError(
            f"too much at once: {self._in_flight} requests are under way and {why}",
            waiting=self._waiting,
            retry_after_s=drained_s if self._samples >= _ENOUGH_SAMPLES else _UNKNOWN_RETRY_AFTER_S,
        )

    def _learn(self, duration_s: float) -> None:
        self._samples += 1
        weight = max(_NEWEST_COUNTS, 1 / self._samples)
        self._mean_s += weight * (duration_s - self._mean_s)


class Slot:
    """One request's place among those under way; it is left at the end of a `with` block."""

    __slots__ = ("_background", "_clock", "_entered_s", "_limiter", "_tenant")

    def __init__(self, limiter: ConcurrencyLimiter, clock: Clock, tenant: str, *, background: bool) -> None:
        """Enter it now."""
        self._limiter = limiter
        self._clock = clock
        self._tenant = tenant
        self._background = background
        self._entered_s = clock.monotonic_s()

    def __enter__(self) -> None:
        """Do nothing: it was entered when it was taken."""

    def __exit__(self, *error: object) -> None:
        """Leave it."""
        duration_s = self._clock.monotonic_s() - self._entered_s
        self._limiter.leave(self._tenant, background=self._background, duration_s=duration_s)
