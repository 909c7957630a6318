"""Prices that config.yaml does not state, from the snapshot of the genai-prices package."""

from datetime import UTC, date, datetime, time
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from orchestrator.catalog import Price, PriceTier, ProviderKind

_PROVIDER_IDS = {
    ProviderKind.OPENROUTER: "openrouter",
    ProviderKind.GOOGLE: "google",
    ProviderKind.OPENAI: "openai",
}


def snapshot_price(kind: ProviderKind, upstream: str, *, today: date) -> Price | None:
    """Return what the offline snapshot says a provider charges for its model today, None when it does not know."""
    model = _models(_PROVIDER_IDS.get(kind, "")).get(upstream)
    if model is None:
        return None

    found = model.get_prices(datetime.combine(today, time(12), UTC))
    if found.input_mtok is None or found.output_mtok is None:
        return None
    return Price(
        input=_base(found.input_mtok),
        output=_base(found.output_mtok),
        cached_input=_base(found.cache_read_mtok),
        cache_write=_base(found.cache_write_mtok),
        tiers=_tiers(found),
        source=f"genai-prices {version('genai-prices')}, {_PROVIDER_IDS[kind]}",
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


def _tiers(found: Any) -> tuple[PriceTier, ...]:
    starts = sorted(
        {
            tier.start
            for price in (found.input_mtok, found.output_mtok)
            for tier in getattr(price, "tiers", ())
        }
    )
    return tuple(
        PriceTier(
            above_input_tokens=start,
            input=_at(found.input_mtok, start),
            output=_at(found.output_mtok, start),
            cached_input=_at(found.cache_read_mtok, start),
            cache_write=_at(found.cache_write_mtok, start),
        )
        for start in starts
    )


def _at(price: Any, start: int) -> Any:
    reached = [tier.price for tier in getattr(price, "tiers", ()) if tier.start <= start]
    return reached[-1] if reached else _base(price)
