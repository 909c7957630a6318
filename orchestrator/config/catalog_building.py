"""The catalogue of a configuration: what may be asked at which price, what is off, and why."""

from dataclasses import replace
from datetime import date

from orchestrator.catalog.catalog import (
    AliasSettings,
    Catalog,
    Deployment,
    DeploymentSettings,
    MissingKey,
    ProviderKind,
    ProviderSettings,
)
from orchestrator.catalog.litellm_prefixes import fault_of_upstream
from orchestrator.catalog.models import ModelSettings
from orchestrator.catalog.openrouter_names import fault_of_name, fault_of_search
from orchestrator.catalog.openrouter_preferences import merged
from orchestrator.catalog.price import Price
from orchestrator.catalog.price_book import PriceBook, PriceQuery
from orchestrator.catalog.vendors import VENDORS, vendors_at
from orchestrator.config.modes import chat_only
from orchestrator.config.notices import notices_of
from orchestrator.config.schema import RootSettings
from orchestrator.config.why_off import why_off
from orchestrator.config.yaml_file import Document


def built_catalog(
    document: Document, settings: RootSettings, *, today: date
) -> tuple[Catalog, list[str], list[str]]:
    """Return the catalogue, notices for people, and the mistakes that speak against it."""
    usable: dict[str, Deployment] = {}
    off: dict[str, str | MissingKey] = {}
    mistakes: list[str] = []
    book = PriceBook(settings.prices, today=today)
    off_providers = {
        name: reason
        for name, provider in settings.providers.items()
        if (reason := why_off(name, provider, settings, document))
    }
    for name, deployment in settings.deployments.items():
        provider, model = settings.providers.get(deployment.provider), settings.models.get(deployment.model)
        if provider is None or model is None:
            continue
        quote = book.quote(PriceQuery.at(provider, deployment.upstream), deployment.price)
        fault = _fault_of(provider, deployment.upstream)
        if fault is not None:
            mistakes.append(f"{document.where(('deployments', name, 'upstream'))}: {fault}")
        elif quote is None:
            mistakes.append(
                f"{document.where(('deployments', name))}: '{name}' has no price, and neither OpenRouter's list, the "
                f"genai-prices snapshot nor LiteLLM's map knows '{deployment.upstream}'{_whose(provider)}; "
                "add 'price: {input: ..., output: ..., source: ..., date: ...}'"
            )
        elif not deployment.enabled:
            off[name] = "'enabled: false' in config.yaml"
        elif why := off_providers.get(deployment.provider) or chat_only(provider, model, settings):
            off[name] = why
        else:
            place = _usable(name, deployment, provider, model, quote.price)
            on_board = place.is_local and settings.local_model.base_url is None
            usable[name] = replace(place, data_policy=None) if on_board else place
    notices = [f"provider {name} is off: {reason}" for name, reason in off_providers.items()]
    notices += notices_of(settings, usable, book)
    served = {name: deployment.model for name, deployment in settings.deployments.items()}
    catalog = Catalog.of(usable, off, served, models=settings.models, aliases=_flat(settings))
    return catalog, notices, mistakes


def _fault_of(provider: ProviderSettings, upstream: str) -> str | None:
    """Return why a provider has no model of this name for us; None where it may have one."""
    is_openrouter = provider.kind is ProviderKind.OPENROUTER
    return (
        (fault_of_name(upstream) if is_openrouter else None)
        or fault_of_search(upstream)
        or fault_of_upstream(provider.prefix, upstream)
    )


def _usable(
    name: str,
    settings: DeploymentSettings,
    provider: ProviderSettings,
    model: ModelSettings,
    price: Price,
) -> Deployment:
    return Deployment(
        name,
        settings.model,
        model,
        settings.provider,
        provider,
        settings.upstream,
        price,
        merged((provider.openrouter_preferences, settings.openrouter_preferences)),
        provider.data_policy.behind(settings.data_policy),
    )


def _whose(provider: ProviderSettings) -> str:
    vendors = vendors_at(provider.kind, provider.base_url)
    if provider.kind is ProviderKind.LITELLM:
        return f" of '{provider.prefix}' at that address"
    if provider.kind is ProviderKind.LOCAL or VENDORS[provider.kind] in vendors:
        return ""
    return f" of {vendors[0]}, whose address it is" if vendors else " at an address that is no known vendor's"


def _flat(settings: RootSettings) -> dict[str, AliasSettings]:
    """Return the aliases, each pointing at a model and at no other alias."""
    flat = {}
    for name, alias in settings.aliases.items():
        target, steps = alias.model, 0
        while target in settings.aliases and steps <= len(settings.aliases):
            target, steps = settings.aliases[target].model, steps + 1
        flat[name] = alias.model_copy(update={"model": target})
    return flat
