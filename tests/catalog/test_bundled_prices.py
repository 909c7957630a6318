"""What installed packages know of prices, read as data."""

import subprocess
import sys
from datetime import date

import pytest

from orchestrator.catalog.bundled_prices import map_price, prefix_price, snapshot_price
from orchestrator.catalog.catalog import ProviderKind
from orchestrator.config.loader import embedded_path, load_config

TODAY = date(2026, 11, 23)
KEYS = {"OPENROUTER_API_KEY": "a", "GEMINI_API_KEY": "b", "OPENAI_API_KEY": "c"}
DIRECT = [
    deployment
    for deployment in load_config(embedded_path(), today=TODAY, environment=KEYS).catalog.deployments.values()
    if deployment.provider.kind in {ProviderKind.GOOGLE, ProviderKind.OPENAI}
]


@pytest.mark.parametrize("deployment", DIRECT, ids=[deployment.name for deployment in DIRECT])
def test_litellms_map_and_the_snapshot_agree_on_the_shipped_models(deployment):
    """Two sources that were collected by different people say the same of input, output and tiers."""
    mapped, taken = (
        source(deployment.provider.kind, deployment.upstream, today=TODAY)
        for source in (map_price, snapshot_price)
    )
    if mapped is None:
        assert deployment.upstream == "gpt-6.1-terra", "the map is older than this model"
        return
    assert (mapped.input, mapped.output, mapped.cached_input) == (
        taken.input,
        taken.output,
        taken.cached_input,
    )
    assert [tier.above_input_tokens for tier in mapped.tiers] == [
        tier.above_input_tokens for tier in taken.tiers
    ]


def test_the_map_knows_tiers_and_batches():
    price = map_price(ProviderKind.OPENAI, "gpt-6.1-sol", today=TODAY)
    (tier,) = price.tiers
    assert (tier.above_input_tokens, tier.input, tier.output) == (272_000, 4_000_000_000, 15_000_000_000)
    assert price.batch_percent == 5000
    assert price.version.startswith("LiteLLM ")


@pytest.mark.parametrize(
    ("kind", "upstream"),
    [
        (ProviderKind.OPENROUTER, "openai/gpt-6.1-sol"),  # the map has no OpenRouter entry
        (ProviderKind.OPENAI, "gemini/gemini-4-argon"),  # a name of another provider
        (ProviderKind.OPENAI, "sample_spec"),
        (ProviderKind.OPENAI, "gpt-99-invented"),
        (ProviderKind.LOCAL, "gpt-6.1-sol"),
    ],
)
def test_what_the_map_does_not_know_has_no_price(kind, upstream):
    assert map_price(kind, upstream, today=TODAY) is None


def test_a_fee_for_each_request_is_no_price_in_tokens():
    assert prefix_price("perplexity", "sonar-small-online", today=TODAY) is None
    assert prefix_price("perplexity", "sonar-small-chat", today=TODAY) is not None


@pytest.mark.parametrize("prefix", ["dashscope", "qwencloud"])
def test_thought_and_video_that_cost_more_than_words_count_as_output(prefix):
    """Where a model thinks, all that it writes has that price; a price has one rate for both."""
    assert prefix_price(prefix, "qwen-turbo", today=TODAY, address="http://127.0.0.1").output == 500_000_000
    for source in (snapshot_price, map_price):
        price = source(ProviderKind.GOOGLE, "gemini-omni-flash-preview", today=TODAY)
        assert price.output == 17_500_000_000


def test_what_charges_by_anything_but_tokens_has_no_price_in_them():
    for source in (snapshot_price, map_price):
        assert source(ProviderKind.GOOGLE, "lyria-3-clip-preview", today=TODAY) is None, "by the piece"
    for deployment in ("model-router", "model_router"):
        price = prefix_price("azure_ai", deployment, today=TODAY, address="http://127.0.0.1")
        assert price is None, "the model that it chooses is billed beside it"


def test_the_name_of_a_deployment_in_azure_has_no_price():
    """It is the customer's own, and its class (global, data zone, region) is not in it: the file states it."""
    for prefix, host in (("azure", "ours.openai.azure.com"), ("azure_ai", "ours.services.ai.azure.com")):
        assert prefix_price(prefix, "gpt-4o", today=TODAY, address=f"https://{host}") is None
    assert prefix_price("azure", "gpt-4o", today=TODAY, address="http://127.0.0.1:1") is not None


def test_reading_the_map_does_not_load_litellm():
    code = (
        "import sys; from datetime import date; from orchestrator.catalog.bundled_prices import map_price;"
        "from orchestrator.catalog.catalog import ProviderKind as K;"
        "assert map_price(K.OPENAI, 'gpt-6.1-sol', today=date(2026, 11, 23));"
        "sys.exit('litellm' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=300).returncode == 0
