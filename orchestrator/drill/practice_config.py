"""Practice providers for a configuration: its models at its prices, and the environment that leads to them.

Both sides have the same prices, so a ledger can be compared with a bill to the last nano-dollar.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from orchestrator.config.loader import Config, load_config
from orchestrator.config.yaml_file import read_document
from orchestrator.practice import PracticePrice, PracticeServer
from orchestrator.providers.in_memory import practice_provider

PRACTICE_KEY = "practice"
"""The key of practice providers; it is valid nowhere else."""

_KEYS = ("OPENROUTER_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY")
_ADDRESSES = {"OPENROUTER_BASE_URL": "openrouter", "GOOGLE_BASE_URL": "google", "OPENAI_BASE_URL": "openai"}


def practice_prices(
    path: Path, *, today: date, environment: Mapping[str, str] | None = None
) -> dict[tuple[str, str], PracticePrice]:
    """Return what every deployment of a configuration charges today, by provider and upstream model.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    with_keys = {**(environment or {}), **dict.fromkeys(_KEYS, PRACTICE_KEY)}
    mentioned = read_document(path, environment=with_keys).mentioned
    for place, names in mentioned.items():
        if place[:1] == ("providers",) and place[2:] == ("api_key",):
            with_keys |= {name: PRACTICE_KEY for name in names if not name.startswith("file:")}
    return prices_of(load_config(path, today=today, environment=with_keys), today=today)


def prices_of(config: Config, *, today: date) -> dict[tuple[str, str], PracticePrice]:
    """Return what each usable deployment of a configuration charges on a day, as `practice_prices`."""
    prices = {}
    for deployment in config.catalog.usable.values():
        if not deployment.is_local:
            price = deployment.price.on(today)
            name = practice_provider(deployment.provider.kind, deployment.provider.prefix)
            prices[name, deployment.upstream] = PracticePrice(
                price.input, price.output, price.cached_input, price.cache_write
            )
    return prices


def practice_models(prices: Mapping[tuple[str, str], PracticePrice]) -> dict[str, tuple[str, ...]]:
    """Return the priced models of each provider; practice providers refuse all others, as real ones do."""
    providers = {provider for provider, _ in prices}
    return {provider: tuple(model for owner, model in prices if owner == provider) for provider in providers}


def addresses(server: PracticeServer, *, key: str = PRACTICE_KEY) -> dict[str, str]:
    """Return the environment variables with which the shipped config.yaml leads to a practice server."""
    bases = {variable: server.base_url(provider) for variable, provider in _ADDRESSES.items()}
    return {**bases, **dict.fromkeys(_KEYS, key)}
