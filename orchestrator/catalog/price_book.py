"""The price book: which of several sources says what a deployment costs.

In this order, the first that knows decides:

    1. config.yaml              the deployment's own `price`
    2. OpenRouter's list        fetched by `orchestrator prices refresh`, kept with its date
    3. genai-prices             the snapshot of the installed package
    4. LiteLLM's map            the file inside the installed package
    5. the assumed maximum      `prices.assumed_maximum`, if config.yaml gives one
    6. none                     the configuration is refused: nothing is booked at $0 by accident

What 2 to 4 know counts at the address of the vendor whose prices they are (`catalog.vendors`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import PositiveInt

from orchestrator.catalog.bundled_prices import map_price, prefix_price, snapshot_price
from orchestrator.catalog.catalog import ProviderKind, ProviderSettings
from orchestrator.catalog.media_rates import states_its_media
from orchestrator.catalog.models import ModelSettings
from orchestrator.catalog.openrouter_prices import (
    ListedModel,
    MalformedEntryError,
    PriceList,
    PriceListError,
    read_list,
)
from orchestrator.catalog.price import Price
from orchestrator.catalog.vendors import VENDORS, vendors_at
from orchestrator.core.home_paths import expanded
from orchestrator.core.settings import FileText, Settings, UsdPerMtok

ENDS_SOON_DAYS = 30
"""How long before the end of a model its replacement is asked for."""

ASSUMED = "assumed maximum of config.yaml"


class AssumedMaximum(Settings):
    """What a model is taken to cost at most when no source knows its price."""

    input: UsdPerMtok
    """Dollars per million input tokens."""
    output: UsdPerMtok
    """Dollars per million output tokens."""


class PricesSettings(Settings):
    """Where prices come from that config.yaml does not state."""

    path: FileText = "~/.nextflow-orchestrator/prices/openrouter.json"
    """Where `orchestrator prices refresh` keeps OpenRouter's price list; read at start and with every
    reload."""
    max_age_days: PositiveInt = 7
    """With a list older than this a notice asks for a refresh; its prices still count."""
    assumed_maximum: AssumedMaximum | None = None
    """The price of a model that no source knows; None refuses such a model. Every use of it is a notice."""


@dataclass(frozen=True, slots=True)
class PriceQuery:
    """A model at a provider, as its price is asked for."""

    kind: ProviderKind
    upstream: str
    address: str | None = None
    """Where it is asked for; None is the address of the vendor whose format the kind is."""
    prefix: str | None = None
    """LiteLLM's name of the provider, of kind litellm."""
    region: str | None = None
    """Where Vertex AI or Bedrock computes."""

    @classmethod
    def at(cls, provider: ProviderSettings, upstream: str) -> Self:
        """Return the query for a model at a provider of config.yaml."""
        region = provider.parameters.vertex_location or provider.parameters.aws_region_name
        return cls(provider.kind, upstream, provider.base_url, provider.prefix, region)


class Origin(StrEnum):
    """The source that a price comes from."""

    CONFIG = "config"
    LIVE = "live list"
    SNAPSHOT = "snapshot"
    MAP = "LiteLLM"
    ASSUMED = "assumed"

    @property
    def is_dated(self) -> bool:
        """Return whether its prices carry their day; a package only says what it takes for today's price."""
        return self in {Origin.CONFIG, Origin.LIVE}


@dataclass(frozen=True, slots=True)
class Quote:
    """What one source says."""

    origin: Origin
    price: Price


class PriceBook:
    """All sources of one configuration, as of one day; a source is opened when it is first needed."""

    def __init__(self, settings: PricesSettings, *, today: date) -> None:
        """Remember where to look; nothing is read yet."""
        self.settings = settings
        self.today = today
        self._unreadable: PriceListError | None = None

    @property
    def path(self) -> Path:
        """Return where the live list is kept."""
        return expanded(self.settings.path)

    @cached_property
    def live(self) -> PriceList | None:
        """Return the live list that was kept last, None without one; one that cannot be read is a notice."""
        try:
            return read_list(self.path)
        except PriceListError as error:
            self._unreadable = error
            return None

    def quote(self, query: PriceQuery, stated: Price | None) -> Quote | None:
        """Return the price in force: as stated, or of the first source that knows; None to refuse."""
        if stated is not None:
            return Quote(Origin.CONFIG, stated)
        whole = (quote for quote in self.known(query) if states_its_media(query.upstream, quote.price))
        return next(whole, None) or self._assumed(query.kind)

    def known(self, query: PriceQuery) -> Iterator[Quote]:
        """Yield what the sources below config.yaml say, in their order; one is opened when it is asked."""
        asks = ((Origin.LIVE, self._listed), (Origin.SNAPSHOT, self._snapshot), (Origin.MAP, self._mapped))
        for origin, ask in asks:
            price = ask(query)
            if price is not None:
                yield Quote(origin, price)

    def end_of(self, query: PriceQuery) -> date | None:
        """Return the day on which the live list says the model is switched off."""
        listed = self._live_model(query)
        return listed.ends if listed else None

    def notices(self) -> tuple[str, ...]:
        """Return what is worth a line about the live list: it is old, or cannot be read."""
        live = self.live
        if self._unreadable is not None:
            return (f"OpenRouter's price list is left out: {self._unreadable}",)
        if live is None or live.age_days(self.today) <= self.settings.max_age_days:
            return ()
        return (
            f"OpenRouter's price list is {live.age_days(self.today)} days old: 'orchestrator prices refresh' renews it",
        )

    def _listed(self, query: PriceQuery) -> Price | None:
        listed = self._live_model(query)
        return listed.price if listed else None

    def _live_model(self, query: PriceQuery) -> ListedModel | None:
        if query.kind is not ProviderKind.OPENROUTER or self.live is None:
            return None
        if VENDORS[query.kind] not in vendors_at(query.kind, query.address):
            return None
        try:
            return self.live.model(query.upstream)
        except MalformedEntryError:
            # It was checked before it was kept, so the file was changed since: the next source decides.
            return None

    def _snapshot(self, query: PriceQuery) -> Price | None:
        return snapshot_price(query.kind, query.upstream, today=self.today, address=query.address)

    def _mapped(self, query: PriceQuery) -> Price | None:
        if query.prefix is not None:
            return prefix_price(
                query.prefix, query.upstream, today=self.today, address=query.address, region=query.region
            )
        return map_price(query.kind, query.upstream, today=self.today, address=query.address)

    def _assumed(self, kind: ProviderKind) -> Quote | None:
        most = self.settings.assumed_maximum
        if most is None or kind is ProviderKind.LOCAL:
            return None
        price = Price.model_construct(input=most.input, output=most.output, source=ASSUMED, date=self.today)
        return Quote(Origin.ASSUMED, price)


def end_notice(name: str, model: ModelSettings, *, listed: date | None = None, today: date) -> str | None:
    """Return what to say of a model that has ended or ends within 30 days; None of every other."""
    days = [day for day in (model.ends, listed) if day is not None]
    if not days:
        return None
    ends = min(days)
    if ends < today:
        return f"model {name} was switched off by its vendor on {ends}; replace it in config.yaml"
    left_days = (ends - today).days
    if left_days > ENDS_SOON_DAYS:
        return None
    when = "today" if left_days == 0 else f"in {left_days} day{'s' if left_days > 1 else ''}"
    return f"model {name} is switched off by its vendor on {ends}, {when}; replace it in config.yaml"
