"""Prices that come with installed packages: the snapshot of genai-prices, and LiteLLM's price map.

Both are data. LiteLLM is never imported for it: its map is a JSON file inside the package.
"""

import importlib.util
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.catalog.litellm_prefixes import bills_at
from orchestrator.catalog.price import NOTHING_OFF, BasisPoints, Price, PriceChange
from orchestrator.catalog.price_units import SNAPSHOT_UNITS, is_of_tokens
from orchestrator.catalog.rates import PriceTier
from orchestrator.catalog.vendors import (
    VENDORS,
    aws_regions,
    is_of_this_machine,
    is_vertex_worldwide,
    openai_region,
    vendors_at,
)
from orchestrator.core.money import TOKENS_PER_MTOK, NanoUsdPerMtok, nano_usd

_SNAPSHOT_RATES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "audio_input": "input_audio_mtok",
    "image_input": "input_image_mtok",
    "audio_output": "output_audio_mtok",
    "image_output": "output_image_mtok",
}
_SNAPSHOT_DEARER = {"input": ("input_video_mtok",), "output": ("output_reasoning_mtok", "output_video_mtok")}
"""Kinds of tokens that a price has no rate for: they count as input or output, at the dearest rate."""
_MAP_PREFIXES = {
    ProviderKind.OPENROUTER: "openrouter/",
    ProviderKind.GOOGLE: "gemini/",
    ProviderKind.OPENAI: "",
}
_MAP_OWNERS = {
    ProviderKind.OPENROUTER: "openrouter",
    ProviderKind.GOOGLE: "gemini",
    ProviderKind.OPENAI: "openai",
}
_OTHER_OWNERS = {"bedrock": ("bedrock_converse",)}
_MAP_FILE = "model_prices_and_context_window_backup.json"
_MAP_RATES = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cached_input": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "audio_input": "input_cost_per_audio_token",
    "image_input": "input_cost_per_image_token",
    "audio_output": "output_cost_per_audio_token",
    "image_output": "output_cost_per_image_token",
}
_MAP_DEARER = {
    "input": ("input_cost_per_video_token",),
    "output": ("output_cost_per_reasoning_token", "output_cost_per_video_token"),
}
_NAMED_BY_CUSTOMERS = frozenset({"azure", "azure_ai"})
"""Whose names of deployments are the customer's own, and say neither the model nor its class: global, or the
dearer data zone and region."""
_REGION_SLASHES = 2
"""In a name with a region: bedrock/sa-east-1/the-model."""
_DRAWS = frozenset({"image_generation", "image_edit"})
_MAP_THRESHOLD = re.compile(r"^input_cost_per_token_above_(?P<thousands>\d+)k_tokens$")


def snapshot_price(
    kind: ProviderKind, upstream: str, *, today: date, address: str | None = None
) -> Price | None:
    """Return today's price of a model by the offline snapshot, with the changes that it announces.

    It is the price of the vendor who bills at the address; None when that is not known.
    """
    for vendor in vendors_at(kind, address):
        model = _models(vendor).get(upstream)
        terms = None if model is None else _terms_on(model, today)
        if terms is not None:
            source = f"genai-prices {_installed('genai-prices')}, {vendor}"
            return Price(**terms, changes=tuple(_changes(model, after=today)), source=source, date=today)
    return None


def map_price(kind: ProviderKind, upstream: str, *, today: date, address: str | None = None) -> Price | None:
    """Return a provider's price by LiteLLM's map, None when it does not know or has no price in tokens.

    At the address of another vendor it is not asked. At one of OpenAI's regions it has to know the surcharge.
    """
    region = openai_region(address) if kind is ProviderKind.OPENAI else None
    if kind not in _MAP_PREFIXES or (region is None and VENDORS[kind] not in vendors_at(kind, address)):
        return None
    entry = _map().get(_MAP_PREFIXES[kind] + upstream)
    # The same name may be another provider's.
    if entry is None or entry.get("litellm_provider") != _MAP_OWNERS[kind]:
        return None
    if region is None:
        return _price_of(entry, today)
    factor = entry.get(f"regional_processing_uplift_multiplier_{region}")
    return None if factor is None else _price_of(entry, today, factor=Decimal(factor))


