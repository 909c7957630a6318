"""What may yet answer once a plan is through: circuits that open, minutes with room, failures that pass.

A cursor notes here what it passed over or saw fail. When no other target is left to ask, it waits for the
first of them. What failed in passing is asked again: each provider a moment after it failed, and after each
failure more for twice as long, the last time as the patience ends. The moment is a second while a circuit
keeps an outage in sight, else shorter.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.dispatch.admission import RejectReason

_TOGETHER_S = 0.25
_RECOVERY_S = 1.0
_BLIP_S = 0.25
"""While every circuit is closed: what failed once is most likely well again."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """When a target may be asked."""

    name: str
    provider: str
    ready_at_s: float
    """On the monotonic clock; of a failure when it failed, or when its rest is over."""
    wait: RejectReason | None
    """What it was passed over for; None: it failed, in a way that may pass."""
    is_known: bool = False
    """It failed, and has named the moment itself (Retry-After)."""


@dataclass(frozen=True, slots=True)
class WaitBudget:
    """What a dispatch has for waiting."""

    now_s: float
    left_s: float
    """Until the deadline."""
    answer_s: Mapping[str, float]
    """How much of that an answer of each target needs."""
    hurried_s: Mapping[str, float]
    """And how much it needs where nothing unusual happens."""
    patience_s: float
    """For circuits and for failures that may pass, all waits together."""
    outage: bool
    """A circuit of its plan is not closed."""

    def passing_s(self, name: str) -> float:
        """Return how long may be waited for what nobody can foretell: half of what is left at the least."""
        return self.left_s - min(self.answer_s[name], self.left_s / 2)

    def longest_s(self, names: Iterable[str]) -> float:
        """Return how long may be waited so for any of several."""
        return max(map(self.passing_s, names), default=0.0)

    def line_s(self, name: str) -> float:
        """Return how long may be waited in a line; an answer needs the rest of the time."""
        return max(min(self.left_s, 0.0), self.left_s - self.answer_s[name])

    def known_s(self, name: str) -> float:
        """Return how long may be waited for a moment that a provider named, so that its usual time is left.

        Nobody is behind in a line for it, and the alternative is to give up.
        """
        return max(min(self.left_s, 0.0), self.left_s - self.hurried_s[name])


class RecoveryQueue:
    """The targets that one cursor may come back to."""

    def __init__(self) -> None:
        """Begin with nothing to wait for."""
        self._later: dict[str, Waiter] = {}
        self._waited_s = 0.0
        self._comebacks: Counter[str] = Counter()
        self._failed_at_s: dict[str, float] = {}
        """When each provider failed last."""

    @property
    def has_any(self) -> bool:
        """Return whether there is a target to come back to."""
        return bool(self._later)

    def note(self, later: Waiter) -> None:
        """Remember a target that was passed over."""
        self._later[later.name] = later

    def note_failure(self, later: Waiter, *, now_s: float) -> None:
        """Remember a target that failed, and spare its provider for a while."""
        self._failed_at_s[later.provider] = now_s
        self.note(later)

    def come_back(self, later: Waiter) -> None:
        """Count that a target is asked again."""
        self._comebacks[later.provider] += 1

    def forget(self, names: Collection[str]) -> None:
        """Wait no longer for these."""
        self._later = {name: later for name, later in self._later.items() if name not in names}

    def is_worth_waiting(self, fit: Sequence[str], room: WaitBudget) -> bool:
        """Return whether `take_first` has a target to return."""
        return bool(self._waits_s(fit, room))

    def take_first(self, fit: Sequence[str], room: WaitBudget) -> tuple[Waiter, float] | None:
        """Return the first target to be ready, and in how many seconds; it is forgotten.

        None when no target is worth the wait.

        `fit` names the targets that may be asked, in the order of the plan: of those that are ready together
        it is the first.
        """
        waits_s = self._waits_s(fit, room)
        if not waits_s:
            return None
        soonest_s = min(waits_s.values())
        name = next(name for name, wait_s in waits_s.items() if wait_s - soonest_s < _TOGETHER_S)
        later = self._later.pop(name)
        if later.wait in {RejectReason.CIRCUIT, None}:
            self._waited_s += waits_s[name]
        return later, waits_s[name]

    def _waits_s(self, fit: Sequence[str], room: WaitBudget) -> dict[str, float]:
        return {
            name: wait_s
            for name in fit
            if name in self._later and (wait_s := self._worth_s(self._later[name], room)) is not None
        }

    def _worth_s(self, later: Waiter, room: WaitBudget) -> float | None:
        """Return how long to wait for a target, None when that is too long or in vain."""
        patience_s = room.patience_s - self._waited_s
        if later.wait is RejectReason.LINE:
            # Who would be too late is told the moment, and comes back.
            most_s = room.line_s(later.name)
        elif later.wait is RejectReason.REST:
            most_s = room.known_s(later.name)
        elif later.is_known:
            most_s = min(room.known_s(later.name), patience_s)
        else:
            most_s = min(room.passing_s(later.name), patience_s)
        spared_s = self._spared_s(later.provider, room, most_s=most_s)
        wait_s = max(0.0, later.ready_at_s - room.now_s, spared_s)
        return wait_s if wait_s <= most_s else None

    def _spared_s(self, provider: str, room: WaitBudget, *, most_s: float) -> float:
        """Return how much longer a provider that failed is spared."""
        if provider not in self._failed_at_s:
            return 0.0
        first_s = _RECOVERY_S if room.outage else _BLIP_S
        ago_s = room.now_s - self._failed_at_s[provider]
        spared_s = first_s * 2.0 ** self._comebacks[provider] - ago_s
        # The last wait takes what patience is left: to give up before would waste it.
        return most_s if first_s - ago_s <= most_s < spared_s else spared_s
