"""Policies in files of their own: read with the configuration, refused where their use case has changed."""

import orjson
import pytest

from orchestrator.config.effective import effective
from orchestrator.config.policy_files import measured_under
from orchestrator.core.errors import ConfigError

LUNA, SONNET = "openrouter/gpt-6-luna", "openrouter/claude-sonnet-5.5"
NAMED = {"use_cases": {"cost_sensitive": {"policy": {"file": "policies/bulk.json"}}}}


@pytest.fixture
def policy_file(tmp_path, make_config):
    """Write the policy file beside the configuration, measured under today's conditions, changed as asked."""
    conditions = measured_under(make_config().settings, "cost_sensitive", (LUNA, SONNET))

    def write(*, raw=None, **changed):
        content = {
            "use_case": "cost_sensitive",
            "policy": {"version": "7", "constant": LUNA},
            "measured": {"conditions": {**conditions, **changed.pop("conditions", {})}},
            **changed,
        }
        (tmp_path / "policies").mkdir(exist_ok=True)
        path = tmp_path / "policies" / "bulk.json"
        path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) if raw is None else raw)
        return path

    return write


def test_the_file_is_the_policy_and_is_watched(policy_file, make_config):
    path = policy_file()
    config = make_config(NAMED)
    assert config.settings.use_cases["cost_sensitive"].policy.constant == LUNA
    assert path in config.secret_files
    before = config.fingerprint
    policy_file(policy={"version": "8", "constant": LUNA})
    assert make_config(NAMED).fingerprint != before
    assert effective(config)["use_cases"]["cost_sensitive"]["policy"]["constant"] == LUNA


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_tokens": 5}, "measured with max_tokens 5"),
        ({"primary": SONNET}, f"measured with primary '{SONNET}'"),
        ({"deployments": {LUNA: "openai/gpt-5-luna"}}, f"measured when '{LUNA}' was 'openai/gpt-5-luna'"),
    ],
)
def test_what_was_measured_under_other_conditions_is_refused(policy_file, make_config, changes, words):
    policy_file(conditions=changes)
    with pytest.raises(ConfigError) as refused:
        make_config(NAMED)
    assert words in str(refused.value)
    assert "bulk.json:" in str(refused.value)
    assert "run 'orchestrator calibrate' again" in str(refused.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"use_case": "customer_service"}, "of use case 'customer_service'"),
        ({"policy": None}, "a policy file has the keys"),
        ({"extra": 1}, "a policy file has the keys"),
        ({"policy": {"constant": "gpt-7"}}, "unknown deployment 'gpt-7'"),
        ({"raw": b"\xff"}, "not UTF-8"),
    ],
)
def test_a_file_that_is_none_is_named_with_its_line(policy_file, make_config, content, words):
    policy_file(**content)
    with pytest.raises(ConfigError, match=words):
        make_config(NAMED)


def test_a_file_that_is_not_there_and_one_beside_other_keys(make_config):
    with pytest.raises(ConfigError, match=r"config.yaml:\d+:\d+: policy file .*bulk.json cannot be read"):
        make_config(NAMED)
    both = {"use_cases": {"cost_sensitive": {"policy": {"file": "x", "constant": LUNA}}}}
    with pytest.raises(ConfigError, match="stands alone"):
        make_config(both)
