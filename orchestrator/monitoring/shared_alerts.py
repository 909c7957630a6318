"""What every process of a ledger notices by itself and one of them tells: that the ledger cannot be used.

Where processes share `alerts.path`, whoever notices a cause first tells it, and whoever first finds the
ledger well again tells that. Where that folder cannot be written, as on a full disk, each tells for itself.
"""

import logging
import threading

from orchestrator.alerting.claims import KEPT_FOR, Claims
from orchestrator.core.alerts import Alert, AlertKind, AlertState
from orchestrator.core.clock import Clock

logger = logging.getLogger("orchestrator.monitoring")

_RULE = "ledger"
"""In the place of a rule's name: what is told, is told to all rules of its kind."""


class SharedAlerts:
    """Which alerts of the ledger this process tells; thread-safe."""

    def __init__(self, clock: Clock) -> None:
        """Take it that nothing was told."""
        self._clock = clock
        self._lock = threading.Lock()
        self._claimed: dict[str, bool] = {}
        """By the causes seen here since the ledger worked last: whether there is a claim of each."""

    def is_ours(self, alert: Alert, claims: Claims) -> bool:
        """Return whether this process tells it, and leave word of it for the others."""
        if alert.kind is not AlertKind.LEDGER_UNAVAILABLE:
            return True
        with self._lock:
            return (
                self._ends(claims) if alert.state is AlertState.OVER else self._begins(alert.message, claims)
            )

    def withdraw(self, alert: Alert, claims: Claims) -> None:
        """Let another process tell what this one could hand to nobody."""
        if alert.kind is AlertKind.LEDGER_UNAVAILABLE and alert.state is AlertState.BEGAN:
            claims.release(_RULE, alert.message)

    def _begins(self, cause: str, claims: Claims) -> bool:
        try:
            is_first = claims.take(_RULE, cause, now=self._clock.now(), valid_for=KEPT_FOR)
        except OSError as error:
            # Told twice is better than told to nobody.
            logger.warning("alerts.path cannot be written, other processes tell this too: %s", error.strerror)
            is_first = True
            self._claimed[cause] = False
        else:
            self._claimed[cause] = True
        return is_first

    def _ends(self, claims: Claims) -> bool:
        causes, self._claimed = self._claimed, {}
        removed = [claims.release(_RULE, cause) for cause, is_claimed in causes.items() if is_claimed]
        return any(removed) or not all(causes.values())
