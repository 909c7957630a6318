"""What OpenRouter alone is told with a request."""

from typing import Any

from orchestrator.catalog.rates import Rates
from orchestrator.core.money import to_usd

NOT_OFFERED = "model_not_found, or by no host at its listed price; 'orchestrator prices diff' tells"
"""What a 404 there means."""


def max_price(rates: Rates) -> dict[str, Any]:
    """Return the preference that keeps OpenRouter from hosts that charge more than `rates`, for the body.

    A model has many hosts there, at prices of their own, and money is held at the listed one. In dollars
    per million tokens: https://openrouter.ai/docs/features/provider-routing.
    """
    dollars = {"prompt": float(to_usd(rates.input)), "completion": float(to_usd(rates.output))}
    return {"provider": {"max_price": dollars}}
