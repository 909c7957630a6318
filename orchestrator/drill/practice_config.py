"""Practice providers for a configuration: its models at its prices, and the environment that leads to them.

Both sides have the same prices, so a ledger can be compared with a bill to the last nano-dollar.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.catalog.catalog import Deployment, ProviderKind, ProviderSettings
from orchestrator.catalog.vendors import openai_region
from orchestrator.config.loader import Config, load_config
from orchestrator.config.placeholder_keys import with_placeholder_keys
from orchestrator.config.policy_files import read_whole
from orchestrator.config.secret_files import FILE_MARK
from orchestrator.config.yaml_file import read_document, written
from orchestrator.practice import PracticePrice, PracticeServer
from orchestrator.practice.wire_vertex import vertex_credentials
from orchestrator.providers.in_memory import practice_provider

PRACTICE_KEY = "practice"
"""The key of practice providers; it is valid nowhere else."""

_REAL_CREDENTIALS = (
    *("azure_ad_token", "aws_access_key_id", "aws_secret_access_key", "aws_session_token"),
    "vertex_credentials",
)
"""Parameters of a provider that would be sent in the place of the practice key."""
_TAKEN_OVER = {"input": 0, "output": 0, "source": "taken over", "date": "2000-01-01"}
_KEYS = ("OPENROUTER_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY")
_ADDRESSES = {"OPENROUTER_BASE_URL": "openrouter", "GOOGLE_BASE_URL": "google", "OPENAI_BASE_URL": "openai"}


def practice_prices(
    path: Path, *, today: date, environment: Mapping[str, str] | None = None
) -> dict[tuple[str, str], PracticePrice]:
    """Return what every deployment of a configuration charges today, by provider and upstream model.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    return prices_of(as_written(path, today=today, environment=environment), today=today)


def as_written(path: Path, *, today: date, environment: Mapping[str, str] | None = None) -> Config:
    """Return a configuration with its own addresses, and so with the prices that count there; no key is read.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    with_keys = with_placeholder_keys(path, environment or {}, replace=True)
    return load_config(path, today=today, environment=with_keys)


def prices_at_practice(
    path: Path, *, today: date, environment: Mapping[str, str] | None = None
) -> dict[tuple[str, str], PracticePrice]:
    """Return what a program books whose configuration is led to practice providers, as `practice_prices`.

    A region of OpenAI's costs more, and this machine is in none.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    with_keys = with_placeholder_keys(path, environment or {}, replace=True)
    data: dict[str, Any] = read_whole(path, environment=with_keys)[0].data
    load_config(path, today=today, environment=with_keys)  # a mistake is told by its line in the user's file
    for provider in data["providers"].values():
        if openai_region(provider.get("base_url")) is not None:
            provider["base_url"] = "http://127.0.0.1"
    with TemporaryDirectory(prefix="practice-prices-", ignore_cleanup_errors=True) as folder:
        led = Path(folder) / path.name
        led.write_text(written(data), encoding="utf-8")
        return prices_of(load_config(led, today=today, environment=with_keys), today=today)


def at_prices_of(config: Config, original: Config) -> Config:
    """Return a configuration that was led to practice providers at the prices of its original."""
    known, catalog = original.catalog.usable, config.catalog

    def priced(deployments: Mapping[str, Deployment]) -> dict[str, Deployment]:
        return {
            name: replace(each, price=known[name].price) if name in known else each
            for name, each in deployments.items()
        }

    deployments, embeddings = priced(catalog.deployments), priced(catalog.embeddings)
    return replace(config, catalog=replace(catalog, deployments=deployments, embeddings=embeddings))


@dataclass(frozen=True, slots=True)
class Practised:
    """A provider of a configuration, and how a program with that configuration comes to who plays it."""

    name: str
    played_by: str
    """The practice provider."""
    base_url: str
    exports: Mapping[str, str]
    """Variables that config.yaml takes its address and key from, with what leads to the practice provider."""
    has_to_write: tuple[str, ...]
    """Its keys in config.yaml that name no variable: what is to be written there."""


