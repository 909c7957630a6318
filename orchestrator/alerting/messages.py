"""What goes over a channel: the words, the facts as JSON, and the shape that each receiver reads."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from orchestrator.alerting.settings import ChannelKind, ChannelSettings
from orchestrator.alerting.words import alert_text, digest_of, headline
from orchestrator.core.alerts import Alert, AlertKind
from orchestrator.core.language import Language


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """One message to one channel, of one alert or of many."""

    title: str
    """One line."""
    text: str
    plain: Mapping[str, Any]
    """The same for programs."""

    @property
    def as_json(self) -> bytes:
        """Return the facts as JSON text."""
        return orjson.dumps(self.plain)


def message_of(alert: Alert, language: Language) -> AlertMessage:
    """Return the message of one alert."""
    text = alert_text(alert, language)
    title = " ".join(headline(alert, language).split())
    return AlertMessage(title, text, {"text": text, "count": 1, "alerts": [plain_alert(alert)]})


def digest_message(
    alerts: tuple[Alert, ...], counts: Mapping[AlertKind, int], *, dropped: int, language: Language
) -> AlertMessage:
    """Return one message of many alerts; those that were dropped are counted in it."""
    text = digest_of(alerts, counts, dropped=dropped, language=language)
    plain = {
        "text": text,
        "count": sum(counts.values()),
        "kinds": {kind.value: count for kind, count in counts.items()},
        "dropped": dropped,
        "alerts": [plain_alert(alert) for alert in alerts],
    }
    return AlertMessage(text.partition("\n")[0], text, plain)


def plain_alert(alert: Alert) -> dict[str, Any]:
    """Return an alert for JSON; money is whole nano-dollars."""
    return {
        "kind": alert.kind.value,
        "state": alert.state.value,
        "rule": alert.rule,
        "at": alert.at.isoformat(),
        "request_id": alert.request_id,
        "message": alert.message,
        "facts": None if alert.facts is None else asdict(alert.facts),
    }


def body_of(channel: ChannelSettings, message: AlertMessage) -> bytes:
    """Return the body that a webhook of this kind reads; text is text in it, whatever a name holds."""
    text = message.text
    match channel.kind:
        case ChannelKind.SLACK:
            # The three signs that Slack reads as markup; the rest is shown as it is.
            safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            return orjson.dumps({"text": safe, "mrkdwn": False})
        case ChannelKind.TELEGRAM:
            return orjson.dumps(
                {"chat_id": channel.chat_id, "text": text, "link_preview_options": {"is_disabled": True}}
            )
        case ChannelKind.TEAMS:
            return orjson.dumps(_card(text))
        case _:
            return message.as_json


def _card(text: str) -> dict[str, Any]:
    # A TextRun is no Markdown, which a TextBlock is.
    lines = [
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": line}]}
        for line in text.splitlines()
        if line
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": lines,
    }
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }
