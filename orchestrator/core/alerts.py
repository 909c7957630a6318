"""Alerts: what a person should look at now, in the log and to every listener.

An alert is a line of the logger `orchestrator.alerts`, so that every log collector can page a person, and a
call of every listener (`Orchestrator.on_alert`). None carries a prompt, a reply or a key. Those of rules in
config.yaml (`alerts:`) name their rule, and go to its channels too.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orchestrator.core.money import NanoUsd

logger = logging.getLogger("orchestrator.alerts")


class AlertKind(StrEnum):
    """What happened; the list is closed."""

    EXCESS = "excess"
    """A provider charged more than was held for the send: a limit may be passed by the difference."""
    BOOKED_LATE = "booked_late"
    """The ledger could not be written after a send; the booking waits in memory, its hold stays counted."""
    LEDGER_UNAVAILABLE = "ledger_unavailable"
    """The ledger cannot be used, so nothing is sent: its file is lost or another, or the disk fails."""
    BUDGET = "budget"
    """A part of a limit is spent."""
    PROJECTED_OVERRUN = "projected_overrun"
    """Spent on like this, a limit is reached before its day or month is over."""
    PROVIDER_DOWN = "provider_down"
    """The circuit of a provider is not closed."""
    CIRCUIT_OPEN = "circuit_open"
    """The circuit of a deployment is not closed."""
    FALLBACK_RATE = "fallback_rate"
    """Many answers are degraded: not what the first choice would have given."""
    ERROR_RATE = "error_rate"
    """Many requests got no answer."""
    LATENCY = "latency"
    """The slowest twentieth of the requests is slower than it may be."""
    UNUSUAL_SPEND = "unusual_spend"
    """A scope has spent more today than on a usual whole day."""
    PRICE_CHANGE = "price_change"
    """The price of a deployment is another than before."""
    MODEL_ENDED = "model_ended"
    """A model that is in use is past the day on which its vendor switches it off."""
    LEDGER_DIFFERENCE = "ledger_difference"
    """A counter of the ledger is not the sum of its rows."""
    EXPERIMENT_WORSE = "experiment_worse"
    """The candidate of an experiment is proven worse, and was rolled back by its rule."""
    EMERGENCY_MODEL = "emergency_model"
    """The model of last resort answers."""


class AlertState(StrEnum):
    """Whether what is told begins, goes on, is over, or is a test."""

    BEGAN = "began"
    STILL = "still"
    OVER = "over"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class SpendFacts:
    """Money of a scope in a day or a month."""

    scope: str
    period: str
    """`2026-11-23` or `2026-11`."""
    spent_nusd: NanoUsd
    compared_nusd: NanoUsd
    """The limit, or what a usual day costs."""
    percent: int | None = None
    """The mark of the limit that is passed."""
    projected_nusd: NanoUsd | None = None
    """By the end of the period, spent on at the same pace."""
    cause: str | None = None
    """The scope inside it that has grown most."""


@dataclass(frozen=True, slots=True)
class RateFacts:
    """A share of the requests of a scope within a window."""

    scope: str
    share: float
    above_share: float
    requests: int
    window_s: float


@dataclass(frozen=True, slots=True)
class LatencyFacts:
    """How long the slowest twentieth of the requests of a scope took at least."""

    scope: str
    p95_s: float
    above_s: float
    requests: int
    window_s: float


@dataclass(frozen=True, slots=True)
class SubjectFacts:
    """A provider, deployment, model or counter, and what is to be said of it: a price, a day, an amount."""

    name: str
    detail: str = ""


AlertFacts = SpendFacts | RateFacts | LatencyFacts | SubjectFacts


@dataclass(frozen=True, slots=True)
class Alert:
    """One event that a person should look at."""

    kind: AlertKind
    message: str
    """What happened, where, and what to do."""
    request_id: str | None
    at: datetime
    state: AlertState = AlertState.BEGAN
    rule: str | None = None
    """The rule of config.yaml that tells it; None for one that every process tells at once."""
    facts: AlertFacts | None = None


Listener = Callable[[Alert], None]
"""Takes an alert at once, on whatever thread it arose; a listener with more to do hands it on."""
Gate = Callable[[Alert], bool]
"""Returns whether this process tells an alert, or another one does that has noticed the same."""


class Alerts:
    """Tells every listener; thread-safe."""

    def __init__(self) -> None:
        """Start with the log alone."""
        self._listeners: tuple[Listener, ...] = ()
        self._gate: Gate | None = None

    def ask_first(self, gate: Gate | None) -> None:
        """Ask `gate` from now on before an alert is told; None asks nobody."""
        self._gate = gate

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with every alert from now on."""
        self._listeners = (*self._listeners, listener)

    def unsubscribe(self, listener: Listener) -> None:
        """Call `listener` no more."""
        self._listeners = tuple(known for known in self._listeners if known != listener)

    def tell(self, alert: Alert) -> None:
        """Log an alert and tell every listener; one that fails is logged and stops nothing."""
        if self._gate is not None and not self._gate(alert):
            logger.info("%s: told by another process: %s", alert.kind, alert.message)
            return
        level = logging.WARNING if alert.state is AlertState.OVER else logging.ERROR
        logger.log(level, "%s: request=%s: %s", alert.kind, alert.request_id or "-", alert.message)
        for listener in self._listeners:
            try:
                listener(alert)
            except Exception:
                logger.exception("a listener of alerts failed; the request goes on")