def prefix_price(
    prefix: str, upstream: str, *, today: date, address: str | None = None, region: str | None = None
) -> Price | None:
    """Return a price by LiteLLM's map under one of its prefixes; None where it knows none in tokens.

    At an address that is not the vendor's own, nor on this machine, it is not asked, and of Azure only there.
    `region` is where Vertex AI or Bedrock computes, which may cost more there than elsewhere.
    """
    is_practice = is_of_this_machine(address)
    if not is_practice and (prefix in _NAMED_BY_CUSTOMERS or not bills_at(prefix, address)):
        return None
    factor_of = partial(_factor_at, region, address) if prefix == "vertex_ai" else _as_listed
    entries = [
        entry for name in (f"{prefix}/{upstream}", upstream) if (entry := _map().get(name)) is not None
    ]
    if prefix == "bedrock":
        entries = [*_of_regions(upstream, aws_regions(region, address), elsewhere=entries), *entries]
    owned = (entry for entry in entries if _is_owned_by(prefix, entry))
    prices = (_price_of(entry, today, factor=factor_of(entry)) for entry in owned)
    price = next((price for price in prices if price is not None), None)
    if price is None or price.cache_write != 0 or price.input == 0:
        return price
    # A 0 there says that storing is not charged apart: it costs what input costs.
    return price.model_copy(update={"cache_write": None})


def _is_owned_by(prefix: str, entry: Mapping[str, Any]) -> bool:
    """Return whether an entry of the map is the prefix's own, such as `vertex_ai-anthropic_models`."""
    owner = str(entry.get("litellm_provider"))
    return owner == prefix or owner in _OTHER_OWNERS.get(prefix, ()) or owner.startswith(f"{prefix}-")


def _factor_at(location: str | None, address: str | None, entry: Mapping[str, Any]) -> Decimal:
    """Return how much dearer than the entry Vertex AI is where it computes."""
    uplift = entry.get("regional_endpoint_uplift_multiplier")
    return Decimal(1 if uplift is None or is_vertex_worldwide(location, address) else uplift)


def _as_listed(_: Mapping[str, Any]) -> Decimal:
    return Decimal(1)


