"""What a rule or a channel cannot mean is refused with its place, and no secret is quoted or shown."""

import pytest
import yaml

from orchestrator.config.effective import effective
from orchestrator.core.errors import ConfigError

SLACK = {"kind": "slack", "url": "https://hooks.slack.com/services/hush"}


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ({"kind": "slack"}, "a channel of kind slack needs url"),
        ({"kind": "telegram", "token": "1:hush"}, "needs chat_id"),
        ({**SLACK, "to": ["a@b.c"]}, "has no to"),
        ({"kind": "slack", "url": "ftp://hush"}, "begins with http"),
        ({"kind": "slack", "url": "https://me:hush@x.y"}, "belong into a header"),
        ({"kind": "webhook", "url": "https://x.y", "headers": {"A": "hush\nB: c"}}, "a line break"),
        ({"kind": "telegram", "token": "hush/../x", "chat_id": "1"}, "holds a slash"),
        ({"kind": "command", "argv": ["notify"]}, "whole path"),
        (
            {"kind": "email", "host": "mx.y", "sender": "a@b.c", "to": ["d@e.f"]}
            | {"security": "none", "user": "u", "password": "hush"},
            "needs security tls",
        ),
        (
            {"kind": "email", "host": "mx.y", "sender": "a@b.c", "to": ["d@e.f"]}
            | {"user": "u", "password": "hush của tôi"},
            "no login by SMTP carries",
        ),
        ({"kind": "email", "host": "mx.y", "sender": "a@b.c", "to": ["hush\nBcc: x@y.z"]}, "no mail address"),
    ],
)
def test_a_channel_says_what_is_wrong_and_quotes_nothing(make_config, channel, words):
    with pytest.raises(ConfigError, match=words) as refusal:
        make_config({"alerts": {"channels": {"ops": channel}}})
    assert "hush" not in str(refusal.value)
    assert "config.yaml:" in str(refusal.value)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"kind": "budgets"}, "budget"),
        ({"kind": "budget", "above_s": 3}, "has no above_s"),
        ({"kind": "latency", "scope": "provider:google"}, "requests are counted for all"),
        ({"kind": "budget", "scope": "tenants:acme"}, "is no scope"),
        ({"kind": "budget", "at_percent": [120]}, "less than or equal to 100"),
        ({"kind": "budget", "channels": ["opps"]}, "Did you mean 'ops'"),
    ],
)
def test_a_rule_says_what_is_wrong(make_config, rule, words):
    with pytest.raises(ConfigError, match=words):
        make_config({"alerts": {"channels": {"ops": SLACK}, "rules": {"mine": rule}}})


def test_the_configuration_in_force_shows_no_secret_and_loads_again(make_config, tmp_path):
    telegram = {"kind": "telegram", "token": "1:hush", "chat_id": "-1"}
    teams = {"kind": "teams", "url": "https://x.logic.azure.com/w?api-version=1&sig=hush"}
    rules = {"spend": {"kind": "unusual_spend", "min_usd": 2}, "money": {"kind": "budget"}}
    channels = {"slack": SLACK, "telegram": telegram, "teams": teams}
    config = make_config({"alerts": {"channels": channels, "rules": rules}})
    shown = effective(config)
    assert "hush" not in yaml.safe_dump(shown)
    assert shown["alerts"]["channels"]["teams"]["url"] == "https://x.logic.azure.com/********"
    assert "hush" not in repr(config.settings)
    again = make_config({"alerts": {"__replace__": True, **shown["alerts"]}})
    assert again.settings.alerts.rules == config.settings.alerts.rules
