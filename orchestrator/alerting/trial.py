"""Messages over the channels of rules, sent now and once, and what came back.

They are a marked test, or the alerts of a command that ends right after.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from orchestrator.alerting.channels import send
from orchestrator.alerting.messages import message_of
from orchestrator.alerting.settings import AlertsSettings
from orchestrator.alerting.undelivered import UndeliveredError
from orchestrator.core.alerts import Alert, AlertKind, AlertState
from orchestrator.core.language import Language
from orchestrator.providers.wire.sessions import Sessions

_WORDS = {
    Language.EN: "This is a test of the alerts; nothing has happened.",
    Language.VI: "Đây là tin thử nghiệm cảnh báo; không có sự cố nào.",
}


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one message."""

    channel: str
    kind: str
    taken: bool
    answer: str


async def try_channels(
    settings: AlertsSettings, rules: Mapping[str, AlertKind], *, now: datetime
) -> tuple[Trial, ...]:
    """Send one test message over each channel that the named rules speak over, all at once."""
    alerts: dict[str, Alert] = {}
    for rule, kind in rules.items():
        for channel in settings.channels_of(settings.rules[rule]):
            words = _WORDS[settings.channels[channel].language]
            alerts.setdefault(channel, Alert(kind, words, None, now, AlertState.TEST, rule))
    return await _sent(settings, alerts.items())


async def tell_now(settings: AlertsSettings, alerts: Iterable[Alert]) -> tuple[Trial, ...]:
    """Send each alert over the channels of every rule of its kind, all at once; none where there is none."""
    pairs = [
        (channel, replace(alert, rule=name))
        for alert in alerts
        for name, rule in settings.rules.items()
        if rule.kind is alert.kind
        for channel in settings.channels_of(rule)
    ]
    return await _sent(settings, pairs)


def plain_trial(trial: Trial) -> dict[str, Any]:
    """Return what became of a message as plain data, for JSON."""
    return {"channel": trial.channel, "kind": trial.kind, "taken": trial.taken, "answer": trial.answer}


async def _sent(settings: AlertsSettings, pairs: Iterable[tuple[str, Alert]]) -> tuple[Trial, ...]:
    http = Sessions()

    async def attempt(name: str, alert: Alert) -> Trial:
        channel = settings.channels[name]
        try:
            answer = await send(channel, message_of(alert, channel.language), http=http)
        except UndeliveredError as exc:
            return Trial(name, channel.kind.value, taken=False, answer=str(exc))
        return Trial(name, channel.kind.value, taken=True, answer=answer)

    try:
        return tuple(await asyncio.gather(*(attempt(*pair) for pair in pairs)))
    finally:
        await http.close()
