"""Amounts, shares and durations as text, for people and for JSON."""

from typing import Any

from orchestrator.core.money import to_usd


def usd_text(amount: int) -> str:
    """Return nano-dollars as an exact decimal text of dollars: `0.00002055`."""
    return f"{to_usd(amount):f}"


def money(name: str, amount: int | None) -> dict[str, Any]:
    """Return an amount for JSON: whole nano-dollars, and dollars as an exact text."""
    return {f"{name}_nusd": amount, f"{name}_usd": None if amount is None else usd_text(amount)}


def count_text(count: int, noun: str) -> str:
    """Return `1 reply`, `1,200 replies`: a count with its noun, which is written for a single one."""
    several = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else several}"


def percent(share: float | None) -> str:
    """Return `98.5 %`, or a dash for what is not known."""
    return "-" if share is None else f"{share * 100:.1f} %"


def rate_text(rate: float) -> str:
    """Return `12.5`, and `<0.1` of what is more than nothing and would read as nothing."""
    return "<0.1" if 0 < rate < 0.05 else f"{rate:,.1f}"  # noqa: PLR2004


def seconds(duration_s: float | None) -> str:
    """Return `0.4 ms`, `12 ms`, `0.42 s`, or a dash for what is not known."""
    if duration_s is None:
        return "-"
    if duration_s < 0.01:  # noqa: PLR2004
        return f"{duration_s * 1000:.1f} ms"
    return f"{duration_s * 1000:.0f} ms" if duration_s < 0.1 else f"{duration_s:.2f} s"  # noqa: PLR2004
