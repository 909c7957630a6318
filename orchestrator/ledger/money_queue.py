"""Who waits for money that others hold: first come, first served for each limit, within one process.

A request that only holds of others refuse takes a place. When a hold of one of its limits is settled, whoever
came first for that limit is woken and tries again; who comes later is not let past. Other processes cannot
tell us, so whoever is first looks by itself now and then, more and more seldom. A place is left when its
request has its money, gives up or is cancelled, and the next one is first.

    place = queue.place(operation_id, tenant)
    try:
        while await place.turn(refusals, left_s=..., clock=clock):
            ...                                # try again; `turn` returns False when it is in vain
    finally:
        place.leave()
"""

import asyncio
import contextlib
import threading
from collections.abc import Collection, Iterable

from orchestrator.core.clock import Clock
from orchestrator.core.errors import BudgetExceededError
from orchestrator.core.fork_hooks import forget_in_child
from orchestrator.ledger.periods import Window
from orchestrator.ledger.records import HoldRequest, NewHold

_LOOKS_FIRST_S, _LOOKS_LAST_S, _LOOKS_GROW = 0.05, 0.5, 1.5
"""How soon whoever is first looks again for what other processes have settled."""

LimitKey = tuple[str, str, str]
"""Scope, window, and the tenant where the scope is one of its runs."""


