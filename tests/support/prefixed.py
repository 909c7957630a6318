"""Providers of kind litellm in front of the practice providers: each wire of its own, DeepSeek for the rest."""

from collections.abc import Mapping
from typing import Any

from orchestrator.catalog.bundled_prices import prefix_price
from orchestrator.practice import PracticePrice, PracticeServer
from tests.conftest import TODAY

CLAUDE = "anthropic/claude-haiku-4-5"
AZURE = "azure/our-gpt"
DEEPSEEK = "deepseek/deepseek-chat"
BEDROCK = "bedrock/claude"
VERTEX = "vertex_ai/gemini"
VERTEX_CLAUDE = "vertex_ai/claude"
PRACTICED = {
    CLAUDE: "anthropic",
    AZURE: "azure",
    BEDROCK: "bedrock",
    VERTEX: "vertex_ai",
    VERTEX_CLAUDE: "vertex_ai",
    DEEPSEEK: "compatible",
}
"""Each deployment, and the practice provider that plays its vendor."""
UPSTREAMS = {
    CLAUDE: "claude-haiku-4-5",
    AZURE: "gpt-4o",
    BEDROCK: "anthropic.claude-haiku-4-5-20251001-v1:0",
    VERTEX: "gemini-2.5-flash",
    VERTEX_CLAUDE: "claude-haiku-4-5",
    DEEPSEEK: "deepseek-chat",
}
KEY = "practice-key"
_LOCAL = "http://127.0.0.1"
_REGIONS = {"bedrock": "eu-central-1", "vertex_ai": "europe-west4"}


def prefixed_prices() -> dict[tuple[str, str], PracticePrice]:
    """What LiteLLM's map says that the models cost."""
    prices = {}
    for name, provider in PRACTICED.items():
        prefix = name.partition("/")[0]
        price = prefix_price(
            prefix, UPSTREAMS[name], today=TODAY, address=_LOCAL, region=_REGIONS.get(prefix)
        )
        assert price is not None
        prices[provider, UPSTREAMS[name]] = PracticePrice(
            price.input, price.output, price.cached_input, price.cache_write
        )
    return prices


def prefixed_server(**settings: Any) -> PracticeServer:
    models = {
        provider: tuple(UPSTREAMS[name] for name, owner in PRACTICED.items() if owner == provider)
        for provider in PRACTICED.values()
    }
    return PracticeServer(prices=prefixed_prices(), models=models, api_keys={KEY}, **settings)


def _parameters(server: PracticeServer) -> dict[str, dict[str, str]]:
    place = {"vertex_project": "our-project", "vertex_location": _REGIONS["vertex_ai"]}
    return {
        "azure": {"api_version": "2024-10-21"},
        "bedrock": {"aws_region_name": _REGIONS["bedrock"]},
        "vertex_ai": {**place, "vertex_credentials": server.vertex_credentials(KEY)},
    }


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
    for prefix, parameters in _parameters(server).items():
        settings[prefix].setdefault("parameters", parameters)
    del settings["vertex_ai"]["api_key"]
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
