"""Whether a ledger can be used: that it cannot is told once for each cause, and that it can again.

Requests are refused meanwhile, and their callers are told little: operations must hear of it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.core.alerts import Alert, AlertKind, Alerts, AlertState
from orchestrator.core.clock import Clock
from orchestrator.core.errors import LedgerError

CALM_S = 5.0
"""So long must it work before that is told: on a full disk some transactions fit and others do not."""


class Usability:
    """What was told of one ledger in this process; thread-safe."""

    def __init__(self, alerts: Alerts, clock: Clock, location: str) -> None:
        """Take it that the ledger was never used."""
        self._alerts = alerts
        self._clock = clock
        self._location = location
        self._lock = threading.Lock()
        self._has_worked = False
        self._causes: set[str] = set()
        """What was told since it worked last."""
        self._failed_at_s = 0.0
        self._times_over = 0

    @contextmanager
    def noted(self, *, at_first: bool = False) -> Iterator[None]:
        """Note how the use of the ledger inside ends.

        Of a ledger that never worked the caller alone is told, unless `at_first` says otherwise.
        """
        times_over = self._times_over
        try:
            yield
        except LedgerError as error:
            self._fail(str(error), at_first=at_first, times_over=times_over)
            raise
        self._work()

    def _fail(self, cause: str, *, at_first: bool, times_over: int) -> None:
        with self._lock:
            if times_over != self._times_over:
                # It began before it was told that the ledger works again: it says nothing of what is now.
                return
            self._failed_at_s = self._clock.monotonic_s()
            if cause in self._causes or not (self._has_worked or at_first):
                return
            self._causes.add(cause)
        self._tell(cause, AlertState.BEGAN)

    def _work(self) -> None:
        if not self._causes:
            self._has_worked = True
            return
        with self._lock:
            if not self._causes or self._clock.monotonic_s() - self._failed_at_s < CALM_S:
                return
            self._causes.clear()
            self._has_worked = True
            self._times_over += 1
        self._tell(f"the ledger {self._location} can be used again", AlertState.OVER)

    def _tell(self, message: str, state: AlertState) -> None:
        self._alerts.tell(Alert(AlertKind.LEDGER_UNAVAILABLE, message, None, self._clock.now(), state))
