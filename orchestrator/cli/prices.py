"""`orchestrator prices`: what every deployment costs and who says so, the live list, and what differs."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import AsJson
from orchestrator.cli.output import busy, err, errors_as_json, out, say_json, table
from orchestrator.cli.session import session_of
from orchestrator.core.formatting import usd_text
from orchestrator.core.money import to_usd

if TYPE_CHECKING:
    from datetime import date

    from orchestrator.catalog.price import Price, Rates
    from orchestrator.catalog.price_book import Quote
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

    with errors_as_json(as_json):
        config = session_of(context).config()
        today = SystemClock().now().date()
        lines = price_lines(config, today=today)
    if as_json:
        say_json({"today": today.isoformat(), "prices": [_plain_line(one, today) for one in lines]})
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

    with errors_as_json(as_json), busy("fetching the price list"):
        config = session_of(context).config()
        found = asyncio.run(_refreshed(config))
    if as_json:
        say_json(
            {
                "path": str(found.path),
                "fetched_at": found.kept.fetched_at.isoformat(),
                "models": len(found.kept.models),
                "skipped": [{"model": one.model, "reason": one.reason} for one in found.skipped],
                "gone": list(found.gone),
            }
        )
        return
    out().print(f"{len(found.kept.models):,} prices kept in {found.path}", markup=False, soft_wrap=True)
    if found.gone:
        out().print(f"{len(found.gone):,} models are no longer listed", style="dim")
    for one in found.skipped[:_SKIPPED_SHOWN]:
        err().print(f"left out: {one.model}: {one.reason}", style="yellow", markup=False, soft_wrap=True)
    if len(found.skipped) > _SKIPPED_SHOWN:
        err().print(f"left out: {len(found.skipped) - _SKIPPED_SHOWN} more; --json names all", style="yellow")


@app.command()
def diff(context: typer.Context, as_json: AsJson = False) -> None:
    """Say where config.yaml's prices differ from OpenRouter's list, else genai-prices, else LiteLLM's map.

    Exit code 0: none differs; 1: one differs, or its model has ended. A model that no other source knows is
    named, and is no difference.
    """
    from orchestrator.core.clock import SystemClock
    from orchestrator.ops.prices import PriceDifference, compare

    with errors_as_json(as_json):
        found = compare(session_of(context).config(), today=SystemClock().now().date())
    different = [one for one in found if one.verdict in {PriceDifference.CHANGED, PriceDifference.ENDED}]
    if as_json:
        say_json({"equal": not different, "prices": [_plain_comparison(one) for one in found]})
    else:
        _show_differences(found, different=len(different))
    if different:
        raise typer.Exit(EXIT_DIFFERENT)


async def _refreshed(config: Any) -> "Refreshed":
    from orchestrator.core.clock import SystemClock
    from orchestrator.ops.prices import refresh as fetch
    from orchestrator.providers.account_api import open_session

    async with open_session() as session:
        return await fetch(config, session=session, clock=SystemClock())


def _show_lines(lines: "tuple[PriceLine, ...]", *, today: "date", everything: bool) -> None:
    numbers = ("in", "out", "cached", "age")
    made = table("deployment", *numbers[:3], "source", "date", "age", numbers=numbers)
    for line in lines:
        if line.quote is None:
            made.add_row(line.deployment, "-", "-", "-", "no source knows", "-", "-")
            continue
        made.add_row(line.deployment, *_cells(line.quote, today))
        for other in line.others if everything else ():
            made.add_row("", *_cells(other, today), style="dim")
    console = out()
    console.print(made)
    console.print(
        "USD per million tokens: input / output / cached input. age: days since the source was read.",
        style="dim",
    )
    for line in lines:
        for remark in _remarks(line, today):
            console.print(f"{line.deployment}: {remark}", markup=False, soft_wrap=True)


def _cells(quote: "Quote", today: "date") -> tuple[str, ...]:
    price = quote.price.on(today)
    cached = price.input if price.cached_input is None else price.cached_input
    age_days = _age_days(quote, today)
    aged = ("-", "-") if age_days is None else (price.date.isoformat(), str(age_days))
    return (_usd(price.input), _usd(price.output), _usd(cached), quote.origin.value, *aged)


def _remarks(line: "PriceLine", today: "date") -> list[str]:
    if line.quote is None:
        return []
    price = line.quote.price
    now = price.on(today)
    remarks = [f"above {one.above_input_tokens:,} tokens: {_rates_text(one)}" for one in now.tiers]
    remarks += [f"from {one.begins}: {_rates_text(one)}" for one in price.changes if one.begins > today]
    if now.off_peak:
        window = now.off_peak
        hours = f"{window.begins:%H:%M}-{window.ends:%H:%M} {window.time_zone.key}"
        remarks.append(f"off-peak {hours}: {_usd(window.input)} / {_usd(window.output)}")
    return [*remarks, *([line.warning] if line.warning else [])]


def _show_differences(found: "tuple[Comparison, ...]", *, different: int) -> None:
    from rich.text import Text

    made = table("deployment", "", "what differs", folded=("what differs",))
    for one in found:
        if one.verdict.value == "equal":
            continue
        said = [_change_text(change) for change in one.changes]
        if one.verdict.value == "ended" and one.ends:
            said.insert(0, f"switched off by its vendor on {one.ends}")
        if one.against is not None:
            said.append(f"says {one.against.price.version}")
        else:
            said.append("no other source knows it")
        style = "dim" if one.verdict.value == "unknown" else "yellow"
        made.add_row(one.deployment, Text(one.verdict.value, style=style), "\n".join(said))
    console = out()
    if made.row_count:
        console.print(made)
    told = (
        f"{different} of {len(found)} prices differ" if different else f"none of {len(found)} prices differs"
    )
    console.print(told)


def _change_text(change: "RateChange") -> str:
    how = "" if change.percent is None else f" ({change.percent:+.1f} %)"
    return f"{change.name}: {_usd(change.stated)} → {_usd(change.found)}{how}"


def _rates_text(rates: "Rates") -> str:
    cached = "" if rates.cached_input is None else f" / {_usd(rates.cached_input)}"
    return f"{_usd(rates.input)} / {_usd(rates.output)}{cached}"


def _usd(amount: int) -> str:
    """Return dollars as short as they are exact: `0.25`, `15`."""
    return f"{to_usd(amount).normalize():f}"


def _age_days(quote: "Quote", today: "date") -> int | None:
    return max(0, (today - quote.price.date).days) if quote.origin.is_dated else None


def _plain_line(line: "PriceLine", today: "date") -> dict[str, Any]:
    return {
        "deployment": line.deployment,
        "model": line.model,
        "price": None if line.quote is None else _plain_quote(line.quote, today),
        "others": [_plain_quote(one, today) for one in line.others],
        "ends": line.ends.isoformat() if line.ends else None,
        "warning": line.warning,
    }


def _plain_quote(quote: "Quote", today: "date") -> dict[str, Any]:
    price = quote.price.on(today)
    return {
        "origin": quote.origin.value,
        "source": price.source,
        "date": price.date.isoformat() if quote.origin.is_dated else None,
        "age_days": _age_days(quote, today),
        **_plain_rates(price),
        "tiers": [{"above_input_tokens": one.above_input_tokens, **_plain_rates(one)} for one in price.tiers],
        "off_peak": _plain_window(price),
        "batch_percent": price.batch_percent / 100,
        "changes": [
            {"begins": one.begins.isoformat(), **_plain_rates(one)}
            for one in quote.price.changes
            if one.begins > today
        ],
    }


def _plain_rates(rates: "Rates") -> dict[str, Any]:
    named = {name: getattr(rates, name) for name in ("input", "output", "cached_input", "cache_write")}
    return {f"{name}_usd_per_mtok": None if rate is None else usd_text(rate) for name, rate in named.items()}


def _plain_window(price: "Price") -> dict[str, Any] | None:
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


def _plain_comparison(one: "Comparison") -> dict[str, Any]:
    return {
        "deployment": one.deployment,
        "verdict": one.verdict.value,
        "against": None if one.against is None else one.against.price.version,
        "ends": one.ends.isoformat() if one.ends else None,
        "changes": [
            {
                "rate": change.name,
                "stated_usd_per_mtok": usd_text(change.stated),
                "found_usd_per_mtok": usd_text(change.found),
                "percent": None if change.percent is None else round(change.percent, 2),
            }
            for change in one.changes
        ],
    }
