"""The queue of faults that wait for their requests.

`Fault` and its kinds are in `orchestrator.practice.fault_kinds` and may be imported from here.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace

from orchestrator.practice.fault_kinds import ANY_PROVIDER, PROVIDERS, REASONS, Fault, FaultKind

__all__ = ["ANY_PROVIDER", "PROVIDERS", "REASONS", "Fault", "FaultKind", "FaultQueue"]


class FaultQueue:
    """The faults that wait for their requests, first in, first out; safe from any thread.

    A fault without `times` stays in front of later ones for the same requests until cleared.
    """

    def __init__(self, faults: Iterable[Fault | str] = ()) -> None:
        """Take faults, as objects or as text."""
        self._lock = threading.Lock()
        self._waiting: list[tuple[Fault, int | None]] = []
        self.providers: Sequence[str] = PROVIDERS
        """Who is asked here, and may be named."""
        self.add(*faults)

    def add(self, *faults: Fault | str) -> None:
        """Append faults, as objects or as text.

        Raises:
            ValueError: a text is wrong, or names a provider that nobody asks here; then none is added.
        """
        parsed = [Fault.parse(fault) if isinstance(fault, str) else fault for fault in faults]
        for fault in parsed:
            if fault.provider not in (*self.providers, ANY_PROVIDER):
                asked = ", ".join(self.providers)
                msg = f"nobody asks '{fault.provider}' here: choose one of {asked}, or * for any"
                raise ValueError(msg)
        with self._lock:
            self._waiting.extend((fault, fault.times) for fault in parsed)

    def take(self, provider: str, model: str, *, goes_on: bool = False, embeds: bool = False) -> Fault | None:
        """Return the first fault that this request meets, and count it as used."""
        if not self._waiting:
            return None
        with self._lock:
            for index, (fault, left) in enumerate(self._waiting):
                if not fault.hits(provider, model, goes_on=goes_on, embeds=embeds):
                    continue
                if left is not None and left <= 1:
                    del self._waiting[index]
                elif left is not None:
                    self._waiting[index] = (fault, left - 1)
                return fault
        return None

    def clear(self, provider: str | None = None) -> int:
        """Drop the faults addressed to one provider (`*` for those to any), or all; return how many."""
        with self._lock:
            kept = [pair for pair in self._waiting if provider not in (None, pair[0].provider)]
            dropped = len(self._waiting) - len(kept)
            self._waiting = kept
            return dropped

    @property
    def waiting(self) -> tuple[Fault, ...]:
        """The faults in their order, each with the times that are left."""
        with self._lock:
            return tuple(replace(fault, times=left) for fault, left in self._waiting)

    def __len__(self) -> int:
        """Return how many faults wait."""
        return len(self._waiting)
