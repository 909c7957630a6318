"""Alerts: what a person should look at now, in the log and to every listener.

An alert is an error line of the logger `orchestrator.core.alerts`, so that every log collector can page
a person, and a call of every listener (`Orchestrator.on_alert`). None carries a prompt, a reply or a key.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

logger = logging.getLogger("orchestrator.alerts")


class AlertKind(StrEnum):
    """What happened."""

    EXCESS = "excess"
    """A provider charged more than was held for the send: a limit may be passed by the difference."""
    BOOKED_LATE = "booked_late"
    """The ledger could not be written after a send; the booking waits in memory, its hold stays counted."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One event that a person should look at."""

    kind: AlertKind
    message: str
    """What happened, where, and what to do."""
    request_id: str | None
    at: datetime


Listener = Callable[[Alert], None]
"""Takes an alert at once, on whatever thread it arose; a listener with more to do hands it on."""


class Alerts:
    """Tells every listener; thread-safe."""

    def __init__(self) -> None:
        """Start with the log alone."""
        self._listeners: tuple[Listener, ...] = ()

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with every alert from now on."""
        self._listeners = (*self._listeners, listener)

    def tell(self, alert: Alert) -> None:
        """Log an alert and tell every listener; one that fails is logged and stops nothing."""
        logger.error("%s: request=%s: %s", alert.kind, alert.request_id or "-", alert.message)
        for listener in self._listeners:
            try:
                listener(alert)
            except Exception:
                logger.exception("a listener of alerts failed; the request goes on")
