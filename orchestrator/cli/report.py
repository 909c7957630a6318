"""`orchestrator report`: what a month cost, who answered, and how the budgets stand."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import AsJson
from orchestrator.cli.output import CommandError, busy, errors_as_json, out, say_json, table, write
from orchestrator.cli.session import session_of
from orchestrator.core.formatting import money, percent, seconds, usd_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from orchestrator.config.loader import Config
    from orchestrator.ledger.ledger import BudgetStatus
    from orchestrator.reports.monthly import MonthReport, Part

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_MODELS_SHOWN = 10
_SOURCES = {
    "provider": "the provider said so",
    "price_book": "its tokens times our price",
    "estimate": "our count of what arrived",
    "bound": "the most it can have cost: nobody can say whether it is billed",
}


def report(
    context: typer.Context,
    month: Annotated[str | None, typer.Option(help="YYYY-MM; this month if left out.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant.")] = None,
    as_json: AsJson = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print one row a model, use case and tenant.")
    ] = False,
) -> None:
    """Report a month: total, requests, average, success rate, top models, use cases, tenants, budgets."""
    with errors_as_json(as_json):
        if month is not None and not _MONTH.fullmatch(month):
            raise CommandError(f"--month '{month}': write it as YYYY-MM, for example 2026-11")
        if as_json and as_csv:
            raise CommandError("choose one of --json and --csv")
        with busy("reading the ledger"):
            made, standing = month_of(session_of(context).config(), month=month, tenant=tenant)
    if as_json:
        say_json(plain_report(made, standing))
    elif as_csv:
        write(csv_text(made))
    else:
        show_report(out(), made, standing)


def month_of(
    config: "Config", *, month: str | None, tenant: str | None
) -> "tuple[MonthReport, tuple[BudgetStatus, ...]]":
    """Return a month's report and, for the current month, how the budgets stand."""
    from orchestrator.core.clock import SystemClock
    from orchestrator.ledger.budgets import period_of
    from orchestrator.ledger.sqlite.reader import LedgerReader
    from orchestrator.reports.budget_status import standings
    from orchestrator.reports.monthly import month_report

    budgets = config.settings.budgets
    now = SystemClock().now()
    this_month = period_of(now, budgets.time_zone).month
    path = Path(config.settings.ledger.path).expanduser()
    made = month_report(LedgerReader(path), month=month or this_month, tenant=tenant)
    if made.month != this_month:
        return made, ()
    scopes = None if tenant is None else ("all", f"tenant:{tenant}")
    return made, standings(LedgerReader(path), budgets, moment=now, scopes=scopes)


def show_report(console: "Console", made: "MonthReport", standing: "tuple[BudgetStatus, ...]") -> None:
    """Print a report for people."""
    from orchestrator.cli.route import standing_table

    whose = f", tenant {made.tenant}" if made.tenant else ""
    if made.is_empty:
        console.print(
            f"Nothing was booked in {made.month}{whose}. 'orchestrator ask' books its first request; "
            "'orchestrator demo' shows a filled report.",
            markup=False,
        )
    else:
        console.print(f"{made.month}{whose}", style="bold", markup=False)
        for line in headlines(made):
            console.print(f"  {line}", markup=False)
        for title, parts in (("model", made.models), ("use case", made.use_cases), ("tenant", made.tenants)):
            console.print()
            console.print(part_table(title, parts[:_MODELS_SHOWN]))
            if len(parts) > _MODELS_SHOWN:
                console.print(f"and {len(parts) - _MODELS_SHOWN} more; --csv lists all", style="dim")
    if standing:
        console.print()
        console.print(standing_table(standing))


