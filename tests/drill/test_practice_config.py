"""Every provider of a configuration is led to who plays it, or it is said what is in the way."""

from orchestrator.drill.practice_config import practised_providers
from orchestrator.practice import PracticeServer
from tests.conftest import TODAY
from tests.support.prefixed import prefixed

BEDROCK = {
    "kind": "litellm",
    "prefix": "bedrock",
    "priority": 9,
    "api_key": "k",
    "parameters": {"aws_region_name": "us-east-1"},
}


def test_each_provider_says_its_address_its_variables_and_what_has_to_be_written(
    make_config, practice: PracticeServer, tmp_path
):
    changes = prefixed(practice, providers={"deepseek": {"api_key": "${DEEPSEEK_KEY:-}"}})
    changes["providers"]["bedrock"] = BEDROCK
    changes["providers"]["openai"] = {"enabled": False}
    make_config(changes, DEEPSEEK_KEY="k")
    found = {
        each.name: each
        for each in practised_providers(tmp_path / "config.yaml", practice, today=TODAY, key="k1")
    }
    assert list(found) == ["openrouter", "google", "anthropic", "azure", "deepseek", "bedrock"]
    assert found["openrouter"].exports == {
        "OPENROUTER_BASE_URL": practice.base_url("openrouter"),
        "OPENROUTER_API_KEY": "k1",
    }
    assert found["openrouter"].has_to_write == ()
    address = practice.base_url("compatible")
    assert (found["deepseek"].played_by, found["deepseek"].base_url) == ("compatible", address)
    assert found["deepseek"].exports == {"DEEPSEEK_KEY": "k1"}
    assert found["deepseek"].has_to_write == (f"base_url: {address}",)
    assert found["anthropic"].has_to_write == (
        f"base_url: {practice.base_url('anthropic')}",
        "api_key: k1",
    )
    assert found["bedrock"].played_by is None
