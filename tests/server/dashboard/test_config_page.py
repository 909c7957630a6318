"""The configuration page shows what is in force, whatever has become of the file, and why a change was refused."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from orchestrator.config.effective import MASK
from orchestrator.config.watcher import ConfigRefusal, ConfigWatch
from orchestrator.core.language import Language
from orchestrator.server.dashboard.config_page import config_page
from orchestrator.server.dashboard.viewer import Viewer

SINCE = datetime(2026, 11, 23, tzinfo=UTC)


def page_of(config, refusal=None, language=Language.EN):
    viewer = Viewer(None, frozenset(), language, ZoneInfo("UTC"))
    return "".join(config_page(viewer, config, refusal, since=SINCE))


def watch_of(config, clock, monkeypatch, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    watch = ConfigWatch(config, take_over=lambda _: None, clock=clock)
    watch.close()
    return watch


def test_a_refused_file_is_told_with_its_line_and_what_is_in_force_stays(
    make_config, clock, monkeypatch, environment
):
    config = make_config({"circuit_breaker": {"failures": 3}})
    watch = watch_of(config, clock, monkeypatch, environment)
    before = page_of(config, watch.refusal)
    assert "No change was refused." in before
    good = config.path.read_text(encoding="utf-8")
    config.path.write_text(good.replace('"failures": 3', '"failures": -4711'), encoding="utf-8")
    watch.check()
    page = page_of(config, watch.refusal)
    assert "Refused since 2026-11-23 09:00:00" in page
    assert "circuit_breaker.failures" in page
    assert "&quot;failures&quot;: 3" in page
    assert "4711" not in page
    config.path.write_text(good, encoding="utf-8")
    watch.check()
    assert "the file was mended since" in page_of(config, watch.refusal)


@pytest.mark.parametrize("content", ["providers: [", ""])
def test_a_file_that_is_no_yaml_or_gone_does_not_hide_what_is_in_force(
    make_config, clock, monkeypatch, environment, content
):
    config = make_config()
    watch = watch_of(config, clock, monkeypatch, environment)
    if content:
        config.path.write_text(content, encoding="utf-8")
    else:
        config.path.unlink()
    watch.check()
    assert watch.refusal is not None
    page = page_of(config, watch.refusal, Language.VI)
    assert "Bị từ chối từ" in page
    assert "customer_service" in page


def test_a_refusal_quotes_no_key_and_starts_nothing(make_config):
    config = make_config()
    reason = "config.yaml:3: practice-key-openai <script> https://me:pw@host/v1?api_key=abc is wrong"
    page = page_of(config, ConfigRefusal(SINCE, reason))
    assert "practice-key" not in page
    assert "me:pw" not in page
    assert "api_key=abc" not in page
    assert "<script" not in page
    assert MASK in page


def test_an_error_of_ours_is_told_by_its_type_alone(make_config, clock, monkeypatch, environment):
    def breaks(_config):
        raise KeyError("a customer's words")

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    config = make_config()
    watch = ConfigWatch(config, take_over=breaks, clock=clock)
    watch.close()
    text = config.path.read_text(encoding="utf-8")
    config.path.write_text(text.replace('"failures": 3', '"failures": 4'), encoding="utf-8")
    watch.check()
    assert watch.refusal.reason == "KeyError"


def test_notices_are_said_in_the_language_of_the_page(make_config):
    config = replace(make_config(), notices=("provider openai is off: it has no key; set OPENAI_API_KEY",))
    assert "it has no key" in page_of(config)
    shown = page_of(config, language=Language.VI)
    assert "nhà cung cấp openai đang tắt: chưa có khóa; hãy đặt OPENAI_API_KEY" in shown
