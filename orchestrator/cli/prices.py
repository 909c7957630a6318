"""`orchestrator prices`: what every deployment costs by which source, the live list, and what differs."""

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import AsJson
from orchestrator.cli.output import busy, err, errors_as_json, out, print_json, table
from orchestrator.cli.session import session_of
from orchestrator.core.formatting import count_text
from orchestrator.core.money import to_usd

if TYPE_CHECKING:
    from datetime import date

    from orchestrator.catalog.price_book import Quote
    from orchestrator.catalog.rates import Rates
    from orchestrator.config.loader import Config
    from orchestrator.ops.prices import Comparison, PriceLine, RateChange, Refreshed

EXIT_DIFFERENT = 1
_SKIPPED_SHOWN = 10

app = typer.Typer(
    help="Show what every deployment costs, by which source and of which day; refresh the live list.",
    invoke_without_command=True,
)


@app.callback()
def show(
    context: typer.Context,
    as_json: AsJson = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what the sources say that are not in force.")
    ] = False,
) -> None:
    """Show every deployment's price in dollars per million tokens, with its source and age.

    The first source that knows decides: config.yaml, OpenRouter's list (kept by `refresh`), the snapshot of
    genai-prices, LiteLLM's map, and prices.assumed_maximum.
    """
    if context.invoked_subcommand is not None:
        return
    from orchestrator.core.clock import SystemClock
    from orchestrator.ops.prices import price_lines
    from orchestrator.ops.views import plain_prices

    with errors_as_json(as_json):
        config = session_of(context).config()
        today = SystemClock().now().date()
        lines = price_lines(config, today=today)
    if as_json:
        print_json(plain_prices(lines, today=today))
        return
    _show_lines(lines, today=today, everything=everything)
    for notice in config.notices:
        if "price" in notice:
            err().print(f"notice: {notice}", style="yellow", markup=False, soft_wrap=True)


@app.command()
def refresh(context: typer.Context, as_json: AsJson = False) -> None:
    """Fetch OpenRouter's price list and keep it with its date. It needs no key, and costs nothing.

    A malformed entry is named and left out. When the list cannot be fetched or kept, the one before stays.
    """
    import asyncio

    from orchestrator.ops.views import plain_refresh

    with errors_as_json(as_json), busy("fetching the price list"):
        config = session_of(context).config()
        refreshed = asyncio.run(_refreshed(config))
    if as_json:
        print_json(plain_refresh(refreshed))
        return
    out().print(
        f"{len(refreshed.kept.models):,} prices kept in {refreshed.path}", markup=False, soft_wrap=True
    )
    if refreshed.gone:
        out().print(f"no longer listed: {count_text(len(refreshed.gone), 'model')}", style="dim")
    for entry in refreshed.skipped[:_SKIPPED_SHOWN]:
        err().print(f"left out: {entry.model}: {entry.reason}", style="yellow", markup=False, soft_wrap=True)
    if len(refreshed.skipped) > _SKIPPED_SHOWN:
        err().print(
            f"left out: {len(refreshed.skipped) - _SKIPPED_SHOWN} more; --json names all", style="yellow"
        )


@app.command()
def diff(context: typer.Context, as_json: AsJson = False) -> None:
    """Say where config.yaml's prices differ from OpenRouter's list, else genai-prices, else LiteLLM's map.

    Exit code 0: none differs; 1: one differs, or its model has ended. A model that no other source knows is
    named, and is no difference.
    """
    from orchestrator.core.clock import SystemClock
    from orchestrator.ops.prices import compare
    from orchestrator.ops.views import plain_comparisons

    with errors_as_json(as_json):
        comparisons = compare(session_of(context).config(), today=SystemClock().now().date())
    different = sum(comparison.is_different for comparison in comparisons)
    if as_json:
        print_json(plain_comparisons(comparisons))
    else:
        _show_differences(comparisons, different=different)
    if different:
        raise typer.Exit(EXIT_DIFFERENT)


