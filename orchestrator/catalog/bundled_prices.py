"""Prices that come with installed packages: the snapshot of genai-prices, and LiteLLM's price map.

Both are data. LiteLLM is never imported for it: its map is a JSON file inside the package.
"""

import importlib.util
import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.catalog.price import NOTHING_OFF, BasisPoints, Price
from orchestrator.catalog.rates import PriceTier
from orchestrator.core.money import TOKENS_PER_MTOK, NanoUsdPerMtok, nano_usd

_PROVIDER_IDS = {
    ProviderKind.OPENROUTER: "openrouter",
    ProviderKind.GOOGLE: "google",
    ProviderKind.OPENAI: "openai",
}
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
_DRAWS = frozenset({"image_generation", "image_edit"})
_MAP_THRESHOLD = re.compile(r"^input_cost_per_token_above_(?P<thousands>\d+)k_tokens$")


def snapshot_price(kind: ProviderKind, upstream: str, *, today: date) -> Price | None:
    """Return today's price of a provider's model by the offline snapshot, None when it does not know."""
    model = _models(_PROVIDER_IDS.get(kind, "")).get(upstream)
    if model is None:
        return None

    listed = model.get_prices(datetime.combine(today, time(12), UTC))
    if listed.input_mtok is None or listed.output_mtok is None:
        return None
    return Price(
        input=_base(listed.input_mtok),
        output=_base(listed.output_mtok),
        cached_input=_base(listed.cache_read_mtok),
        cache_write=_base(listed.cache_write_mtok),
        audio_input=_base(getattr(listed, "input_audio_mtok", None)),
        audio_output=_base(getattr(listed, "output_audio_mtok", None)),
        tiers=_tiers(listed),
        source=f"genai-prices {version('genai-prices')}, {_PROVIDER_IDS[kind]}",
        date=today,
    )


def map_price(kind: ProviderKind, upstream: str, *, today: date) -> Price | None:
    """Return a provider's price by LiteLLM's map, None when it does not know or has no price in tokens."""
    if kind not in _MAP_PREFIXES:
        return None
    entry = _map().get(_MAP_PREFIXES[kind] + upstream)
    # The same name may be another provider's.
    if entry is None or entry.get("litellm_provider") != _MAP_OWNERS[kind]:
        return None
    rates = _map_rates(entry, "")
    if rates["input"] is None or rates["output"] is None:
        return None
    if entry.get("mode") in _DRAWS and rates["image_output"] is None:
        # It charges for each picture, which no price of tokens can state.
        return None
    thresholds = sorted(int(match["thousands"]) for key in entry if (match := _MAP_THRESHOLD.match(key)))
    tiers = []
    for thousands in thresholds:
        there = _map_rates(entry, f"_above_{thousands}k_tokens")
        known = {name: rates[name] if rate is None else rate for name, rate in there.items()}
        tiers.append(PriceTier.model_construct(above_input_tokens=thousands * 1000, **known))
    return Price.model_construct(
        **rates,
        tiers=tuple(tiers),
        batch_percent=_batch_percent(entry),
        source=f"LiteLLM {version('litellm')}'s map",
        date=today,
    )


@lru_cache(maxsize=8)
def _models(provider_id: str) -> dict[str, Any]:
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 -- takes 0.1 s and is rarely needed

    for provider in get_snapshot().providers:
        if provider.id == provider_id:
            return {model.id: model for model in provider.models}
    return {}


def _base(price: Any) -> Any:
    return getattr(price, "base", price)


def _tiers(listed: Any) -> tuple[PriceTier, ...]:
    starts = sorted(
        {
            tier.start
            for price in (listed.input_mtok, listed.output_mtok)
            for tier in getattr(price, "tiers", ())
        }
    )
    return tuple(
        PriceTier(
            above_input_tokens=start,
            input=_at(listed.input_mtok, start),
            output=_at(listed.output_mtok, start),
            cached_input=_at(listed.cache_read_mtok, start),
            cache_write=_at(listed.cache_write_mtok, start),
            audio_input=_at(getattr(listed, "input_audio_mtok", None), start),
            audio_output=_at(getattr(listed, "output_audio_mtok", None), start),
        )
        for start in starts
    )


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


def _map_rates(entry: Mapping[str, Any], suffix: str) -> dict[str, Any]:
    return {name: _per_mtok(entry.get(key + suffix)) for name, key in _MAP_RATES.items()}


def _per_mtok(usd_per_token: Any) -> NanoUsdPerMtok | None:
    if isinstance(usd_per_token, bool) or not isinstance(usd_per_token, int | Decimal) or usd_per_token < 0:
        return None
    return NanoUsdPerMtok(nano_usd(Decimal(usd_per_token) * TOKENS_PER_MTOK))


def _batch_percent(entry: Mapping[str, Any]) -> BasisPoints:
    """Return the discount of a batch that holds for input and output alike, 0 where there is none."""
    off = []
    for key in (_MAP_RATES["input"], _MAP_RATES["output"]):
        listed, batched = _per_mtok(entry.get(key)), _per_mtok(entry.get(f"{key}_batches"))
        if not listed or batched is None or batched > listed:
            return NOTHING_OFF
        off.append((listed - batched) * 10_000 // listed)
    return BasisPoints(min(off))