def practised_providers(
    path: Path, server: PracticeServer, *, today: date, key: str = PRACTICE_KEY
) -> tuple[Practised, ...]:
    """Return every provider of a configuration that is reached over a network, in its order.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    environment = with_placeholder_keys(path, {}, replace=True)
    mentioned = read_document(path, environment=environment).mentioned
    settings = load_config(path, today=today, environment=environment).settings
    return tuple(
        _practised(name, provider, server, key=key, mentioned=mentioned)
        for name, provider in settings.providers.items()
        if provider.kind is not ProviderKind.LOCAL and provider.enabled
    )


def _practised(
    name: str,
    provider: ProviderSettings,
    server: PracticeServer,
    *,
    key: str,
    mentioned: Mapping[tuple[Any, ...], tuple[str, ...]],
) -> Practised:
    played = practice_provider(provider.kind, provider.prefix)
    exports: dict[str, str] = {}
    has_to_write: list[str] = []
    values = {"base_url": server.base_url(played), **_credentials(provider, server, key)}
    for field, value in values.items():
        place = ("providers", name, *field.split("."))
        variables = [each for each in mentioned.get(place, ()) if not each.startswith(FILE_MARK)]
        exports |= dict.fromkeys(variables[:1], value)
        has_to_write += [] if variables else [f"{field}: {value}"]
    return Practised(name, played, values["base_url"], exports, tuple(has_to_write))


def _credentials(provider: ProviderSettings, server: PracticeServer, key: str) -> dict[str, str]:
    """Return what a provider shows practice in the place of what it shows its vendor, by its place."""
    if provider.prefix == "vertex_ai":
        return {"parameters.vertex_credentials": server.vertex_credentials(key)}
    if provider.prefix == "bedrock" and provider.api_key is None:
        return {f"parameters.{name}": key for name in ("aws_access_key_id", "aws_secret_access_key")}
    return {"api_key": key}


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


def lead_to_practice(data: dict[str, Any], address_of: Callable[[str, str], str]) -> None:
    """Write the address and the key of practice providers over those of a configuration.

    The model on board stays. `address_of` takes a provider's name and who plays it. The other addresses would
    have other prices, or none that anybody knows: `at_prices_of` takes those of before.
    """
    for deployment in data["deployments"].values():
        if not deployment.get("price"):
            deployment["price"] = dict(_TAKEN_OVER)
    for name, provider in data["providers"].items():
        if provider["kind"] == ProviderKind.LOCAL.value or provider.get("enabled") is False:
            continue
        parameters = provider.get("parameters") or {}
        for real in _REAL_CREDENTIALS:
            parameters.pop(real, None)
        played = practice_provider(provider["kind"], provider.get("prefix"))
        address = address_of(name, played)
        provider.update(api_key=PRACTICE_KEY, base_url=address)
        if provider.get("prefix") == "vertex_ai":
            parameters["vertex_credentials"] = vertex_credentials(address, PRACTICE_KEY)


def rehearsed_config(path: Path, server: PracticeServer, *, home: Path, today: date) -> Config:
    """Return a configuration that asks one practice server alone, and keeps all that it keeps in `home`.

    It tells nobody: no channel of an alert and no collector is in it.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    environment = with_placeholder_keys(path, {"ORCHESTRATOR_HOME": str(home)}, replace=True)
    data: dict[str, Any] = read_whole(path, environment=environment)[0].data
    # A mistake is told by its line in the user's file.
    original = load_config(path, today=today, environment=environment)
    lead_to_practice(data, lambda _name, played: server.base_url(played))
    for part, place in (("ledger", "ledger.sqlite3"), ("cache", "cache"), ("idempotency", "replies")):
        data[part] = {**(data.get(part) or {}), "path": str(home / place)}
    data |= {"alerts": {"path": str(home / "alerts")}, "telemetry": {}}
    written_to = home / "config.yaml"
    written_to.write_text(written(data), encoding="utf-8")
    rehearsed = load_config(written_to, today=today, environment=environment)
    return replace(at_prices_of(rehearsed, original), path=path)