def headlines(made: "MonthReport") -> Iterator[str]:
    """Yield the totals of a month, one a line."""
    from orchestrator.core.money import format_usd

    average = "-" if made.average_cost_nusd is None else format_usd(made.average_cost_nusd)
    yield f"{format_usd(made.cost_nusd)} for {made.requests:,} requests, {average} each on average"
    refused = made.outcomes.get("refused", 0)
    cancelled = made.outcomes.get("cancelled", 0)
    failed = made.outcomes.get("failed", 0)
    yield (
        f"{percent(made.success_rate)} succeeded ({failed:,} failed); "
        f"{refused:,} refused before a send, {cancelled:,} cancelled"
    )
    yield (
        f"{made.cache_hits:,} from the cache, {made.joined:,} shared another's answer, "
        f"{made.stale:,} got an older answer, {made.degraded:,} degraded, {seconds(made.average_latency_s)} on average"
    )
    for name in ("estimate", "bound"):
        if made.cost_by_source.get(name):
            yield f"{format_usd(made.cost_by_source[name])} of it is booked by {name}: {_SOURCES[name]}"


def part_table(title: str, parts: "tuple[Part, ...]") -> "RenderableType":
    """Return models, use cases or tenants as a table."""
    from orchestrator.core.money import format_usd

    count = "sends" if title == "model" else "requests"
    numbers = (count, "share", "cost", "average", "latency", "success")
    made = table(title, *numbers, numbers=numbers, folded=(title,))
    for one in parts:
        average = "-" if one.average_cost_nusd is None else format_usd(one.average_cost_nusd)
        made.add_row(
            one.name,
            f"{one.requests:,}",
            percent(one.share),
            format_usd(one.cost_nusd),
            average,
            seconds(one.average_latency_s),
            percent(one.success_rate),
        )
    return made


def plain_report(made: "MonthReport", standing: "tuple[BudgetStatus, ...]") -> dict[str, Any]:
    """Return a report for JSON, money exact."""
    from orchestrator.cli.route import plain_standing

    return {
        "month": made.month,
        "tenant": made.tenant,
        "requests": made.requests,
        "outcomes": dict(made.outcomes),
        **money("cost", made.cost_nusd),
        **money("average_cost", made.average_cost_nusd),
        "average_latency_s": made.average_latency_s,
        "success_rate": made.success_rate,
        "cache_hits": made.cache_hits,
        "joined": made.joined,
        "stale": made.stale,
        "degraded": made.degraded,
        "cost_by_source": {name: money("cost", amount) for name, amount in made.cost_by_source.items()},
        "models": [_plain_part(one) for one in made.models],
        "use_cases": [_plain_part(one) for one in made.use_cases],
        "tenants": [_plain_part(one) for one in made.tenants],
        "budgets": [plain_standing(one) for one in standing],
    }


def _plain_part(part: "Part") -> dict[str, Any]:
    return {
        "name": part.name,
        "requests": part.requests,
        "share": part.share,
        **money("cost", part.cost_nusd),
        **money("average_cost", part.average_cost_nusd),
        "average_latency_s": part.average_latency_s,
        "success_rate": part.success_rate,
    }


def csv_text(made: "MonthReport") -> str:
    """Return a report as CSV: the total, then each model, use case and tenant."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(
        ("month", "group", "name", "requests", "share", "cost_usd", "cost_nusd", "average_cost_usd",
         "average_latency_s", "success_rate")
    )  # fmt: skip
    total: tuple[str, str, float, MonthReport | Part] = (
        "total",
        made.tenant or "all",
        float(made.requests > 0),
        made,
    )
    groups = (("model", made.models), ("use_case", made.use_cases), ("tenant", made.tenants))
    for group, name, share, one in (
        total,
        *((group, one.name, one.share, one) for group, parts in groups for one in parts),
    ):
        average = "" if one.average_cost_nusd is None else usd_text(one.average_cost_nusd)
        costs = (usd_text(one.cost_nusd), one.cost_nusd, average)
        measured = (_blank(one.average_latency_s), _blank(one.success_rate))
        rows.writerow((made.month, group, name, one.requests, f"{share:.6f}", *costs, *measured))
    return text.getvalue()


def _blank(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
