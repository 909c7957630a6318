"""Who may yet answer once a plan is through: circuits that open, minutes with room, failures that pass.

A walk notes here whom it passed over or saw fail. When nobody else is left to ask, it waits for the first
of them. A failure alone is nothing to wait for: that everybody failed once, with every circuit closed,
is told at once. But while a circuit keeps an outage in sight, whoever failed in passing is asked again too.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from orchestrator.gateway.door import Wait

PATIENCE_S = 15.0
"""So long in all a request that nobody else can serve waits for circuits and for failures to pass."""

_TOGETHER_S = 0.25
_RECOVERY_S = 1.0
"""Before a deployment is asked again that failed once; doubled with each of its failures."""


@dataclass(frozen=True, slots=True)
class Later:
    """When a step may be taken."""

    name: str
    ready_at_s: float
    wait: Wait


class Waiting:
    """The steps that one walk may come back to."""

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        """Begin with nobody to wait for."""
        self._later: dict[str, Later] = {}
        self._patience_s = patience_s

    def note(self, name: str, *, ready_at_s: float, wait: Wait) -> None:
        """Remember that a step may be taken at `ready_at_s`, on the monotonic clock."""
        self._later[name] = Later(name, ready_at_s, wait)

    def note_failure(self, name: str, *, failures: int, now_s: float, rests_s: float, shut_s: float) -> None:
        """Remember a step that failed for the `failures`-th time.

        It has asked for a rest of `rests_s`, and its circuit is shut for `shut_s`; each 0 when not.
        """
        ready_in_s = max(rests_s, shut_s, _RECOVERY_S * 2 ** (failures - 1))
        wait = Wait.REST if rests_s else Wait.CIRCUIT if shut_s else Wait.RECOVERY
        self.note(name, ready_at_s=now_s + ready_in_s, wait=wait)

    def forget(self, names: Collection[str]) -> None:
        """Wait no longer for these."""
        self._later = {name: later for name, later in self._later.items() if name not in names}

    def first(self, plan: Iterable[str], *, now_s: float) -> tuple[Later, float] | None:
        """Return the first step to be ready, and in how many seconds; it is forgotten. None when nobody is worth it.

        Of those that are ready together it is the first of the plan.
        """
        order = list(plan)
        while any(one.wait is not Wait.RECOVERY for one in self._later.values()):
            soonest_s = min(one.ready_at_s for one in self._later.values())
            together = {one.name for one in self._later.values() if one.ready_at_s - soonest_s < _TOGETHER_S}
            later = self._later.pop(next(name for name in order if name in together))
            wait_s = max(0.0, later.ready_at_s - now_s)
            if later.wait in {Wait.CIRCUIT, Wait.RECOVERY}:
                if wait_s > self._patience_s:
                    continue
                self._patience_s -= wait_s
            return later, wait_s
        return None
