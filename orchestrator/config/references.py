"""Whether every name that config.yaml refers to is defined in it, and the nearest one where it is not."""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.catalog.openrouter_preferences import NO_PREFERENCES
from orchestrator.config.experiments import broken_experiments
from orchestrator.config.modes import mixed_routes
from orchestrator.config.policy_references import broken_policy
from orchestrator.config.schema import RootSettings
from orchestrator.config.yaml_file import Document
from orchestrator.core.unknown_names import unknown


def broken_references(document: Document, settings: RootSettings) -> Iterator[str]:
    """Yield a line for each name that leads nowhere, and for each way that leads back to where it began."""

    def broken(what: str, name: str, known: Mapping[str, Any], *path: str | int) -> Iterator[str]:
        if name not in known:
            yield f"{document.where(path)}: {unknown(what, name, known)}"

    for key, deployment in settings.deployments.items():
        yield from broken("provider", deployment.provider, settings.providers, "deployments", key, "provider")
        yield from broken("model", deployment.model, settings.models, "deployments", key, "model")
    for key, model in settings.models.items():
        for group in ("quality", "strengths"):
            for name in getattr(model, group):
                yield from broken("use case", name, settings.use_cases, "models", key, group, name)
    for key, use_case in settings.use_cases.items():
        yield from broken(
            "retry profile", use_case.profile, settings.retry_profiles, "use_cases", key, "profile"
        )
        yield from _broken_route(document, settings, key)
        yield from broken_policy(document, settings, use_case.policy, ("use_cases", key, "policy"))
    for key in settings.record.use_cases:
        yield from broken("use case", key, settings.use_cases, "record", "use_cases", key)
    yield from broken("use case", settings.default_use_case, settings.use_cases, "default_use_case")
    yield from mixed_routes(document, settings)
    yield from _strange_preferences(document, settings)
    yield from _broken_commitments(document, settings)
    yield from _broken_channels(document, settings)
    yield from _broken_limits(document, settings)
    yield from _broken_aliases(document, settings)
    yield from broken_experiments(document, settings)


def _strange_preferences(document: Document, settings: RootSettings) -> Iterator[str]:
    for key, deployment in settings.deployments.items():
        provider = settings.providers.get(deployment.provider)
        is_strange = provider is not None and provider.kind is not ProviderKind.OPENROUTER
        if is_strange and deployment.openrouter_preferences != NO_PREFERENCES:
            where = document.where(("deployments", key, "openrouter_preferences"))
            yield f"{where}: '{deployment.provider}' is no provider of kind openrouter, which alone knows them"


def _broken_channels(document: Document, settings: RootSettings) -> Iterator[str]:
    known = settings.alerts.channels
    for key, rule in settings.alerts.rules.items():
        for place, name in enumerate(rule.channels):
            if name not in known:
                where = document.where(("alerts", "rules", key, "channels", place))
                yield f"{where}: {unknown('channel', name, known)}"


def _broken_commitments(document: Document, settings: RootSettings) -> Iterator[str]:
    for place, commitment in enumerate(settings.commitments):
        if commitment.provider not in settings.providers:
            where = document.where(("commitments", place, "provider"))
            yield f"{where}: {unknown('provider', commitment.provider, settings.providers)}"


def _broken_limits(document: Document, settings: RootSettings) -> Iterator[str]:
    """Yield the limits of what does not exist: they would limit nothing, in silence."""
    known = {"use_case": settings.use_cases, "provider": settings.providers, "model": settings.models}
    for place, limit in enumerate(settings.budgets.limits):
        kind, _, name = limit.scope.partition(":")
        if kind in known and name != "*" and name not in known[kind]:
            where = document.where(("budgets", "limits", place, "scope"))
            yield f"{where}: {unknown(kind.replace('_', ' '), name, known[kind])}"


def _broken_route(document: Document, settings: RootSettings, key: str) -> Iterator[str]:
    seen: set[str] = set()
    for place, step in enumerate(settings.use_cases[key].route):
        key_path: tuple[str | int, ...] = ("fallbacks", place - 1) if place else ("primary",)
        where = document.where(("use_cases", key, *key_path, "deployment"))
        if step.deployment not in settings.deployments:
            what = f"use case '{key}' falls back to it" if place else f"the primary of use case '{key}'"
            yield f"{where}: {unknown('deployment', step.deployment, settings.deployments)} ({what})"
        if step.deployment in seen:
            yield f"{where}: a cycle: use case '{key}' comes back to '{step.deployment}'"
        seen.add(step.deployment)


def _broken_aliases(document: Document, settings: RootSettings) -> Iterator[str]:
    known = [*settings.models, *settings.aliases]
    for name, alias in settings.aliases.items():
        where = document.where(("aliases", name, "model"))
        if name in settings.models:
            yield f"{document.where(('aliases', name))}: '{name}' is a model already; an alias needs another name"
        chain = [name]
        target = alias.model
        while target in settings.aliases and target not in chain:
            chain.append(target)
            target = settings.aliases[target].model
        if target in chain:
            yield f"{where}: a cycle of aliases: {' -> '.join([*chain, target])}"
        elif target not in settings.models:
            yield f"{where}: {unknown('model', target, known)}"
