"""What leads a configuration to practice providers leads all of it, or says what is in the way."""

import pytest
import yaml

from orchestrator.config.loader import embedded_path, load_config
from orchestrator.drill.practice_config import (
    practice_prices,
    practised_providers,
    prices_at_practice,
    rehearsed_config,
)
from orchestrator.practice import PracticeServer
from tests.conftest import TODAY
from tests.support.prefixed import prefixed

SIGNED = {
    "kind": "litellm",
    "prefix": "bedrock",
    "priority": 9,
    "parameters": {
        "aws_region_name": "us-east-1",
        "aws_access_key_id": "${AWS_ID:-}",
        "aws_secret_access_key": "${AWS_SECRET:-}",
    },
}


def test_each_provider_says_its_address_its_variables_and_what_has_to_be_written(
    make_config, practice: PracticeServer, tmp_path
):
    changes = prefixed(practice, providers={"deepseek": {"api_key": "${DEEPSEEK_KEY:-}"}})
    changes["providers"]["vertex_ai"]["parameters"]["vertex_credentials"] = "${VERTEX_JSON:-}"
    changes["providers"]["signed"] = SIGNED
    changes["providers"]["openai"] = {"enabled": False}
    make_config(changes, DEEPSEEK_KEY="k")
    found = {
        each.name: each
        for each in practised_providers(tmp_path / "config.yaml", practice, today=TODAY, key="k1")
    }
    names = ["openrouter", "google", "anthropic", "azure", "bedrock", "vertex_ai", "deepseek", "signed"]
    assert list(found) == names
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
    assert found["vertex_ai"].base_url == practice.url
    assert found["vertex_ai"].exports == {"VERTEX_JSON": practice.vertex_credentials("k1")}
    assert found["signed"].played_by == "bedrock"
    assert found["signed"].exports == {"AWS_ID": "k1", "AWS_SECRET": "k1"}


@pytest.fixture
def own_config(tmp_path):
    """A configuration with addresses, keys, a ledger and a channel that no variable leads elsewhere."""
    secret = tmp_path / "key"
    secret.write_text("sk-ant-real", encoding="utf-8")
    data = yaml.safe_load(embedded_path().read_text(encoding="utf-8"))
    litellm = {"kind": "litellm", "priority": 2}
    data["providers"] |= {
        "anthropic": {**litellm, "prefix": "anthropic", "api_key": f"${{file:{secret}}}"},
        "azure": {
            **litellm,
            "prefix": "azure",
            "base_url": "https://ours.openai.azure.com",
            "api_key": "${AZURE_OPENAI_KEY:-real}",
            "parameters": {"azure_ad_token": "real", "api_version": "2024-10-21"},
        },
        "deepseek": {
            **litellm,
            "prefix": "deepseek",
            "base_url": "${DEEPSEEK_BASE_URL:-https://api.deepseek.com}",
            "api_key": "${OUR_KEY_THAT_IS_NOT_SET}",
        },
        "bedrock": {
            **litellm,
            "prefix": "bedrock",
            "api_key": "real",
            "parameters": {"aws_region_name": "eu-central-1", "aws_session_token": "real"},
        },
        "vertex": {
            **litellm,
            "prefix": "vertex_ai",
            "parameters": {
                "vertex_project": "p",
                "vertex_location": "global",
                "vertex_credentials": f"${{file:{secret}}}",
            },
        },
    }
    data["ledger"]["path"] = str(tmp_path / "real-ledger.sqlite3")
    data["alerts"] = {"channels": {"ops": {"kind": "webhook", "url": "https://pager.example.com/hook"}}}
    data["telemetry"] = {"otlp_endpoint": "http://collector.example.com:4318"}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path


REGIONAL = {
    "providers": {"openai": {"base_url": "${OPENAI_BASE_URL:-https://eu.api.openai.com/v1}"}},
    "deployments": {"openai/gpt-6-luna": {"price": None}},
}
FOREIGN = {
    "providers": {"openai": {"base_url": "https://api.deepseek.com/v1"}},
    "deployments": {"openai/gpt-6-luna": {"price": None, "upstream": "deepseek-v4-pro"}},
}


@pytest.mark.parametrize("changes", [REGIONAL, FOREIGN])
def test_both_sides_of_a_rehearsal_have_the_price_of_the_providers_own_address(
    make_config, tmp_path, changes
):
    price = make_config(changes, OPENAI_BASE_URL="").catalog.price_of("openai/gpt-6-luna")
    path = tmp_path / "config.yaml"
    charged = practice_prices(path, today=TODAY)[
        "openai", changes["deployments"]["openai/gpt-6-luna"].get("upstream", "gpt-6-luna")
    ]
    (tmp_path / "home").mkdir()
    with PracticeServer() as server:
        config = rehearsed_config(path, server, home=tmp_path / "home", today=TODAY)
    booked = config.catalog.price_of("openai/gpt-6-luna")
    assert booked == price
    assert (booked.input, booked.output) == (charged.input, charged.output)


def test_practice_providers_of_their_own_charge_what_a_program_led_to_them_books(make_config, tmp_path):
    make_config(REGIONAL)
    path = tmp_path / "config.yaml"
    charged = prices_at_practice(path, today=TODAY)["openai", "gpt-6-luna"]
    led = load_config(
        path,
        today=TODAY,
        environment={"OPENAI_BASE_URL": "http://127.0.0.1:8399/openai/v1", "OPENAI_API_KEY": "k"},
    )
    booked = led.catalog.price_of("openai/gpt-6-luna")
    assert (booked.input, booked.output) == (charged.input, charged.output)
    assert charged.input * 11 // 10 == practice_prices(path, today=TODAY)["openai", "gpt-6-luna"].input


def test_a_rehearsal_reaches_no_provider_no_channel_and_no_file_of_the_configuration(own_config, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with PracticeServer() as server:
        config = rehearsed_config(own_config, server, home=home, today=TODAY)
        for provider in config.settings.providers.values():
            if provider.enabled and provider.kind != "local":
                assert f"{provider.base_url}/".startswith(f"{server.url}/")
                assert provider.api_key is not None
                assert provider.api_key.get_secret_value() == "practice"
        credentials = config.settings.providers["vertex"].parameters.vertex_credentials
        assert credentials is not None
        assert credentials.get_secret_value() == server.vertex_credentials()
    settings = config.settings
    assert settings.providers["azure"].parameters.azure_ad_token is None
    assert settings.providers["bedrock"].parameters.aws_session_token is None
    kept = (settings.ledger.path, settings.cache.path, settings.idempotency.path, settings.alerts.path)
    assert all(str(path).startswith(str(home)) for path in kept)
    assert (settings.alerts.channels, settings.telemetry.otlp_endpoint) == ({}, None)
    assert config.path == own_config
