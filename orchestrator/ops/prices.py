"""Prices for operators: fetch the live list, list every price, find where config.yaml differs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from orchestrator.catalog.catalog import ProviderKind, ProviderSettings
from orchestrator.catalog.openrouter_prices import PriceList, PriceListError, Skipped, checked_list, keep_list
from orchestrator.catalog.price import Price
from orchestrator.catalog.price_book import PriceBook, PriceQuery, Quote, end_notice
from orchestrator.config.loader import Config
from orchestrator.config.schema import RootSettings
from orchestrator.core.clock import Clock
from orchestrator.core.errors import ConfigError
from orchestrator.core.money import NanoUsdPerMtok
from orchestrator.providers.account_api import Account, AccountError, AccountSession


class PriceFetchError(PriceListError):
    """The list cannot be fetched; the list that was kept before stays in use."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The result of a refresh."""

    kept: PriceList
    path: Path
    skipped: tuple[Skipped, ...]
    """Entries without a usable price."""
    gone: tuple[str, ...]
    """Models that were in the last list and are not in this one."""


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One deployment in the price table."""

    deployment: str
    model: str
    quote: Quote | None
    """None: no source knows a price, and the configuration is refused."""
    others: tuple[Quote, ...]
    """What the other sources say, in the order of their authority."""
    ends: date | None
    warning: str | None
    """The model has ended or ends soon."""


class PriceDifference(StrEnum):
    """A price of config.yaml compared with the first other source that knows the model."""

    EQUAL = "equal"
    CHANGED = "changed"
    UNKNOWN = "unknown"
    """No other source knows it; nothing to compare with."""
    ENDED = "ended"
    """Its vendor has switched the model off."""


@dataclass(frozen=True, slots=True)
class RateChange:
    """One rate that differs."""

    name: str
    """`input`, or `output above 272,000 tokens`."""
    stated: NanoUsdPerMtok
    listed: NanoUsdPerMtok

    @property
    def percent(self) -> float | None:
        """Return how much dearer (or cheaper, below 0) it is listed; None when config.yaml says free."""
        return (self.listed - self.stated) / self.stated * 100 if self.stated else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A price of config.yaml beside the first other source that knows the model."""

    deployment: str
    verdict: PriceDifference
    against: Quote | None
    changes: tuple[RateChange, ...]
    ends: date | None

    @property
    def is_different(self) -> bool:
        """Return whether config.yaml should be changed: a rate differs, or the model has ended."""
        return self.verdict in {PriceDifference.CHANGED, PriceDifference.ENDED}


async def refresh(config: Config, *, session: AccountSession, clock: Clock) -> Refreshed:
    """Fetch OpenRouter's list, leave out what is malformed, and keep the rest with its date.

    Raises:
        ConfigError: config.yaml has no provider of kind openrouter.
        PriceFetchError: the list cannot be had; nothing was changed.
        PriceListError: it cannot be written; nothing was changed.
    """
    name, provider = _openrouter(config.settings)
    now = clock.now()
    book = PriceBook(config.settings.prices, today=now.date())
    try:
        entries = await Account(provider, session=session).price_list()
    except AccountError as error:
        raise PriceFetchError(
            f"the price list of {name} could not be fetched: {error}; {_still(book.live)}"
        ) from error
    fresh, skipped = checked_list(entries, fetched_at=now, provider=name)
    if not fresh.models:
        raise PriceFetchError(
            f"the price list of {name} states no usable price in {len(entries)} entries "
            f"({skipped[0].model}: {skipped[0].reason}); {_still(book.live)}"
        )
    gone = sorted(set(book.live.models) - set(fresh.models)) if book.live else ()
    keep_list(fresh, book.path)
    return Refreshed(fresh, book.path, skipped, tuple(gone))


def price_lines(config: Config, *, today: date) -> tuple[PriceLine, ...]:
    """Return every deployment of config.yaml with its price, those of one model together."""
    book = PriceBook(config.settings.prices, today=today)
    models = config.settings.models
    lines = []
    for name, deployment in config.settings.deployments.items():
        query = PriceQuery.at(config.settings.providers[deployment.provider], deployment.upstream)
        quote, ends = book.quote(query, deployment.price), _end(book, query, models[deployment.model].ends)
        others = tuple(other for other in book.known(query) if quote is None or other.origin != quote.origin)
        warning = end_notice(deployment.model, models[deployment.model], listed=ends, today=today)
        lines.append(PriceLine(name, deployment.model, quote, others, ends, warning))
    order = {model: place for place, model in enumerate(models)}
    return tuple(sorted(lines, key=lambda line: order[line.model]))


def age_days(quote: Quote, today: date) -> int | None:
    """Return how many days ago the source was read; None where it says no day."""
    return max(0, (today - quote.price.date).days) if quote.origin.is_dated else None


def compare(config: Config, *, today: date) -> tuple[Comparison, ...]:
    """Return how each price of config.yaml stands to the first other source that knows the model.

    The local model is left out.
    """
    book = PriceBook(config.settings.prices, today=today)
    comparisons = []
    for name, deployment in config.settings.deployments.items():
        query = PriceQuery.at(config.settings.providers[deployment.provider], deployment.upstream)
        if deployment.price is None or query.kind is ProviderKind.LOCAL:
            continue
        against = next(book.known(query), None)
        ends = _end(book, query, config.settings.models[deployment.model].ends)
        changes = tuple(_changes(deployment.price.on(today), against.price.on(today))) if against else ()
        comparisons.append(
            Comparison(
                name, _verdict(against, changes, ended=bool(ends and ends < today)), against, changes, ends
            )
        )
    return tuple(comparisons)


def _verdict(against: Quote | None, changes: tuple[RateChange, ...], *, ended: bool) -> PriceDifference:
    if ended:
        return PriceDifference.ENDED
    if against is None:
        return PriceDifference.UNKNOWN
    return PriceDifference.CHANGED if changes else PriceDifference.EQUAL


def _changes(stated: Price, listed: Price) -> Iterator[RateChange]:
    thresholds = sorted({0, *(tier.above_input_tokens for price in (stated, listed) for tier in price.tiers)})
    for above in thresholds:
        here, there = stated.rates_at(above + 1), listed.rates_at(above + 1)
        for name in ("input", "output", "cached_input", "cache_write"):
            rate_here, rate = getattr(here, name), getattr(there, name)
            booked = here.input if rate_here is None else rate_here
            # What a source does not say is no difference. Where storing costs no more than plain input,
            # config.yaml may leave its rate out.
            covered = name == "cache_write" and rate_here is None and rate is not None and rate <= booked
            if rate is not None and rate != booked and not covered:
                words = name.replace("_", " ") + (f" above {above:,} tokens" if above else "")
                yield RateChange(words, booked, rate)


def _openrouter(settings: RootSettings) -> tuple[str, ProviderSettings]:
    named = {
        name: provider
        for name, provider in settings.providers.items()
        if provider.kind is ProviderKind.OPENROUTER
    }
    if not named:
        raise ConfigError(
            "config.yaml has no provider of kind openrouter, and only OpenRouter publishes a price list; "
            "without it prices come from config.yaml, genai-prices and LiteLLM's map"
        )
    return min(named.items(), key=lambda item: item[1].priority)


def _end(book: PriceBook, query: PriceQuery, stated: date | None) -> date | None:
    return min((day for day in (stated, book.end_of(query)) if day is not None), default=None)


def _still(live: PriceList | None) -> str:
    if live is None:
        return "no list was kept before, so the other sources are used"
    return f"the list of {live.fetched_at.date()} stays in use"
