"""The size of a prompt, as the ledger and config.yaml name it."""

from orchestrator.core.prompt_size import InputBound, PromptSize, Script


def test_a_prompt_is_plain_unless_it_was_seen_to_be_wide():
    assert PromptSize(input_bound_tokens=300, input_expected_tokens=20).script is Script.PLAIN


def test_the_scripts_that_ledgers_hold_already_stay_as_they_are():
    assert set(Script) == {"plain", "wide"}


def test_the_bounds_are_those_that_config_yaml_may_name():
    assert set(InputBound) == {"bytes", "calibrated"}
