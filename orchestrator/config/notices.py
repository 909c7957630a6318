"""What is not wrong in config.yaml but worth a line: a guessed price, a high limit, a model near its end."""

from collections.abc import Iterator, Mapping
from datetime import date

from orchestrator.catalog.catalog import Deployment
from orchestrator.catalog.price_book import ASSUMED, PriceBook, PriceQuery, end_notice
from orchestrator.catalog.vendors import openai_region
from orchestrator.config.schema import RootSettings
from orchestrator.core.money import format_usd
from orchestrator.ledger.budgets import Limits
from orchestrator.routing.eligibility import why_not_demanded
from orchestrator.routing.facts import policy_at


def notices_of(settings: RootSettings, usable: Mapping[str, Deployment], book: PriceBook) -> Iterator[str]:
    """Yield a line for each."""
    yield from _of_prices(usable)
    yield from _of_regions(usable, book)
    yield from book.notices()
    yield from _of_ends(settings, book)
    yield from _of_limits(settings)
    yield from _of_demands(settings, usable)


def _of_prices(usable: Mapping[str, Deployment]) -> Iterator[str]:
    for name, deployment in usable.items():
        if deployment.price.source == ASSUMED:
            rates = f"{format_usd(deployment.price.input)} and {format_usd(deployment.price.output)}"
            yield (
                f"no source knows the price of {name}: it is booked at prices.assumed_maximum, "
                f"{rates} per million tokens of input and output"
            )


def _of_regions(usable: Mapping[str, Deployment], book: PriceBook) -> Iterator[str]:
    """Yield the prices of config.yaml that are below what a source says of the region where they are paid."""
    for name, deployment in usable.items():
        provider, price = deployment.provider, deployment.price
        if openai_region(provider.base_url) is None:
            continue
        there = book.quote(PriceQuery.at(provider, deployment.upstream), None)
        if there is not None and (price.input < there.price.input or price.output < there.price.output):
            yield (
                f"{name} is asked in a region of OpenAI's ({provider.base_url}), where '{there.price.version}' says "
                f"{format_usd(there.price.input)} and {format_usd(there.price.output)} per million tokens, and its "
                "'price' is lower: state what you pay there, or leave 'price' out"
            )


def _of_limits(settings: RootSettings) -> Iterator[str]:
    for scope, shorter, limit, longer, ceiling in Limits(settings.budgets).overlong():
        yield (
            f"the limit of {scope} per {shorter}, {format_usd(limit)}, is above that per {longer}, "
            f"{format_usd(ceiling)}, which ends it first: is a digit too many in budgets.limits?"
        )


def _of_demands(settings: RootSettings, usable: Mapping[str, Deployment]) -> Iterator[str]:
    """Yield the places of routes that are never asked, for what their own use case demands."""
    for key, use_case in settings.use_cases.items():
        for step in use_case.route:
            if step.deployment in usable:
                place = usable[step.deployment].preferring(use_case.openrouter_preferences)
                unmet = why_not_demanded(policy_at(place), (use_case.demands,))
                if unmet is not None:
                    yield f"use case '{key}' never asks {step.deployment}, which its route names: {unmet}"


def _of_ends(settings: RootSettings, book: PriceBook) -> Iterator[str]:
    listed: dict[str, list[date]] = {}
    for deployment in settings.deployments.values():
        if deployment.provider in settings.providers:
            ends = book.end_of(PriceQuery.at(settings.providers[deployment.provider], deployment.upstream))
            listed.setdefault(deployment.model, []).extend([ends] if ends else [])
    for name, model in settings.models.items():
        notice = end_notice(name, model, listed=min(listed.get(name, ()), default=None), today=book.today)
        if notice:
            yield notice
