"""Carries alerts to channels: each has a bounded queue and patience of its own, and none waits for another.

offer          at once, from any thread; never waits, never raises
one alert      one message, tried again with growing pauses until `give_up_after_s`
many           one digest; beyond `queue_max` only how many there were is kept
close          waits `close_wait_s`, then returns what was not delivered
"""

import asyncio
import logging
import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping

from orchestrator.alerting.channels import send
from orchestrator.alerting.messages import AlertMessage, digest_message, message_of
from orchestrator.alerting.settings import AlertsSettings, ChannelSettings
from orchestrator.alerting.undelivered import UndeliveredError
from orchestrator.core.alerts import Alert, AlertKind
from orchestrator.core.background_loop import BackgroundLoop
from orchestrator.core.clock import Clock
from orchestrator.providers.wire.sessions import Sessions

logger = logging.getLogger("orchestrator.alerts.delivery")

_FIRST_WAIT_S = 1.0
_WAIT_MAX_S = 60.0


class Courier:
    """The queue of one channel, and who empties it."""

    def __init__(
        self, name: str, channel: ChannelSettings, settings: AlertsSettings, *, clock: Clock, http: Sessions
    ) -> None:
        """Begin with nothing to carry."""
        self.name = name
        self._channel = channel
        self._settings = settings
        self._clock = clock
        self._http = http
        self._lock = threading.Lock()
        self._waiting: deque[Alert] = deque()
        self._counts: Counter[AlertKind] = Counter()
        self._dropped = 0
        self._carried: tuple[Alert, ...] = ()
        self._wake: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.idle = threading.Event()
        """Set while nothing waits and nothing is on its way."""
        self.idle.set()

    def offer(self, alert: Alert) -> None:
        """Take an alert to carry; beyond the bound it is counted and no more."""
        with self._lock:
            self._counts[alert.kind] += 1
            if len(self._waiting) < self._settings.queue_max:
                self._waiting.append(alert)
            else:
                self._dropped += 1
            is_first = self.idle.is_set()
            self.idle.clear()
            loop, wake = self._loop, self._wake
        if is_first and loop is not None and wake is not None and not loop.is_closed():
            loop.call_soon_threadsafe(wake.set)

    def undelivered(self) -> tuple[Alert, ...]:
        """Return what waits and what is on its way."""
        with self._lock:
            return (*self._carried, *self._waiting)

    async def run(self) -> None:
        """Carry what comes, until cancelled."""
        with self._lock:
            self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
            wake = self._wake
        while True:
            for alerts, message in self._take():
                await self._deliver(alerts, message)
            with self._lock:
                self._carried = ()
                wake.clear()
                if self._waiting or self._dropped:
                    continue
                self.idle.set()
            await wake.wait()

    def _take(self) -> Iterable[tuple[tuple[Alert, ...], AlertMessage]]:
        """Return the messages of all that waits: one for each alert of a few, one for all of many."""
        with self._lock:
            alerts, counts, dropped = tuple(self._waiting), dict(self._counts), self._dropped
            self._waiting.clear()
            self._counts.clear()
            self._dropped, self._carried = 0, alerts
        language = self._channel.language
        if len(alerts) + dropped <= self._settings.digest_above:
            return [((alert,), message_of(alert, language)) for alert in alerts]
        return [(alerts, digest_message(alerts, counts, dropped=dropped, language=language))]

    async def _deliver(self, alerts: tuple[Alert, ...], message: AlertMessage) -> None:
        began_s, pause_s = self._clock.monotonic_s(), _FIRST_WAIT_S
        while True:
            try:
                await send(self._channel, message, http=self._http)
                break
            except UndeliveredError as exc:
                pause_s = max(pause_s, exc.wait_s)
                passed_s = self._clock.monotonic_s() - began_s
                if not exc.may_retry or passed_s + pause_s > self._settings.give_up_after_s:
                    logger.error("channel %s did not take '%s': %s", self.name, message.title, exc)  # noqa: TRY400
                    break
            await self._clock.sleep(pause_s)
            pause_s = min(pause_s * 2, _WAIT_MAX_S)
        with self._lock:
            self._carried = tuple(alert for alert in self._carried if alert not in alerts)


class Delivery:
    """The couriers of all channels, on an event loop of their own."""

    def __init__(self, settings: AlertsSettings, *, clock: Clock) -> None:
        """Start the couriers."""
        self._settings = settings
        http = Sessions()
        self._loop = BackgroundLoop("orchestrator-alerts", at_end=http.close)
        self._couriers = {
            name: Courier(name, channel, settings, clock=clock, http=http)
            for name, channel in settings.channels.items()
        }
        for courier in self._couriers.values():
            self._loop.submit(courier.run())

    def offer(self, alert: Alert, channels: Iterable[str]) -> None:
        """Hand an alert to channels; never waits."""
        for name in channels:
            self._couriers[name].offer(alert)

    def close(self) -> Mapping[str, tuple[Alert, ...]]:
        """Wait a little for what is on its way, end, and return what each channel was not handed."""
        ends = threading.Event()
        timer = threading.Timer(self._settings.close_wait_s, ends.set)
        timer.daemon = True
        timer.start()
        for courier in self._couriers.values():
            while not ends.is_set() and not courier.idle.wait(0.02):
                pass
        timer.cancel()
        left = {name: alerts for name, courier in self._couriers.items() if (alerts := courier.undelivered())}
        self._loop.close()
        for name, alerts in left.items():
            logger.error("%d alerts were not delivered to channel %s before the end", len(alerts), name)
        return left
