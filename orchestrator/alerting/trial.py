"""A marked test message over the channels of rules, each once, and what came back."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

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
    """What became of one test message."""

    channel: str
    kind: str
    taken: bool
    answer: str


async def try_channels(
    settings: AlertsSettings, rules: Mapping[str, AlertKind], *, now: datetime
) -> tuple[Trial, ...]:
    """Send one test message over each channel that the named rules speak over, all at once."""
    http = Sessions()
    pairs: dict[str, tuple[str, AlertKind]] = {}
    for rule, kind in rules.items():
        for channel in settings.channels_of(settings.rules[rule]):
            pairs.setdefault(channel, (rule, kind))

    async def attempt(name: str, rule: str, kind: AlertKind) -> Trial:
        channel = settings.channels[name]
        alert = Alert(kind, _WORDS[channel.language], None, now, AlertState.TEST, rule)
        try:
            answer = await send(channel, message_of(alert, channel.language), http=http)
        except UndeliveredError as exc:
            return Trial(name, channel.kind.value, taken=False, answer=str(exc))
        return Trial(name, channel.kind.value, taken=True, answer=answer)

    try:
        tries: Iterable[Trial] = await asyncio.gather(*(attempt(name, *rest) for name, rest in pairs.items()))
        return tuple(tries)
    finally:
        await http.close()
