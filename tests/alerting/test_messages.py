"""Each receiver gets the shape that it reads, and no name in it is markup."""

import json

from orchestrator.alerting.messages import body_of, message_of
from orchestrator.alerting.settings import ChannelSettings
from orchestrator.core.language import Language

NAME = "<!channel> [click](http://evil) *x*"


def body(alert, **fields) -> dict:
    channel = ChannelSettings.model_validate(fields)
    return json.loads(body_of(channel, message_of(alert(NAME), Language.EN)))


def test_slack_reads_text_without_mentions_and_links(alert):
    read = body(alert, kind="slack", url="https://x.y")
    assert "&lt;!channel&gt;" in read["text"]
    assert "<" not in read["text"]
    assert read["mrkdwn"] is False


def test_teams_reads_a_card_of_plain_lines(alert):
    (attachment,) = body(alert, kind="teams", url="https://x.y")["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    runs = [line["inlines"][0] for line in attachment["content"]["body"]]
    assert {run["type"] for run in runs} == {"TextRun"}
    assert any(NAME in run["text"] for run in runs)


def test_telegram_reads_text_in_no_parse_mode(alert):
    read = body(alert, kind="telegram", token="1:a", chat_id="-1")
    assert NAME in read["text"]
    assert "parse_mode" not in read
