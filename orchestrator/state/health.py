"""Recent outcomes of each deployment: circuit breakers, availability and latency.

A circuit is *closed* (requests pass), *open* (they do not, for `open_s`), or *half-open*: one
single probe passes, and its outcome closes or opens the circuit again. Everything here runs on
one event loop, so a check and its change are one step.
"""

import statistics
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import PositiveInt

from orchestrator.clock import Clock
from orchestrator.settings import Seconds, Settings

_REMEMBERED_OUTCOMES = 256
_REMEMBERED_LATENCIES = 32


class CircuitSettings(Settings):
    """When a failing deployment is left alone, and for how long."""

    failures: PositiveInt = 3
    """This many failures within window_s open the circuit."""
    window_s: Seconds = 30.0
    """Failures longer ago than this do not count."""
    open_s: Seconds = 15.0
    """How long it stays open before a probe may pass; doubled after each failed probe."""
    max_open_s: Seconds = 300.0
    """It never stays open for longer than this at a time."""


class CircuitState(StrEnum):
    """Whether requests pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(slots=True)
class _Record:
    outcomes: "deque[tuple[float, bool]]" = field(default_factory=lambda: deque(maxlen=_REMEMBERED_OUTCOMES))
    """(monotonic seconds, healthy), oldest first."""
    latencies_s: "deque[float]" = field(default_factory=lambda: deque(maxlen=_REMEMBERED_LATENCIES))
    """Of the last healthy ones."""
    failures: "deque[float]" = field(default_factory=deque)
    opened_at_s: float | None = None
    open_s: float = 0.0
    probing: bool = False


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """What is known of one deployment now."""

    circuit: CircuitState
    samples: int
    """Outcomes within the window."""
    availability: float | None
    """The part that was healthy; None without any sample."""
    median_latency_s: float | None
    """Of the last healthy ones; None without any."""


class Health:
    """The health of all deployments of this process."""

    def __init__(self, settings: CircuitSettings, *, clock: Clock) -> None:
        """Start with every circuit closed."""
        self._settings = settings
        self._clock = clock
        self._records: dict[str, _Record] = {}

    def adopt(self, settings: CircuitSettings) -> None:
        """Use changed settings from now on; what was seen stays."""
        self._settings = settings

    def admit(self, deployment: str) -> bool:
        """Return whether a request may pass now; in the half-open state only the first may.

        An admitted request must report back with `record` or `withdraw`.
        """
        record = self._records.get(deployment)
        if record is None or record.opened_at_s is None:
            return True
        if record.probing or self._clock.monotonic_s() - record.opened_at_s < record.open_s:
            return False
        record.probing = True
        return True

    def withdraw(self, deployment: str) -> None:
        """Give back an admission whose request was not sent or says nothing about health."""
        record = self._records.get(deployment)
        if record is not None:
            record.probing = False

    def record(self, deployment: str, *, healthy: bool, latency_s: float) -> None:
        """Remember how a request ended; open or close the circuit by it."""
        record = self._records.setdefault(deployment, _Record())
        now_s = self._clock.monotonic_s()
        record.outcomes.append((now_s, healthy))
        if healthy:
            record.latencies_s.append(latency_s)
            record.failures.clear()
            record.opened_at_s = None
            record.open_s = 0.0
        else:
            self._count_failure(record, now_s)
        record.probing = False

    def snapshot(self, deployment: str, *, window_s: float) -> HealthSnapshot:
        """Return what the last `window_s` seconds say."""
        record = self._records.get(deployment)
        if record is None:
            return HealthSnapshot(CircuitState.CLOSED, 0, None, None)
        since_s = self._clock.monotonic_s() - window_s
        recent = [healthy for at_s, healthy in record.outcomes if at_s >= since_s]
        return HealthSnapshot(
            circuit=self._state(record),
            samples=len(recent),
            availability=sum(recent) / len(recent) if recent else None,
            median_latency_s=statistics.median(record.latencies_s) if record.latencies_s else None,
        )

    def circuit(self, deployment: str) -> CircuitState:
        """Return the state of one circuit."""
        record = self._records.get(deployment)
        return CircuitState.CLOSED if record is None else self._state(record)

    def circuits(self) -> Mapping[str, CircuitState]:
        """Return the state of every circuit that has seen a request."""
        return {name: self._state(record) for name, record in self._records.items()}

    def _count_failure(self, record: _Record, now_s: float) -> None:
        if record.opened_at_s is not None:
            if record.probing:
                record.open_s = min(record.open_s * 2, self._settings.max_open_s)
                record.opened_at_s = now_s
            return
        record.failures.append(now_s)
        while record.failures and record.failures[0] < now_s - self._settings.window_s:
            record.failures.popleft()
        if len(record.failures) >= self._settings.failures:
            record.opened_at_s = now_s
            record.open_s = self._settings.open_s
            record.failures.clear()

    def _state(self, record: _Record) -> CircuitState:
        if record.opened_at_s is None:
            return CircuitState.CLOSED
        over = self._clock.monotonic_s() - record.opened_at_s >= record.open_s
        return CircuitState.HALF_OPEN if over else CircuitState.OPEN