async def _refreshed(config: "Config") -> "Refreshed":
    from orchestrator.core.clock import SystemClock
    from orchestrator.ops.prices import refresh as fetch
    from orchestrator.providers.account_api import open_session

    async with open_session() as session:
        return await fetch(config, session=session, clock=SystemClock())


def _show_lines(lines: "tuple[PriceLine, ...]", *, today: "date", everything: bool) -> None:
    numbers = ("in", "out", "cached", "age")
    columns = ("deployment", *numbers[:3], "source", "date", "age")
    listing = table(*columns, numbers=numbers, grouped=everything)
    for line in lines:
        if line.quote is None:
            listing.add_row(line.deployment, "-", "-", "-", "no source knows", "-", "-")
            continue
        listing.add_row(line.deployment, *_cells(line.quote, today))
        for other in line.others if everything else ():
            listing.add_row(line.deployment, *_cells(other, today), style="dim")
    console = out()
    console.print(listing)
    console.print(
        "USD per million tokens: input / output / cached input. age: days since the source was read.",
        style="dim",
    )
    for line in lines:
        for remark in _remarks(line, today):
            console.print(f"{line.deployment}: {remark}", markup=False, soft_wrap=True)


def _cells(quote: "Quote", today: "date") -> tuple[str, ...]:
    from orchestrator.ops.prices import age_days

    price = quote.price.on(today)
    cached = price.input if price.cached_input is None else price.cached_input
    age = age_days(quote, today)
    aged = ("-", "-") if age is None else (price.date.isoformat(), str(age))
    return (_usd(price.input), _usd(price.output), _usd(cached), quote.origin.value, *aged)


def _remarks(line: "PriceLine", today: "date") -> list[str]:
    if line.quote is None:
        return []
    price = line.quote.price
    now = price.on(today)
    remarks = [f"above {tier.above_input_tokens:,} tokens: {_rates_text(tier)}" for tier in now.tiers]
    remarks += [
        f"from {change.begins}: {_rates_text(change)}" for change in price.changes if change.begins > today
    ]
    if now.off_peak:
        window = now.off_peak
        hours = f"{window.begins:%H:%M}-{window.ends:%H:%M} {window.time_zone.key}"
        remarks.append(f"off-peak {hours}: {_usd(window.input)} / {_usd(window.output)}")
    return [*remarks, *([line.warning] if line.warning else [])]


def _show_differences(comparisons: "tuple[Comparison, ...]", *, different: int) -> None:
    from rich.text import Text

    differences = table("deployment", "", "what differs", folded=("what differs",))
    for comparison in comparisons:
        if comparison.verdict.value == "equal":
            continue
        remarks = [_change_text(change) for change in comparison.changes]
        if comparison.verdict.value == "ended" and comparison.ends:
            remarks.insert(0, f"switched off by its vendor on {comparison.ends}")
        if comparison.against is not None:
            remarks.append(f"says {comparison.against.price.version}")
        else:
            remarks.append("no other source knows it")
        style = "dim" if comparison.verdict.value == "unknown" else "yellow"
        differences.add_row(
            comparison.deployment, Text(comparison.verdict.value, style=style), "\n".join(remarks)
        )
    console = out()
    if differences.row_count:
        console.print(differences)
    count = len(comparisons)
    console.print(f"{different} of {count} prices differ" if different else f"none of {count} prices differs")


def _change_text(change: "RateChange") -> str:
    how = "" if change.percent is None else f" ({change.percent:+.1f} %)"
    return f"{change.name}: {_usd(change.stated)} → {_usd(change.listed)}{how}"


def _rates_text(rates: "Rates") -> str:
    cached = "" if rates.cached_input is None else f" / {_usd(rates.cached_input)}"
    return f"{_usd(rates.input)} / {_usd(rates.output)}{cached}"


def _usd(amount: int) -> str:
    """Return dollars as short as they are exact: `0.25`, `15`."""
    return f"{to_usd(amount).normalize():f}"
