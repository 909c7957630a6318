"""`orchestrator alerts`: rules with what they told last, and a test message that every channel answers."""

import os
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import yaml

from orchestrator.alerting.claims import Claims
from orchestrator.config.loader import embedded_path
from tests.support.receiver import receiver


@pytest.fixture
def configure(tmp_path, monkeypatch):
    def write(rules, channels):
        data = yaml.load(embedded_path().read_bytes(), Loader=yaml.CSafeLoader)
        data["alerts"] = {"path": str(tmp_path / "alerts"), "rules": rules, "channels": channels}
        path = tmp_path / "config.yaml"
        path.write_text(yaml.dump(data, Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False))
        monkeypatch.setenv("ORCHESTRATOR_CONFIG", os.fspath(path))

    return write


def test_without_rules_both_say_what_to_write(run):
    assert "no rules: write some under 'alerts.rules'" in run("alerts", "list").out
    ran = run("alerts", "test")
    assert ran.code == 2
    assert "nothing was sent: no rule has a channel" in ran.err


def test_a_rule_without_a_channel_is_an_error_too(run, configure):
    """Whoever tests it would believe that somebody was told."""
    configure({"down": {"kind": "provider_down"}}, {})
    ran = run("alerts", "test", "down", "--json")
    assert (ran.code, ran.json["error"]["type"]) == (2, "CommandError")
    assert "the rule 'down' has no channel" in ran.err


def test_the_list_says_who_fires_and_what_was_told_last(run, configure, tmp_path):
    configure({"down": {"kind": "provider_down"}, "money": {"kind": "budget"}}, {})
    claims, now = Claims(str(tmp_path / "alerts")), datetime.now(UTC)
    claims.take("down", "openrouter", now=now, valid_for=timedelta(days=1))
    claims.take("money", "period 2020-01-01 all 80", now=now, valid_for=timedelta(days=1))
    down, money = run("alerts", "list", "--json").json["rules"]
    assert (down["firing"], money["firing"]) == (["openrouter"], [])
    assert down["last_told_at"] == now.isoformat(timespec="seconds")
    ran = run("alerts", "list")
    assert "firing: 1" in ran.out
    assert f"{now.astimezone(ZoneInfo('Asia/Ho_Chi_Minh')):%Y-%m-%d %H:%M}" in ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 80


def test_the_list_says_whether_anybody_looks(run, configure, tmp_path):
    """Quiet is what somebody looked at and found so."""
    configure({"down": {"kind": "provider_down"}}, {})
    ran = run("alerts", "list")
    assert "not watched" in ran.out
    assert "Nobody looks at the rules" in ran.out
    assert run("alerts", "list", "--json").json["watched"] is False
    Claims(str(tmp_path / "alerts")).note_watch(now=datetime.now(UTC))
    ran = run("alerts", "list")
    assert "quiet" in ran.out
    assert "Nobody" not in ran.out
    assert run("alerts", "list", "--json").json["watched"] is True


def test_a_test_message_is_marked_and_every_channel_says_what_came_back(run, configure):
    with receiver() as ops, receiver() as broken:
        broken.statuses.extend([500] * 4)
        channels = {
            "ops": {"kind": "slack", "url": ops.url, "language": "vi"},
            "broken": {"kind": "webhook", "url": broken.url},
        }
        configure(
            {"down": {"kind": "provider_down"}, "money": {"kind": "budget", "channels": ["ops"]}}, channels
        )
        ran = run("alerts", "test")
        assert (ran.code, "HTTP 200" in ran.out, "HTTP 500" in ran.out) == (4, True, True)
        assert ops.bodies[0]["text"].startswith("[THỬ NGHIỆM]")
        assert "hush" not in ran.out + ran.err
        ran = run("alerts", "test", "money", "--json")
        assert (ran.code, ran.json["channels"]) == (
            0,
            [{"channel": "ops", "kind": "slack", "taken": True, "answer": "HTTP 200"}],
        )
        assert len(broken.bodies) == 1


def test_a_misspelt_rule_is_an_error(run, configure):
    configure({"down": {"kind": "provider_down"}}, {})
    ran = run("alerts", "test", "dowm")
    assert ran.code == 2
    assert "Did you mean 'down'?" in ran.err
