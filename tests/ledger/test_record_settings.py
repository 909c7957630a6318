"""How much is kept of a request: of what a use case and a tenant say, the lesser holds."""

import unicodedata

import pytest
import yaml

from orchestrator.core.errors import ConfigError
from orchestrator.ledger.record_settings import Recorded, RecordMode, RecordSettings

OFF, METADATA, CONTENT = RecordMode


def settings(text: str) -> RecordSettings:
    return RecordSettings.model_validate(yaml.safe_load(text))


def test_without_a_word_no_prompt_is_kept():
    assert RecordSettings().of(tenant="acme", use_case="support").mode is METADATA


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("off", OFF),
        ("'off'", OFF),
        ("content", CONTENT),
        ("{mode: off}", OFF),
        ("{mode: metadata}", METADATA),
    ],
)
def test_a_mode_is_read_as_people_write_it(text, mode):
    assert settings(text).of(tenant="acme", use_case="support").mode is mode


@pytest.mark.parametrize(
    ("text", "recorded"),
    [
        ("{mode: content, keep_days: 30, tenants: {acme: off}}", Recorded(OFF, 30)),
        ("{mode: content, use_cases: {support: off}, tenants: {acme: content}}", Recorded(OFF, 30)),
        ("{use_cases: {support: content}, tenants: {acme: metadata}}", Recorded(METADATA, 30)),
        ("{use_cases: {support: content}, tenants: {other: off}}", Recorded(CONTENT, 30)),
        ("{mode: off, tenants: {acme: content}}", Recorded(CONTENT, 30)),
        ("{mode: content, use_cases: {support: {keep_days: 7}}, tenants: {acme: {keep_days: 90}}}", Recorded(CONTENT, 7)),
        ("{tenants: {acme: {mode: content, keep_days: 365}}}", Recorded(CONTENT, 365)),
    ],
)  # fmt: skip
def test_the_lesser_of_what_is_said_holds(text, recorded):
    assert settings(text).of(tenant="acme", use_case="support") == recorded


@pytest.mark.parametrize("text", ["all", "true", "{keep_days: 0}", "{tenants: {' ': off}}", "{mode: yes}"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="validation error"):
        settings(text)


def test_a_use_case_that_is_not_defined_would_keep_nothing_in_silence(make_config):
    with pytest.raises(ConfigError, match=r"unknown use case 'suport'"):
        make_config({"record": {"use_cases": {"suport": "content"}}})


def test_config_yaml_takes_a_mode_alone(make_config):
    config = make_config({"record": {"tenants": {"acme": "content"}}})
    assert config.settings.record.of(tenant="acme", use_case="customer_service").mode is CONTENT


def test_a_tenant_that_is_written_twice_is_refused_whichever_way_it_is_typed(make_config):
    """Of two the later would win, and what a tenant demands would be lost without a word."""
    twice = [{"Hà Nội": said, unicodedata.normalize("NFD", " Hà  Nội"): other} for said, other in (
        ("off", "content"), ({"no_training": True}, {"no_training": False}),
    )]  # fmt: skip
    for section, tenants in zip(("record", "routing"), twice, strict=True):
        with pytest.raises(ConfigError, match=f"{section}.tenants: tenant 'Hà Nội' is written twice"):
            make_config({section: {"tenants": tenants}})
