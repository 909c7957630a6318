"""One circuit breaker: whether requests pass to a deployment or a provider.

A circuit is *closed* (requests pass), *open* (none does, for a few seconds), or *half-open*: one single
probe passes, and how it ends closes or opens the circuit again; one that is silent lets the next pass. A
request that no other deployment can serve may be the probe of an open one, so that no outage outlives its
cause by the whole wait. It looks at the latest outcomes within a sliding window. Everything runs on one
event loop, so a check and its change are one step.
"""

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field, PositiveInt

from orchestrator.core.settings import Seconds, Settings

_REMEMBERED = 100
_LATEST_MIN = 10
"""Only the latest outcomes count, else a busy provider that dies needs as many failures as it had answers."""
_PROBE_POLL_S = 0.25
"""How soon to look again while a probe is under way."""


class CircuitSettings(Settings):
    """When a failing deployment or provider is left alone, and for how long."""

    failures: PositiveInt = 3
    """With fewer failures than this it stays closed; above 100 it never opens."""
    failure_share: Annotated[float, Field(gt=0, le=1)] = 0.6
    """This part of the latest outcomes must have failed.

    The last ten, or twice `failures` where that is more.
    """
    window_s: Seconds = 30.0
    """Outcomes longer ago than this do not count."""
    open_s: Seconds = 5.0
    """How long it stays open before one probe may pass, and a silent probe keeps the next one waiting;
    doubled after each failed probe."""
    max_open_s: Seconds = 8.0
    """It never stays open for longer than this at a time."""
    alone_open_s: Seconds = 1.0
    """For a request that no other can serve it stays open no longer than this; then one probe may pass."""


class CircuitState(StrEnum):
    """Whether requests pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class _Outcome:
    at_s: float
    """Monotonic seconds."""
    failed_by: str | None
    """The deployment that failed; None was a healthy answer."""


class Circuit:
    """The breaker of one deployment or one provider."""

    def __init__(self, *, failing_min: int = 1) -> None:
        """Start closed.

        An uncertain failure opens it once `failing_min` deployments have their share of failures.
        """
        self._failing_min = failing_min
        self._outcomes: deque[_Outcome] = deque(maxlen=_REMEMBERED)
        self._opened_at_s: float | None = None
        self._open_s = 0.0
        self._probing = False
        self._probe = 0
        """The number of the latest probe."""
        self._probe_at_s = -math.inf
        """When it passed."""
        self._early = False
        """The probe passed before the circuit was half-open."""
        self._early_failed_at_s = -math.inf

    def state(self, now_s: float) -> CircuitState:
        """Return whether requests pass now."""
        if self._opened_at_s is None:
            return CircuitState.CLOSED
        return CircuitState.HALF_OPEN if now_s - self._opened_at_s >= self._open_s else CircuitState.OPEN

    def ready_in_s(self, now_s: float, *, within_s: float = math.inf) -> float:
        """Return how long to wait until a request may pass, 0 when it may now.

        With `within_s` it may pass early: so long after the circuit opened, or after the last such probe
        failed.
        """
        if self._opened_at_s is None:
            return 0.0
        half_open_at_s = self._opened_at_s + self._open_s
        early_at_s = max(self._opened_at_s, self._early_failed_at_s) + within_s
        left_s = max(0.0, min(half_open_at_s, early_at_s) - now_s)
        # A probe that is silent for so long says nothing of what has come about since.
        is_heard = self._probing and now_s - self._probe_at_s < self._open_s
        return left_s or (_PROBE_POLL_S if is_heard else 0.0)

    def enter(self, now_s: float) -> int:
        """Let a request pass that `ready_in_s` has allowed; return which probe it is, 0 where it is none."""
        if self._opened_at_s is None:
            return 0
        self._probe += 1
        self._probing, self._probe_at_s = True, now_s
        self._early = self.state(now_s) is CircuitState.OPEN
        return self._probe

    def leave(self, probe: int) -> None:
        """Take a probe back: it was not sent, or says nothing about health.

        One that was silent for so long that another has its place leaves that one there.
        """
        if probe == self._probe:
            self._probing = False

    def forget_probe(self) -> None:
        """Let the next request be a probe, whatever is under way."""
        self._probing = False

    def heal(self, now_s: float) -> bool:
        """Count a healthy answer.

        One closes an open circuit and forgets its failures, and then this is true.
        """
        closes = self._opened_at_s is not None
        if closes:
            # What it failed by was forgotten when it opened.
            self._opened_at_s = None
            self._probing = False
        self._outcomes.append(_Outcome(now_s, None))
        return closes

    def fail(
        self, now_s: float, settings: CircuitSettings, *, by: str, certain: bool = True, probe: int = 0
    ) -> None:
        """Count a failure of deployment `by`; `certain` is one that no other deployment need confirm."""
        if self._opened_at_s is not None:
            # What was under way when it opened does not prolong it, nor does a probe before the latest, nor
            # one of an outage before this one.
            if self._probing and probe == self._probe:
                self._probing = False
                if self._early:
                    # Others may have another deployment to probe it with, at the time that is theirs.
                    self._early_failed_at_s = now_s
                    return
                # It told how things were when it was sent, which may be long ago.
                self._opened_at_s = self._probe_at_s
                self._open_s = min(self._open_s * 2, settings.max_open_s)
            return
        self._outcomes.append(_Outcome(now_s, by))
        oldest_s = now_s - settings.window_s
        recent = [outcome.failed_by for outcome in self._outcomes if outcome.at_s >= oldest_s]
        latest = recent[-max(_LATEST_MIN, 2 * settings.failures) :]
        failed = [failed_by for failed_by in latest if failed_by is not None]
        witnesses = 1 if certain else self._failing_min
        needed = max(witnesses * settings.failures, settings.failure_share * len(latest))
        if len(failed) >= needed and len(set(failed)) >= witnesses:
            self._opened_at_s = now_s
            self._open_s = settings.open_s
            self._outcomes.clear()
