"""What OpenRouter alone is told with a request."""

from typing import Any

from orchestrator.catalog.openrouter_preferences import NO_PREFERENCES, OpenRouterPreferences
from orchestrator.catalog.rates import Rates
from orchestrator.core.money import to_usd

NOT_OFFERED = "model_not_found, or by no host at its listed price; 'orchestrator prices diff' tells"
"""What a 404 there means."""

ROUTER_PREFIX = "openrouter/"
"""Of models that are none, but choose one: `openrouter/auto`."""
TOKENS_ONLY = (
    {"id": "web", "enabled": False},
    {"id": "file-parser", "pdf": {"engine": "native"}},
)
"""No search, and a PDF is read by the model itself: the account's defaults may say otherwise, and without
an engine a model that reads none gets it from an OCR that is billed by the page. A default with "Prevent
overrides" is stronger than a request: https://openrouter.ai/docs/guides/features/plugins/overview."""


def token_costs_only(rates: Rates, preferences: OpenRouterPreferences = NO_PREFERENCES) -> dict[str, Any]:
    """Return, for the body, what keeps OpenRouter from charging more than `rates`, or for more than tokens.

    `preferences` say which of its hosts may serve.

    A model has many hosts there, at prices of their own, and money is held at the listed one. In dollars
    per million tokens: https://openrouter.ai/docs/features/provider-routing.
    """
    # Some hosts take a fee for each request; the listed price of a model that may be asked has none.
    dollars = {"prompt": float(to_usd(rates.input)), "completion": float(to_usd(rates.output)), "request": 0}
    provider = {**preferences.as_wire(), "max_price": dollars}
    return {"provider": provider, "plugins": [dict(plugin) for plugin in TOKENS_ONLY]}
