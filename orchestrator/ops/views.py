"""Prices, a refresh of them and their differences, as the plain data that `--json` prints.

A rate is an exact decimal text of dollars per million tokens; None where the source states none.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from orchestrator.catalog.price import Price
from orchestrator.catalog.price_book import Quote
from orchestrator.catalog.rates import Rates
from orchestrator.core.formatting import usd_text
from orchestrator.ops.prices import Comparison, PriceLine, Refreshed, age_days


def plain_prices(lines: Sequence[PriceLine], *, today: date) -> dict[str, Any]:
    """Return every deployment with its price, and what the other sources say of it."""
    return {"today": today.isoformat(), "prices": [_plain_line(line, today) for line in lines]}


def plain_refresh(refreshed: Refreshed) -> dict[str, Any]:
    """Return what a refresh of the live list brought."""
    return {
        "path": str(refreshed.path),
        "fetched_at": refreshed.kept.fetched_at.isoformat(),
        "models": len(refreshed.kept.models),
        "skipped": [{"model": entry.model, "reason": entry.reason} for entry in refreshed.skipped],
        "gone": list(refreshed.gone),
    }


def plain_comparisons(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Return how the prices of config.yaml stand to those of other sources."""
    return {
        "equal": not any(comparison.is_different for comparison in comparisons),
        "prices": [_plain_comparison(comparison) for comparison in comparisons],
    }


def _plain_line(line: PriceLine, today: date) -> dict[str, Any]:
    return {
        "deployment": line.deployment,
        "model": line.model,
        "price": None if line.quote is None else _plain_quote(line.quote, today),
        "others": [_plain_quote(other, today) for other in line.others],
        "ends": line.ends.isoformat() if line.ends else None,
        "warning": line.warning,
    }


def _plain_quote(quote: Quote, today: date) -> dict[str, Any]:
    price = quote.price.on(today)
    return {
        "origin": quote.origin.value,
        "source": price.source,
        "date": price.date.isoformat() if quote.origin.is_dated else None,
        "age_days": age_days(quote, today),
        **_plain_rates(price),
        "tiers": [
            {"above_input_tokens": tier.above_input_tokens, **_plain_rates(tier)} for tier in price.tiers
        ],
        "off_peak": _plain_off_peak(price),
        "batch_percent": price.batch_percent / 100,
        "changes": [
            {"begins": change.begins.isoformat(), **_plain_rates(change)}
            for change in quote.price.changes
            if change.begins > today
        ],
    }


def _plain_rates(rates: Rates) -> dict[str, Any]:
    named = {name: getattr(rates, name) for name in ("input", "output", "cached_input", "cache_write")}
    return {f"{name}_usd_per_mtok": None if rate is None else usd_text(rate) for name, rate in named.items()}


def _plain_off_peak(price: Price) -> dict[str, Any] | None:
    window = price.off_peak
    if window is None:
        return None
    return {
        "begins": f"{window.begins:%H:%M}",
        "ends": f"{window.ends:%H:%M}",
        "time_zone": window.time_zone.key,
        "input_usd_per_mtok": usd_text(window.input),
        "output_usd_per_mtok": usd_text(window.output),
    }


def _plain_comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "deployment": comparison.deployment,
        "verdict": comparison.verdict.value,
        "against": None if comparison.against is None else comparison.against.price.version,
        "ends": comparison.ends.isoformat() if comparison.ends else None,
        "changes": [
            {
                "rate": change.name,
                "stated_usd_per_mtok": usd_text(change.stated),
                "found_usd_per_mtok": usd_text(change.listed),
                "percent": None if change.percent is None else round(change.percent, 2),
            }
            for change in comparison.changes
        ],
    }
