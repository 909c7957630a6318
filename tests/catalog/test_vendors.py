"""A model costs what the vendor at its address asks, never what another vendor asks for the same name."""

from datetime import date

import pytest

from orchestrator.catalog.bundled_prices import map_price, prefix_price, snapshot_price
from orchestrator.catalog.catalog import ProviderKind, ProviderSettings
from orchestrator.catalog.price_book import Origin, PriceBook, PriceQuery, PricesSettings
from orchestrator.catalog.vendors import (
    is_of_this_machine,
    is_openai_host,
    openai_region,
    same_vendor,
    vendors_at,
)
from orchestrator.core.errors import ConfigError

TODAY = date(2026, 11, 23)
OPENAI = ProviderKind.OPENAI


@pytest.mark.parametrize(
    ("address", "vendor"),
    [
        (None, "openai"),
        ("", "openai"),
        ("https://api.openai.com/v1", "openai"),
        ("https://api.openai.com", "openai"),
        ("https://API.OpenAI.com/v1/", "openai"),
        ("https://api.openai.com:443/v1", "openai"),
        ("http://127.0.0.1:8080/v1", "openai"),
        ("http://localhost:4000", "openai"),
        ("http://[::1]:4000/v1", "openai"),
        ("https://api.deepseek.com/v1", "deepseek"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://api.moonshot.ai/v1", "moonshotai"),
        ("https://router.huggingface.co/groq/v1", "huggingface_groq"),
        ("https://crm.openai.azure.com/openai/v1", "azure"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://api.openai.com.example.net/v1", None),
        ("https://example.net/https://api.openai.com/v1", None),
        ("https://example.net/a.googleapis.com", None),
        ("https://localhost.example.net/v1", None),
        ("https://llm.example.net/v1", None),
        ("http://10.0.0.7:8000/v1", None),
        ("no address", None),
    ],
)
def test_an_address_says_who_bills(address, vendor):
    assert (vendors_at(OPENAI, address) or (None,))[0] == vendor


def test_every_kind_is_asked_by_its_address():
    assert vendors_at(ProviderKind.GOOGLE, "https://generativelanguage.googleapis.com/v1beta") == ("google",)
    assert vendors_at(ProviderKind.GOOGLE, "https://gateway.example.net/v1beta") == ()
    assert vendors_at(ProviderKind.OPENROUTER, "https://openrouter.ai/api/v1") == ("openrouter",)
    assert vendors_at(ProviderKind.LOCAL, "http://127.0.0.1:1") == ()


def test_this_machine_is_told_by_its_address_alone():
    assert is_of_this_machine("http://127.9.9.9/v1")
    assert not is_of_this_machine("http://0.0.0.0/v1")
    assert not is_of_this_machine(None)


def test_two_addresses_may_be_of_one_vendor():
    assert same_vendor(OPENAI, None, "https://api.openai.com/v1")
    assert same_vendor(OPENAI, "https://llm.example.net/v1", "https://llm.example.net/v1")
    assert not same_vendor(OPENAI, "https://api.openai.com/v1", "https://api.deepseek.com/v1")
    assert not same_vendor(OPENAI, "https://llm.example.net/v1", "https://other.example.net/v1")


def test_no_source_gives_openais_price_at_another_address(tmp_path):
    book = PriceBook(PricesSettings(path=str(tmp_path / "none.json")), today=TODAY)
    for address in ("https://llm.example.net/v1", "https://api.deepseek.com/v1"):
        assert snapshot_price(OPENAI, "gpt-6.1-sol", today=TODAY, address=address) is None
        assert map_price(OPENAI, "gpt-6.1-sol", today=TODAY, address=address) is None
        assert book.quote(PriceQuery(OPENAI, "gpt-6.1-sol", address), None) is None
    assert book.quote(PriceQuery(OPENAI, "gpt-6.1-sol"), None).origin is Origin.SNAPSHOT


def test_the_vendors_own_price_counts_and_at_the_dearest_hour():
    """DeepSeek has other prices in the night; noon is among the cheap hours of this model."""
    address = "https://api.deepseek.com/v1"
    price = snapshot_price(OPENAI, "deepseek-v4-pro", today=TODAY, address=address)
    assert price.source.endswith(", deepseek")
    assert (price.input, price.output, price.cached_input) == (1_320_000_000, 3_960_000_000, 44_000_000)


@pytest.mark.parametrize(
    ("address", "upstream", "says"),
    [
        (
            "https://llm.example.net/v1",
            "gpt-6-luna",
            "knows 'gpt-6-luna' at an address that is no known vendor's",
        ),
        ("https://api.deepseek.com/v1", "gpt-6-luna", "knows 'gpt-6-luna' of deepseek, whose address it is"),
    ],
)
def test_a_deployment_at_another_vendors_address_needs_that_vendors_price(
    make_config, address, upstream, says
):
    changes = {
        "providers": {"openai": {"base_url": address}},
        "deployments": {"openai/gpt-6-luna": {"price": None, "upstream": upstream}},
    }
    with pytest.raises(ConfigError, match=f"'openai/gpt-6-luna' has no price, .* {says}; add 'price:"):
        make_config(changes)
    changes["deployments"]["openai/gpt-6-luna"]["price"] = {
        "input": 1, "output": 2, "source": "their page", "date": "2026-11-23",
    }  # fmt: skip
    assert make_config(changes).catalog.price_of("openai/gpt-6-luna").output == 2_000_000_000


def test_a_deployment_without_a_price_takes_that_of_the_vendor_at_its_address(make_config):
    changes = {
        "providers": {"openai": {"base_url": "https://api.deepseek.com/v1"}},
        "deployments": {"openai/gpt-6-luna": {"price": None, "upstream": "deepseek-v4-pro"}},
    }
    assert make_config(changes).catalog.price_of("openai/gpt-6-luna").source.endswith(", deepseek")


def test_a_region_of_openais_has_the_price_with_the_surcharge_that_the_map_states_or_none(tmp_path):
    book = PriceBook(PricesSettings(path=str(tmp_path / "none.json")), today=TODAY)
    world = map_price(OPENAI, "gpt-6-luna", today=TODAY)
    for region in ("eu", "us"):
        there = book.quote(PriceQuery(OPENAI, "gpt-6-luna", f"https://{region}.api.openai.com/v1"), None)
        assert there.origin is Origin.MAP
        assert (there.price.input, there.price.output) == (world.input * 11 // 10, world.output * 11 // 10)
        assert there.price.tiers[0].output == world.tiers[0].output * 11 // 10
        assert "1.1 times in a region" in there.price.version
    for unknown in (
        PriceQuery(OPENAI, "gpt-6-luna", "https://in.api.openai.com/v1"),
        PriceQuery(OPENAI, "gpt-4o-2024-05-13", "https://eu.api.openai.com/v1"),
        PriceQuery(OPENAI, "gpt-6-luna", "https://eu.api.openai.com.example.net/v1"),
        *(
            PriceQuery(ProviderKind.GOOGLE, "gemini-3.8-flash", f"https://{place}")
            for place in (
                "europe-west4-aiplatform.googleapis.com/v1",
                "aiplatform.eu.rep.googleapis.com/v1",
                "generativelanguage.us.rep.googleapis.com/v1beta",
                "aiplatform.googleapis.com/v1/projects/p/locations/us-central1",
            )
        ),
    ):
        assert book.quote(unknown, None) is None


def test_a_region_is_openai_itself():
    for address in ("https://api.openai.com/v1", "https://EU.api.openai.com./v1"):
        assert is_openai_host(address)
    for address in (None, "https://llm.example.net/v1", "https://api.openai.com.example.net/v1"):
        assert not is_openai_host(address)
    assert openai_region("https://eu.api.openai.com/v1") == "eu"
    assert openai_region("https://api.openai.com/v1") is None


WORLD = (
    None,
    "https://aiplatform.googleapis.com",
    "https://AIPlatform.googleapis.com/v1/projects/p/locations/global",
)
REGIONAL = (
    "https://europe-west4-aiplatform.googleapis.com",
    "https://aiplatform.eu.rep.googleapis.com",
    "https://aiplatform.googleapis.com/v1/projects/p/locations/us-central1",
    "https://ours.p.googleapis.com",
)


@pytest.mark.parametrize(
    ("location", "address", "is_dearer"),
    [
        *(("global", address, False) for address in WORLD),
        *(("global", address, True) for address in REGIONAL),
        *(("europe-west4", address, True) for address in (*WORLD, *REGIONAL)),
    ],
)
def test_a_region_of_vertex_ai_costs_more_than_the_world_by_its_location_or_its_address(
    location, address, is_dearer
):
    world = prefix_price("vertex_ai", "gemini-3.8-flash", today=TODAY, region="global")
    there = prefix_price("vertex_ai", "gemini-3.8-flash", today=TODAY, region=location, address=address)
    times = 11 if is_dearer else 10
    assert (there.input, there.output) == (world.input * times // 10, world.output * times // 10)


@pytest.mark.parametrize(
    ("region", "address", "usd_per_mtok"),
    [
        ("us-east-1", None, "0.5"),
        ("eu-west-2", None, "0.78"),
        ("EU-West-2 ", None, "0.78"),
        ("us-east-1", "https://bedrock-runtime.eu-west-2.amazonaws.com", "0.78"),
        # The map knows no price there, and eu-west-2 is the dearest that it knows.
        ("me-central-1", None, "0.78"),
        (None, None, "0.78"),
    ],
)
def test_bedrock_costs_what_its_region_does(region, address, usd_per_mtok):
    price = prefix_price("bedrock", "qwen.qwen3-coder-next", today=TODAY, region=region, address=address)
    assert price.input == round(float(usd_per_mtok) * 10**9)


def test_a_model_that_costs_the_same_in_all_of_bedrock_has_its_one_price():
    for upstream in ("eu.anthropic.claude-sonnet-5", "anthropic.claude-opus-4-5-20251101-v1:0"):
        anywhere = prefix_price("bedrock", upstream, today=TODAY, region="eu-central-1")
        assert anywhere == prefix_price("bedrock", upstream, today=TODAY)


def test_a_provider_of_bedrock_is_asked_for_by_its_region():
    provider = ProviderSettings.model_validate(
        {
            "kind": "litellm", "prefix": "bedrock", "priority": 1, "api_key": "k",
            "requests_per_min": 1, "tokens_per_min": 1, "parameters": {"aws_region_name": "sa-east-1"},
        }
    )  # fmt: skip
    assert PriceQuery.at(provider, "qwen.qwen3-coder-next").region == "sa-east-1"
