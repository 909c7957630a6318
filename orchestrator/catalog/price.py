"""What tokens cost: a price as the vendor states it, the cost of a usage, and the most it can be.

Three numbers come from a price, each rounded up:

    bound_of    the most tokens can cost, at whatever moment they are used; no discount
    cost_of     the list price of a usage: no discount, no cheaper hour
    settled     what is booked: the hour counts, and so do the discounts of a batch and of volume

A discount is believed only where the provider must grant it, so that no less is booked than it
charges: a cheaper hour only when the request began and ended in it, an announced price cut only
when it began before the request.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from datetime import date as Day  # noqa: N812 -- `date` is a field's name below
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, NewType
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from orchestrator.catalog.rates import PriceTier, Rates
from orchestrator.core.money import PLAIN_NUMBER, NanoUsd, NanoUsdPerMtok, cost_nusd, share_nusd
from orchestrator.core.reply import Usage
from orchestrator.core.settings import Settings, Usd, UsdPerMtok

BasisPoints = NewType("BasisPoints", int)
"""A hundredth of a percent; 10,000 are the whole."""

WHOLE = BasisPoints(10_000)
NOTHING_OFF = BasisPoints(0)


def _basis_points(value: Any) -> int:
    # True and False are numbers to Python, and no percentage.
    is_plain = not isinstance(value, bool) and PLAIN_NUMBER.fullmatch(str(value).strip())
    percent = Decimal(str(value)) if is_plain else Decimal("NaN")
    points = percent * 100
    if not points.is_finite() or not 0 <= points <= WHOLE or points != points.to_integral_value():
        msg = f"expected a percentage from 0 to 100 with at most two decimals, such as 12.5, got {value!r}"
        raise ValueError(msg)
    return int(points)


def _clock_time(value: Any) -> time:
    # Unquoted, YAML reads 16:30 as the number 990.
    if isinstance(value, time):
        return value
    try:
        return datetime.strptime(value if isinstance(value, str) else "", "%H:%M").replace(tzinfo=UTC).time()
    except ValueError:
        msg = f'expected hours and minutes in quotes, such as "16:30", got {value!r}'
        raise ValueError(msg) from None


def _zone(value: Any) -> ZoneInfo:
    if isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo(str(value))
    except (ValueError, OSError, KeyError):
        msg = f"unknown time zone {value!r}; names look like UTC or Asia/Shanghai"
        raise ValueError(msg) from None


DiscountPercent = Annotated[
    BasisPoints,
    BeforeValidator(_basis_points),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100}),
]
"""A percentage in the file, whole basis points in the program."""

ClockTime = Annotated[
    time, BeforeValidator(_clock_time), WithJsonSchema({"type": "string", "pattern": r"^\d{1,2}:\d{2}$"})
]
"""Hours and minutes of any day."""

Zone = Annotated[ZoneInfo, BeforeValidator(_zone), WithJsonSchema({"type": "string"})]
"""A time zone by its IANA name."""


class OffPeak(Settings):
    """A daily window with other prices; requests that reach into a tier pay the tier's."""

    begins: ClockTime
    """The first minute of the window, in quotes: "16:30"."""
    ends: ClockTime
    """The first minute after it; a window that ends before it begins goes on past midnight."""
    time_zone: Zone = ZoneInfo("UTC")
    """The zone of both, by its IANA name."""
    input: UsdPerMtok
    """Dollars per million input tokens in the window."""
    output: UsdPerMtok
    """Dollars per million output tokens in the window."""
    cached_input: UsdPerMtok | None = None
    """As outside of the window when None; where no such price is given there, the window's input price."""

    @model_validator(mode="after")
    def _is_a_window(self) -> "OffPeak":
        if self.begins == self.ends:
            msg = "off_peak begins and ends at the same minute; write the prices into the price itself"
            raise ValueError(msg)
        return self

    def opened(self, moment: datetime) -> datetime | None:
        """Return when the window that is open at a moment began, None when none is open."""
        local = moment.astimezone(self.time_zone)
        began = local.replace(
            hour=self.begins.hour, minute=self.begins.minute, second=0, microsecond=0, fold=0
        )
        now = local.time()
        after_begin, before_end = now >= self.begins, now < self.ends
        if self.begins < self.ends:
            return began if after_begin and before_end else None
        if after_begin:
            return began
        return began - timedelta(days=1) if before_end else None


