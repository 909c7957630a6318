"""Which prefixes of LiteLLM may be configured, with what, and whose prices count."""

import pytest

from orchestrator.catalog.bundled_prices import prefix_price
from orchestrator.catalog.litellm_prefixes import (
    ADDRESSES,
    CLIENTS,
    LiteLlmParameters,
    bills_at,
    fault_of_prefix,
    fault_of_upstream,
)
from orchestrator.core.errors import ConfigError
from tests.conftest import TODAY
from tests.support.prefixed import CLAUDE, prefixed


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("antropic", "did you mean 'anthropic'?"),
        ("openrouter", "write 'kind: openrouter'"),
        ("sagemaker", "by a way of its own, on which no budget would hold"),
        ("zzzz", "known here: ai21, "),
    ],
)
def test_another_prefix_is_refused_with_what_to_write(prefix: str, words: str) -> None:
    assert words in str(fault_of_prefix(prefix))


def test_every_carried_prefix_is_taken() -> None:
    assert not [prefix for prefix in CLIENTS if fault_of_prefix(prefix)]
    assert set(ADDRESSES) <= set(CLIENTS)


@pytest.mark.parametrize(
    ("prefix", "provider", "words"),
    [
        ("anthropic", {"prefix": "antropic"}, ".prefix: 'antropic' is no prefix of LiteLLM's; did you mean"),
        ("anthropic", {"prefix": None}, "kind litellm needs 'prefix'"),
        ("anthropic", {"kind": "openai"}, "'prefix' and 'parameters' are for kind litellm"),
        (
            "anthropic",
            {"parameters": {"api_version": "1"}},
            "parameters.api_version is none of prefix 'anthropic'",
        ),
        ("azure", {"parameters": {}}, "prefix 'azure' needs parameters.api_version"),
        ("azure", {"parameters": {"api_verson": "1"}}, "Did you mean 'api_version'?"),
        ("azure", {"base_url": None}, "prefix 'azure' needs base_url"),
    ],
)
def test_what_a_provider_lacks_or_has_too_much_is_told_at_its_line(
    make_config, practice, prefix: str, provider, words: str
) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml:\d+:\d+: ") as caught:
        make_config(prefixed(practice, providers={prefix: provider}))
    assert words in str(caught.value)


def test_a_price_counts_at_the_vendors_own_address_alone(make_config, practice) -> None:
    """A gateway may charge what it likes: its price must be stated."""
    assert bills_at("azure", "https://ours.openai.azure.com")
    assert bills_at("deepseek", None)
    assert not bills_at("azure", "https://openai.azure.com.evil.example")
    assert (
        prefix_price("anthropic", "claude-haiku-4-5", today=TODAY, address="https://gateway.example") is None
    )
    assert prefix_price("anthropic", "gpt-4o", today=TODAY) is None
    with pytest.raises(ConfigError, match="'anthropic/claude-haiku-4-5' has no price"):
        make_config(prefixed(practice, providers={"anthropic": {"base_url": "https://gateway.example"}}))


def test_without_its_key_a_provider_is_off_and_what_stands_for_one_counts(make_config, practice) -> None:
    keyless = {"anthropic": {"api_key": ""}, "azure": {"api_key": "", "parameters": AZURE_WITH_TOKEN}}
    catalog = make_config(prefixed(practice, providers=keyless)).catalog
    assert "key" in str(catalog.off[CLAUDE])
    assert "azure/our-gpt" in catalog.deployments


AZURE_WITH_TOKEN = {"api_version": "2024-10-21", "azure_ad_token": "a secret token"}


def test_a_secret_among_the_parameters_is_never_shown() -> None:
    parameters = LiteLlmParameters(**AZURE_WITH_TOKEN)
    assert "a secret token" not in repr(parameters)
    assert parameters.as_arguments() == AZURE_WITH_TOKEN


CLOUDS = {
    "vertex_ai": {
        "vertex_project": "p",
        "vertex_location": "global",
        "vertex_credentials": "${CLOUD_JSON:-}",
    },
    "bedrock": {
        "aws_region_name": "eu-central-1",
        "aws_access_key_id": "${CLOUD_ID:-}",
        "aws_secret_access_key": "${CLOUD_SECRET:-}",
    },
}


@pytest.mark.parametrize("upstream", ["gemini-2.5-pro", "claude-haiku-4-5", "zai-org/glm-4.7-maas"])
def test_what_litellm_sends_itself_for_vertex_ai_is_taken(upstream: str) -> None:
    assert fault_of_upstream("vertex_ai", upstream) is None
    assert fault_of_upstream("bedrock", f"x/{upstream}") is None


def test_what_another_library_would_send_is_refused_with_its_line_and_its_name(make_config) -> None:
    changes = prefixed_config("vertex_ai", "gemma/gemma-3-27b-it")
    with pytest.raises(
        ConfigError, match=r"config.yaml:\d+:\d+: .*'gemma/gemma-3-27b-it' by Google's library google-cloud"
    ):
        make_config(changes)


def prefixed_config(prefix: str, upstream: str) -> dict[str, object]:
    price = {"input": 1, "output": 1, "source": "tests", "date": "2026-11-23"}
    provider = {"kind": "litellm", "prefix": prefix, "priority": 9, "parameters": CLOUDS[prefix]}
    place = {"provider": "cloud", "model": "gpt-6-luna", "upstream": upstream, "price": price}
    return {"providers": {"cloud": provider}, "deployments": {"cloud/x": place}}
