"""Looks at the rules of `alerts:` again and again, and tells what begins, goes on and is over.

    with AlertWatch(orchestrator):
        serve()

It looks on a thread of its own, at counters in memory and at a snapshot of the ledger; no request waits for
it. What it tells goes to the log, to `Orchestrator.on_alert` and to the rule's channels, each once over the
processes that share the folder `alerts.path`.
"""

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from types import TracebackType
from typing import Self

from orchestrator.alerting.claims import KEPT_FOR, PERIOD, Claims
from orchestrator.alerting.conditions import Condition, conditions_of
from orchestrator.alerting.delivery import Delivery
from orchestrator.alerting.known_prices import changed_prices
from orchestrator.alerting.settings import AlertsSettings, RuleSettings
from orchestrator.alerting.words import headline, sentence
from orchestrator.client import Orchestrator
from orchestrator.config.loader import Config
from orchestrator.core.alerts import Alert, AlertKind, AlertState
from orchestrator.core.clock import Clock, SystemClock
from orchestrator.core.errors import ClosedError, OrchestratorError
from orchestrator.core.language import Language
from orchestrator.ledger.periods import period_of
from orchestrator.monitoring.alert_sources import LastFound, LiveSources
from orchestrator.monitoring.shared_alerts import SharedAlerts

logger = logging.getLogger("orchestrator.monitoring")


@dataclass(slots=True)
class _Firing:
    """A condition that holds, or held a moment ago."""

    condition: Condition
    told_at_s: float
    seen_at_s: float
    alert: Alert | None = None
    """What was told of it last; None where another process told it."""


