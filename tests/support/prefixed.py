"""Providers of kind litellm in front of the practice providers: Anthropic, Azure, and DeepSeek for all the rest."""

from collections.abc import Mapping
from typing import Any

from orchestrator.catalog.bundled_prices import prefix_price
from orchestrator.practice import PracticePrice, PracticeServer
from tests.conftest import TODAY

CLAUDE = "anthropic/claude-haiku-4-5"
AZURE = "azure/our-gpt"
DEEPSEEK = "deepseek/deepseek-chat"
PRACTICED = {CLAUDE: "anthropic", AZURE: "azure", DEEPSEEK: "compatible"}
"""Each deployment, and the practice provider that plays its vendor."""
UPSTREAMS = {CLAUDE: "claude-haiku-4-5", AZURE: "gpt-4o", DEEPSEEK: "deepseek-chat"}
KEY = "practice-key"


def prefixed_prices() -> dict[tuple[str, str], PracticePrice]:
    """What LiteLLM's map says that the models cost."""
    prices = {}
    for name, provider in PRACTICED.items():
        price = prefix_price(name.partition("/")[0], UPSTREAMS[name], today=TODAY, address="http://127.0.0.1")
        assert price is not None
        prices[provider, UPSTREAMS[name]] = PracticePrice(
            price.input, price.output, price.cached_input, price.cache_write
        )
    return prices


def prefixed_server(**settings: Any) -> PracticeServer:
    models = {provider: (UPSTREAMS[name],) for name, provider in PRACTICED.items()}
    return PracticeServer(prices=prefixed_prices(), models=models, api_keys={KEY}, **settings)


def prefixed(
    server: PracticeServer, *route: str, providers: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Changes of the shipped configuration: the three providers, and customer service goes along `route`."""
    settings: dict[str, Any] = {
        prefix: {
            "kind": "litellm",
            "prefix": prefix,
            "priority": 1,
            "api_key": KEY,
            "base_url": server.base_url(PRACTICED[name]),
            "requests_per_min": 1_000_000,
            "tokens_per_min": 1_000_000_000,
            **((providers or {}).get(prefix) or {}),
        }
        for name in PRACTICED
        for prefix in (name.partition("/")[0],)
    }
    settings["azure"].setdefault("parameters", {"api_version": "2024-10-21"})
    model = {
        "vendor": "Practice",
        "tier": "premium",
        "context_tokens": 128_000,
        "max_output_tokens": 16_000,
        "capabilities": ["tools", "structured_output", "json_mode", "streaming", "reasoning"],
        "languages": ["vi", "en"],
        "quality": {"customer_service": 0.9},
        "quality_source": "tests",
        "speed_tokens_per_s": 80,
    }
    deployments = {
        name: {"provider": name.partition("/")[0], "model": f"m-{name}", "upstream": UPSTREAMS[name]}
        for name in PRACTICED
    }
    changes: dict[str, Any] = {
        "providers": settings,
        "models": {f"m-{name}": model for name in PRACTICED},
        "deployments": deployments,
    }
    if route:
        first, *others = route
        changes["use_cases"] = {
            "customer_service": {
                "primary": {"deployment": first, "reason": "first"},
                "fallbacks": [{"deployment": name, "reason": "next"} for name in others],
            }
        }
    return changes