def _of_regions(
    upstream: str, regions: frozenset[str], *, elsewhere: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return Bedrock's entries of a model in regions, the dearest first; none where no region has its own.

    Of a model that some regions have their own price for, another region may be as dear as any of them.
    """
    listed = {
        name.split("/")[1]: entry
        for name, entry in _map().items()
        if name.startswith("bedrock/")
        and name.endswith(f"/{upstream}")
        and name.count("/") == _REGION_SLASHES
    }
    if not listed:
        return []
    known = [listed[region] for region in regions if region in listed]
    candidates = known if len(known) == len(regions) and known else [*listed.values(), *elsewhere]
    return sorted(candidates, key=_dearness, reverse=True)


@lru_cache
def _installed(package: str) -> str:
    """Return the version of a package; each question reads its whole description anew."""
    return version(package)


def _dearness(entry: Mapping[str, Any]) -> Decimal:
    return sum((Decimal(entry.get(_MAP_RATES[name]) or 0) for name in ("input", "output")), Decimal(0))


def _price_of(entry: Mapping[str, Any], today: date, *, factor: Decimal = Decimal(1)) -> Price | None:
    """Return an entry of the map as a price, `factor` times dearer; None where it has none in tokens."""
    rates = _map_rates(entry, "", factor)
    if rates["input"] is None or rates["output"] is None:
        return None
    if not is_of_tokens(entry, input_rate=rates["input"], output_rate=rates["output"]):
        return None
    if entry.get("mode") in _DRAWS and rates["image_output"] is None:
        # It charges for each picture, which no price of tokens can state.
        return None
    thresholds = sorted(int(match["thousands"]) for key in entry if (match := _MAP_THRESHOLD.match(key)))
    tiers = []
    for thousands in thresholds:
        there = _map_rates(entry, f"_above_{thousands}k_tokens", factor)
        known = {name: rates[name] if rate is None else rate for name, rate in there.items()}
        tiers.append(PriceTier.model_construct(above_input_tokens=thousands * 1000, **known))
    return Price.model_construct(
        **rates,
        tiers=tuple(tiers),
        batch_percent=_batch_percent(entry),
        source=f"LiteLLM {_installed('litellm')}'s map"
        + ("" if factor == 1 else f", {factor} times in a region"),
        date=today,
    )


@lru_cache(maxsize=8)
def _models(provider_id: str) -> dict[str, Any]:
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 -- takes 0.1 s and is rarely needed

    for provider in get_snapshot().providers:
        if provider.id == provider_id:
            return {model.id: model for model in provider.models}
    return {}


def _terms_on(model: Any, day: date) -> dict[str, Any] | None:
    """Return what a model of the snapshot costs on a day; where that hangs on the hour, its dearest rates."""
    moments = [datetime.combine(day, hour, UTC) for hour in _hours(model)]
    listed = [price for moment in moments if _is_priced(price := model.get_prices(moment))]
    if not listed:
        return None
    starts = sorted({start for price in listed for start in _starts(price)})
    tiers = tuple(PriceTier(above_input_tokens=start, **_rates(listed, start)) for start in starts)
    return {**_rates(listed, 0), "tiers": tiers}


def _changes(model: Any, *, after: date) -> Iterator[PriceChange]:
    """Yield the prices that the snapshot announces for later days: a process may live until then."""
    for day in sorted({start for start in _constraints(model, "start_date") if start > after}):
        terms = _terms_on(model, day)
        if terms is not None:
            yield PriceChange(begins=day, **terms)


def _hours(model: Any) -> set[time]:
    """Return an hour of each part of the day that has a price of its own."""
    begins = {*_constraints(model, "start_time"), *_constraints(model, "end_time")}
    # None of the snapshot's hours is in another zone than UTC.
    return {time(12), *(hour.replace(tzinfo=None) for hour in begins)}


def _constraints(model: Any, name: str) -> list[Any]:
    prices = model.prices if isinstance(model.prices, list) else []
    values = (getattr(price.constraint, name, None) for price in prices)
    return [value for value in values if value is not None]


def _is_priced(listed: Any) -> bool:
    if listed.input_mtok is None or listed.output_mtok is None:
        return False
    return all(name in SNAPSHOT_UNITS for name, rate in vars(listed).items() if rate is not None)


def _rates(listed: Sequence[Any], start: int) -> dict[str, Any]:
    """Return the dearest of several prices for requests with more input than `start`."""
    return {
        name: max(
            (
                rate
                for price in listed
                for unit in (key, *_SNAPSHOT_DEARER.get(name, ()))
                if (rate := _at(getattr(price, unit, None), start)) is not None
            ),
            default=None,
        )
        for name, key in _SNAPSHOT_RATES.items()
    }


def _base(price: Any) -> Any:
    return getattr(price, "base", price)


def _starts(listed: Any) -> set[int]:
    """Return the numbers of input tokens above which other prices begin."""
    return {
        tier.start
        for price in (listed.input_mtok, listed.output_mtok)
        for tier in getattr(price, "tiers", ())
    }


def _at(price: Any, start: int) -> Any:
    reached = [tier.price for tier in getattr(price, "tiers", ()) if tier.start <= start]
    return reached[-1] if reached else _base(price)


@lru_cache(maxsize=1)
def _map() -> Mapping[str, Mapping[str, Any]]:
    """Return LiteLLM's map, its numbers as exact decimals; empty where the package has none."""
    spec = importlib.util.find_spec("litellm")
    if spec is None or spec.origin is None:
        return {}
    path = Path(spec.origin).with_name(_MAP_FILE)
    # Another pinned LiteLLM may keep it elsewhere: then it knows nothing, and says so by knowing nothing.
    entries = json.loads(path.read_bytes(), parse_float=Decimal) if path.is_file() else {}
    return {name: entry for name, entry in entries.items() if isinstance(entry, dict)}


def _map_rates(entry: Mapping[str, Any], suffix: str, factor: Decimal) -> dict[str, Any]:
    rates = {name: _per_mtok(entry.get(key + suffix), factor) for name, key in _MAP_RATES.items()}
    for name, keys in _MAP_DEARER.items():
        own, others = rates[name], (_per_mtok(entry.get(key + suffix), factor) for key in keys)
        if own is not None:
            rates[name] = max(own, *(other for other in others if other is not None), own)
    return rates


def _per_mtok(usd_per_token: Any, factor: Decimal = Decimal(1)) -> NanoUsdPerMtok | None:
    if isinstance(usd_per_token, bool) or not isinstance(usd_per_token, int | Decimal) or usd_per_token < 0:
        return None
    return NanoUsdPerMtok(nano_usd(Decimal(usd_per_token) * TOKENS_PER_MTOK * factor))


def _batch_percent(entry: Mapping[str, Any]) -> BasisPoints:
    """Return the discount of a batch that holds for input and output alike, 0 where there is none."""
    off = []
    for key in (_MAP_RATES["input"], _MAP_RATES["output"]):
        listed, batched = _per_mtok(entry.get(key)), _per_mtok(entry.get(f"{key}_batches"))
        if not listed or batched is None or batched > listed:
            return NOTHING_OFF
        off.append((listed - batched) * 10_000 // listed)
    return BasisPoints(min(off))