class _Terms(Rates):
    """Everything that a price says but where it comes from."""

    tiers: tuple[PriceTier, ...] = ()
    """Other prices for requests with much input; in an announced change: its own, the old ones end."""
    off_peak: OffPeak | None = None
    """Other prices in a daily window; budgets are held at the dearer ones."""
    batch_percent: DiscountPercent = NOTHING_OFF
    """How much less the list price is for a request of a batch, in percent; off-peak is not added to it."""


class PriceChange(_Terms):
    """An announced price, with the day it begins."""

    begins: Day
    """The first day it is in force, in UTC."""


class VolumeDiscount(Settings):
    """What a provider takes off once enough was spent with it in a month."""

    above_usd_per_month: Usd
    """For what is sent after this much was booked for the provider in the calendar month of
    budgets.time_zone."""
    percent: DiscountPercent
    """How much less it charges, in percent; of several only the one with the highest threshold counts."""


class BillingContext(NamedTuple):
    """What makes one request cheaper than the list."""

    began: datetime
    """When it was sent at the earliest, with its zone."""
    ended: datetime
    """When it had ended, with its zone."""
    off: BasisPoints = NOTHING_OFF
    """The volume discount."""
    batch: bool = False


class BookedCost(NamedTuple):
    """What is booked for a usage."""

    cost_nusd: NanoUsd
    version: str
    """Which price, with every discount that was applied."""


class Price(_Terms):
    """What a deployment charges, in dollars per million tokens, with source and date."""

    changes: tuple[PriceChange, ...] = ()
    """Announced prices, each with its day."""
    source: Annotated[str, Field(min_length=1)]
    """Where the price was read."""
    date: Day
    """When it was read."""

    def on(self, day: Day) -> "Price":
        """Return the price in force on a day: this one, or the last announced change begun by then.

        A change of the day after stays in it, for a request that runs past midnight.
        """
        if not self.changes:
            return self
        begun = max((change for change in self.changes if change.begins <= day), key=_begin, default=None)
        coming = tuple(change for change in self.changes if day < change.begins <= day + timedelta(days=1))
        return self._as(begun, changes=coming)

    def at(self, moment: datetime) -> "Price":
        """Return the price at a moment: that of the day, in the off-peak window at its rates."""
        price = self.on(moment.astimezone(UTC).date())
        return price.in_off_peak() if price.off_peak and price.off_peak.opened(moment) else price

    def cost_of(self, usage: Usage) -> NanoUsd:
        """Return what these tokens cost by the list: peak hours, no discount; rounded up."""
        return self.rates_at(usage.input_tokens).paid_for(usage)

    def settled(self, usage: Usage, context: BillingContext) -> BookedCost:
        """Return what is booked for a usage, never less than the provider can charge.

        Of the prices that were in force between `began` and `ended` the dearest counts. A batch
        pays the list price less `batch_percent`; then the volume discount comes off. Each step is
        rounded up.
        """
        candidates = self._between(context.began, context.ended, batch=context.batch)
        cost, price = max(
            ((price.cost_of(usage), price) for price in candidates), key=lambda priced: priced[0]
        )
        version = price.version
        if context.batch and price.batch_percent:
            cost = less(cost, price.batch_percent)
            version += f", batch -{percent_text(price.batch_percent)}"
        if context.off:
            cost = less(cost, context.off)
            version += f", volume -{percent_text(context.off)}"
        return BookedCost(cost, version)

    def bound_of(self, *, input_tokens: int, output_tokens: int, file_tokens: int = 0) -> NanoUsd:
        """Return the most these tokens, or fewer, can cost: the dearest tier, hour and announced change.

        `file_tokens` of the input may be of files.
        """
        dearest_input, dearest_output, dearest_file = self.bound_rates_at(input_tokens)
        text_tokens = max(0, input_tokens - file_tokens)
        return cost_nusd(
            (
                (text_tokens, dearest_input),
                (input_tokens - text_tokens, dearest_file),
                (output_tokens, dearest_output),
            )
        )

    def bound_rates_at(self, input_tokens: int) -> tuple[NanoUsdPerMtok, NanoUsdPerMtok, NanoUsdPerMtok]:
        """Return the most that a token of text, of output, and of a file can cost beside so much input."""
        reached = [rates for terms in (self, *self.changes) for rates in _reachable(terms, input_tokens)]
        return (
            max(rates.dearest_input for rates in reached),
            max(rates.dearest_output for rates in reached),
            max(rates.dearest_file for rates in reached),
        )

    @property
    def dearest(self) -> Rates:
        """Return the most that a token of a short prompt costs, at any hour, after any announced change."""
        every = (self, *self.changes)
        return Rates.model_construct(
            input=max(terms.input for terms in every), output=max(terms.output for terms in every)
        )

    def rates_at(self, input_tokens: int) -> Rates:
        """Return the rates for so many input tokens: the base, or the highest tier that they reach."""
        if not self.tiers:
            return self
        reached = [tier for tier in self.tiers if input_tokens > tier.above_input_tokens]
        return max(reached, key=lambda tier: tier.above_input_tokens, default=self)

    def in_off_peak(self) -> "Price":
        """Return the price inside its off-peak window; itself where it has none."""
        window = self.off_peak
        if window is None:
            return self
        cached = self.cached_input if window.cached_input is None else window.cached_input
        # Storing costs what it costs outside: the window does not name it.
        written = self.input if self.cache_write is None else self.cache_write
        return self.model_copy(
            update={
                "input": window.input,
                "output": window.output,
                "cached_input": cached,
                "cache_write": written,
                "source": f"{self.source}, off-peak",
            }
        )

    @property
    def version(self) -> str:
        """Return a text that names this price in the ledger."""
        return f"{self.source}@{self.date.isoformat()}"

    def _between(self, began: datetime, ended: datetime, *, batch: bool) -> "list[Price]":
        """Return the prices that were in force at some moment of a request."""
        if not self.changes and self.off_peak is None:
            return [self]
        first, last = sorted((began, ended))
        day, last_day = first.astimezone(UTC).date(), last.astimezone(UTC).date()
        prices = [
            self.on(day),
            *(self._as(change) for change in self.changes if day < change.begins <= last_day),
        ]
        if batch:
            return prices
        return [version for price in prices for version in _in_force(price, first, last)]

    def _as(self, change: PriceChange | None, *, changes: tuple[PriceChange, ...] = ()) -> "Price":
        """Return the price that a change makes of this one; without one this one, with other `changes`."""
        terms: Price | PriceChange = self if change is None else change
        suffix = "" if change is None else f", change of {change.begins.isoformat()}"
        # Checked when they were read: this is on the way of every request.
        return Price.model_construct(
            input=terms.input,
            output=terms.output,
            cached_input=terms.cached_input,
            cache_write=terms.cache_write,
            audio_input=terms.audio_input,
            image_input=terms.image_input,
            audio_output=terms.audio_output,
            image_output=terms.image_output,
            tiers=terms.tiers,
            off_peak=terms.off_peak,
            batch_percent=terms.batch_percent,
            changes=changes,
            source=f"{self.source}{suffix}",
            date=self.date,
        )