class AlertWatch:
    """Looks at the rules while a service runs."""

    def __init__(self, orchestrator: Orchestrator, *, clock: Clock | None = None) -> None:
        """Keep the orchestrator to look at; nothing runs before `start`."""
        self._orchestrator = orchestrator
        self._clock = clock or SystemClock()
        self._last = LastFound()
        self._firing: dict[tuple[str, str], _Firing] = {}
        self._priced: Config | None = None
        self._settings: AlertsSettings | None = None
        self._delivery: Delivery | None = None
        self._claims = Claims(orchestrator.config.settings.alerts.path)
        self._shared = SharedAlerts(self._clock)
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self) -> Self:
        """Begin; the orchestrator answers requests meanwhile."""
        if self._thread is None:
            self._ends.clear()
            self._follow_config()
            self._orchestrator.on_alert(self._pass_on)
            self._orchestrator.alerts.ask_first(lambda alert: self._shared.is_ours(alert, self._claims))
            self._thread = threading.Thread(target=self._run, name="orchestrator-alert-watch", daemon=True)
            self._thread.start()
        return self

    def stop(self) -> int:
        """End within `alerts.close_wait_s`; return how many messages to a channel were not delivered.

        What no channel was handed may be told again, by another process or after the next start.
        """
        self._thread = None
        self._claims.end_watch()
        self._orchestrator.alerts.unsubscribe(self._pass_on)
        self._orchestrator.alerts.ask_first(None)
        self._ends.set()
        with self._lock:
            delivery, self._delivery, self._settings = self._delivery, None, None
        left = delivery.close() if delivery is not None else {}
        waiting = {alert for alerts in left.values() for alert in alerts}
        for alert in waiting:
            self._shared.withdraw(alert, self._claims)
        for key, firing in self._firing.items():
            if firing.alert in waiting:
                self._claims.release(*key)
        return sum(len(alerts) for alerts in left.values())

    def __enter__(self) -> Self:
        """Begin."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self.stop()

    def look(self) -> tuple[Alert, ...]:
        """Look at every rule once, tell what is to be told, and return it."""
        settings = self._follow_config()
        sources = LiveSources(self._orchestrator, clock=self._clock, last=self._last)
        alerts: list[Alert] = []
        for name, rule in settings.rules.items():
            try:
                alerts += self._price_changes(name, rule)
                alerts += self._changes(name, rule, conditions_of(rule, sources))
            except (OrchestratorError, OSError) as error:
                logger.warning("rule %s cannot be looked at: %s", name, error)
        self._forget(settings)
        for alert in alerts:
            self._tell(alert, settings)
        return tuple(alerts)

    def _run(self) -> None:
        self._claims.tidy(now=self._clock.now())
        while not self._ends.is_set():
            try:
                self._note()
                with suppress(ClosedError):
                    # It alerts by itself, and a file that is back is noticed without a request.
                    self._orchestrator.ledger_problem()
                self.look()
            except Exception:
                logger.exception("the watch over alerts goes on after a fault of its own")
            self._ends.wait(self._orchestrator.config.settings.alerts.check_every_s)

    def _note(self) -> None:
        """Leave word for 'alerts list'; a folder that cannot be written is told of by the rules."""
        if self._orchestrator.config.settings.alerts.rules:
            with suppress(OSError):
                self._claims.note_watch(now=self._clock.now())

    def _follow_config(self) -> AlertsSettings:
        """Take over changed rules and channels; what the old channels have in hand is given a moment."""
        settings = self._orchestrator.config.settings.alerts
        if settings == self._settings or self._ends.is_set():
            return settings
        claims, delivery = Claims(settings.path), Delivery(settings, clock=self._clock)
        with self._lock:
            old, self._settings = self._delivery, settings
            self._claims, self._delivery = claims, delivery
        if old is not None:
            old.close()
        return settings

    def _changes(self, name: str, rule: RuleSettings, conditions: tuple[Condition, ...]) -> list[Alert]:
        now_s = self._clock.monotonic_s()
        alerts = []
        for condition in conditions:
            state = self._state_of(name, rule, condition, now_s)
            if state is not None and not condition.quiet:
                alert = self._alert(name, rule, condition, state)
                self._firing[name, condition.subject].alert = alert
                alerts.append(alert)
        holding = {condition.subject for condition in conditions}
        for key, firing in list(self._firing.items()):
            if key[0] != name or key[1] in holding or now_s - firing.seen_at_s < rule.calm_s:
                continue
            del self._firing[key]
            # A new day or month is no news: what was told of the old one stays told.
            is_past = key[1].startswith(PERIOD) and not self._is_current(key[1])
            if not is_past and self._claims.release(*key) and not firing.condition.quiet:
                alerts.append(self._alert(name, rule, firing.condition, AlertState.OVER))
        return alerts

    def _state_of(
        self, name: str, rule: RuleSettings, condition: Condition, now_s: float
    ) -> AlertState | None:
        """Return what is to be told of a condition that holds, None where it is told already."""
        key = (name, condition.subject)
        firing = self._firing.get(key)
        if firing is None:
            self._firing[key] = _Firing(condition, now_s, now_s)
            return AlertState.BEGAN if self._claim(key, rule) else None
        firing.condition, firing.seen_at_s = condition, now_s
        if condition.subject.startswith(PERIOD) or now_s - firing.told_at_s < rule.repeat_s:
            return None
        firing.told_at_s = now_s
        return AlertState.STILL if self._claim(key, rule) else None

    def _claim(self, key: tuple[str, str], rule: RuleSettings) -> bool:
        is_once = key[1].startswith(PERIOD)
        valid_for = KEPT_FOR if is_once else timedelta(seconds=rule.repeat_s)
        try:
            return self._claims.take(*key, now=self._clock.now(), valid_for=valid_for)
        except OSError as error:
            # Told twice is better than told to nobody.
            logger.warning("alerts.path cannot be written, other processes tell this too: %s", error.strerror)
            return True

    def _is_current(self, subject: str) -> bool:
        zone = self._orchestrator.config.settings.budgets.time_zone
        now = period_of(self._clock.now(), zone)
        return subject.removeprefix(PERIOD).partition(" ")[0] in now.keys

    def _price_changes(self, name: str, rule: RuleSettings) -> list[Alert]:
        config = self._orchestrator.config
        if rule.kind is not AlertKind.PRICE_CHANGE or config is self._priced:
            return []
        prices = {key: deployment.price for key, deployment in config.catalog.usable.items()}
        changed = changed_prices(config.settings.alerts.path, prices)
        self._priced = config
        return [
            self._alert(name, rule, Condition(subject, facts), AlertState.BEGAN)
            for subject, facts in changed.items()
            if self._claim((name, subject), rule)
        ]

    def _alert(self, name: str, rule: RuleSettings, condition: Condition, state: AlertState) -> Alert:
        bare = Alert(rule.kind, "", None, self._clock.now(), state, name, condition.facts)
        words = f"{headline(bare, Language.EN)}; {sentence(bare, Language.EN)}"
        return replace(bare, message=words)

    def _tell(self, alert: Alert, settings: AlertsSettings) -> None:
        rule = settings.rules.get(alert.rule or "")
        with self._lock:
            if self._delivery is not None and rule is not None and settings == self._settings:
                self._delivery.offer(alert, settings.channels_of(rule))
        self._orchestrator.alerts.tell(alert)

    def _pass_on(self, alert: Alert) -> None:
        """Hand on what is told as it happens, on the thread where it arose, to the rules that want it."""
        if alert.rule is not None:
            return
        with self._lock:
            settings, delivery = self._settings, self._delivery
            for name, rule in settings.rules.items() if settings is not None else ():
                if rule.kind is alert.kind and delivery is not None and settings is not None:
                    delivery.offer(replace(alert, rule=name), settings.channels_of(rule))

    def _forget(self, settings: AlertsSettings) -> None:
        """Forget what rules said that config.yaml no longer has."""
        for key in [key for key in self._firing if key[0] not in settings.rules]:
            del self._firing[key]
            self._claims.release(*key)