class MoneyPlace:
    """One request in the queue; used by one task on one event loop."""

    def __init__(self, queue: "MoneyQueue", operation_id: str, tenant: str) -> None:
        """Stand nowhere yet: the place is taken with the first `turn`."""
        self.number: int | None = None
        """Smaller is earlier; None while it waits for nothing."""
        self.refusals: dict[LimitKey, BudgetExceededError] = {}
        """The limits that it waits for, and what was said of each last."""
        self.operation_id = operation_id
        self._tenant = tenant
        self._queue = queue
        self._woken: asyncio.Event | None = None
        """Made with the first `turn`: most requests never wait."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looks_in_s = _LOOKS_FIRST_S

    async def turn(self, refusals: Iterable[BudgetExceededError], *, left_s: float, clock: Clock) -> bool:
        """Wait until it is worth trying again; False when that is not within `left_s`, or in vain.

        It is in vain where the request holds money itself, which it would wait for.
        """
        woken = self._woken = self._woken or asyncio.Event()
        self._loop = asyncio.get_running_loop()
        keys = {_key(error.scope, error.window, self._tenant): error for error in refusals if error.may_pass}
        self._queue.enter(self, keys)
        ends_s = clock.monotonic_s() + left_s
        while keys and not self._queue.has_hold(self.operation_id):
            now_s = clock.monotonic_s()
            if now_s >= ends_s:
                return False
            is_first = self._queue.is_first(self)
            wait_s = min(self._looks_in_s, ends_s - now_s) if is_first else ends_s - now_s
            if await _is_set_within(wait_s, woken, clock):
                self._looks_in_s = _LOOKS_FIRST_S
                woken.clear()
                return True
            if is_first and clock.monotonic_s() < ends_s:
                self._looks_in_s = min(self._looks_in_s * _LOOKS_GROW, _LOOKS_LAST_S)
                return True
        return False

    def leave(self) -> None:
        """Let the next one be first; leaving twice changes nothing."""
        self._queue.leave(self)

    def wake(self) -> None:
        """Let it try again, from whichever thread."""
        if self._loop is not None and self._woken is not None:
            # A loop that is closed has nobody who waits.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._woken.set)


class MoneyQueue:
    """The places of one process, and which of its requests hold money; thread-safe."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._lock = threading.Lock()
        self.begin_anew()
        forget_in_child(self)

    def begin_anew(self) -> None:
        """Forget, in a forked child, who waits and holds in its parent."""
        self._lock = threading.Lock()
        self._places: dict[int, MoneyPlace] = {}
        self._holds: dict[str, int] = {}
        """How many each request has, by its id; a `Counter` takes thrice as long, and every send asks."""
        self._last_number = 0

    @property
    def waiting(self) -> int:
        """Return how many requests wait."""
        return len(self._places)

    def place(self, operation_id: str, tenant: str) -> MoneyPlace:
        """Return a place for a request, which stands nowhere yet."""
        return MoneyPlace(self, operation_id, tenant)

    def held(self, request: HoldRequest) -> None:
        """Note that a request holds money."""
        with self._lock:
            self._holds[request.operation_id] = self._holds.get(request.operation_id, 0) + 1

    def freed(self, request: HoldRequest) -> None:
        """Note that a hold was settled, and wake whoever is first for one of its limits."""
        with self._lock:
            left = self._holds.pop(request.operation_id, 0) - 1
            if left > 0:
                self._holds[request.operation_id] = left
            if self._places:
                self._wake_first(_scopes_of(request))

    def has_hold(self, operation_id: str) -> bool:
        """Return whether a request holds money."""
        with self._lock:
            return operation_id in self._holds

    def enter(self, place: MoneyPlace, refusals: dict[LimitKey, BudgetExceededError]) -> None:
        """Let a place wait for these limits; it keeps its number, and is last where it had none."""
        with self._lock:
            no_more = place.refusals.keys() - refusals.keys()
            place.refusals = refusals
            if place.number is None:
                self._last_number += 1
                place.number = self._last_number
                self._places[place.number] = place
            self._wake_first({(scope, tenant) for scope, _, tenant in no_more}, but=place)

    def leave(self, place: MoneyPlace) -> None:
        """Give a place up."""
        with self._lock:
            if place.number is not None and self._places.pop(place.number, None) is not None:
                place.number = None
                self._wake_first({(scope, tenant) for scope, _, tenant in place.refusals})
            place.refusals = {}

    def is_first(self, place: MoneyPlace) -> bool:
        """Return whether a place is the first for one of its limits."""
        with self._lock:
            return any(self._first(key) is place for key in place.refusals)

    def ahead(self, new: NewHold, place: MoneyPlace) -> BudgetExceededError | None:
        """Return the refusal of a hold for whose limit somebody else came first; None where nobody did."""
        if not self._places:
            return None
        with self._lock:
            for key in _keys_of(new):
                first = self._first(key)
                if first is None or first is place:
                    continue
                if place.number is not None and first.number is not None and place.number < first.number:
                    continue
                refused = _as_refused(first.refusals[key], new)
                if refused.may_pass:
                    return refused
        return None

    def _first(self, key: LimitKey) -> MoneyPlace | None:
        # In the order of their numbers: a place is added with the largest.
        return next((place for place in self._places.values() if key in place.refusals), None)

    def _wake_first(self, scopes: Collection[tuple[str, str]], *, but: MoneyPlace | None = None) -> None:
        seen: set[LimitKey] = set()
        for place in self._places.values():
            keys = place.refusals.keys() - seen
            seen |= keys
            if place is not but and any((scope, tenant) in scopes for scope, _, tenant in keys):
                place.wake()


def _key(scope: str, window: str, tenant: str) -> LimitKey:
    return scope, window, tenant if window == Window.RUN else ""


def _keys_of(new: NewHold) -> Iterable[LimitKey]:
    for limit in new.limits:
        yield _key(limit.scope, limit.window.value, "")
    request = new.request
    if request.run is not None and request.bound_nusd:
        for name in request.run.lineage:
            yield _key(f"run:{name}", Window.RUN.value, request.tenant)


def _scopes_of(request: HoldRequest) -> set[tuple[str, str]]:
    runs = () if request.run is None else request.run.lineage
    return {(scope, "") for scope in request.scopes} | {(f"run:{name}", request.tenant) for name in runs}


def _as_refused(error: BudgetExceededError, new: NewHold) -> BudgetExceededError:
    return BudgetExceededError(
        scope=error.scope, window=error.window, limit=error.limit, left=error.left,
        needed=new.request.bound_nusd, resets_at=error.resets_at, held=error.held,
    )  # fmt: skip


async def _is_set_within(wait_s: float, event: asyncio.Event, clock: Clock) -> bool:
    if not event.is_set():
        tasks = {asyncio.ensure_future(event.wait()), asyncio.ensure_future(clock.sleep(wait_s))}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
    return event.is_set()