def volume_discount(discounts: Sequence[VolumeDiscount], *, spent: NanoUsd) -> BasisPoints:
    """Return the discount that is due after `spent` was booked this month, 0 when none is."""
    due = [discount for discount in discounts if spent > discount.above_usd_per_month]
    return max(due, key=lambda discount: discount.above_usd_per_month).percent if due else NOTHING_OFF


def less(amount: NanoUsd, off: BasisPoints) -> NanoUsd:
    """Return an amount less a discount, rounded up."""
    return share_nusd(amount, numerator=WHOLE - off, denominator=WHOLE)


def percent_text(points: BasisPoints) -> str:
    """Return basis points as a percentage: `12.5%`."""
    return f"{(Decimal(points) / 100).normalize():f}%"


def _begin(change: PriceChange) -> Day:
    return change.begins


def _in_force(price: Price, first: datetime, last: datetime) -> list[Price]:
    """Return a price at the hours between two moments: in its off-peak window, outside of it, or both."""
    window = price.off_peak
    if window is None:
        return [price]
    at_first, at_last = window.opened(first), window.opened(last)
    if at_first is not None and at_first == at_last:
        return [price.in_off_peak()]
    # Either may be the dearer one. No vendor has a window so short that it fits inside a request.
    return [price] if at_first is at_last is None else [price, price.in_off_peak()]


def _reachable(terms: _Terms, input_tokens: int) -> list[Rates]:
    """Return every set of rates that a request with so many input tokens, or fewer, can meet."""
    reached: list[Rates] = [terms, *(tier for tier in terms.tiers if tier.above_input_tokens < input_tokens)]
    if terms.off_peak is not None:
        window = terms.off_peak
        reached.append(
            Rates.model_construct(
                input=window.input,
                output=window.output,
                cached_input=window.cached_input,
                cache_write=None,
            )
        )
    return reached
