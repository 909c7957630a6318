"""`orchestrator report`: what a month cost, which models answered, and how the budgets stand."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import AsJson
from orchestrator.cli.output import CommandError, busy, errors_as_json, out, print_json, table, write
from orchestrator.cli.session import session_of
from orchestrator.core.formatting import percent, seconds

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
    "estimate": "an estimate",
    "bound": "the most it can have cost: nobody can say whether it is billed",
    "operator": "a person corrected it, see 'orchestrator ledger export'",
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
            monthly, budgets = month_of(session_of(context).config(), month=month, tenant=tenant)
    if as_json:
        from orchestrator.reports.ledger_views import plain_report

        print_json(plain_report(monthly, budgets))
    elif as_csv:
        from orchestrator.reports.month_csv import month_csv

        write(month_csv(monthly))
    else:
        show_report(out(), monthly, budgets)


def month_of(
    config: "Config", *, month: str | None, tenant: str | None
) -> "tuple[MonthReport, tuple[BudgetStatus, ...]]":
    """Return the report of a month and, for the current month, how the budgets stand."""
    from orchestrator.core.clock import SystemClock
    from orchestrator.ledger.budgets import period_of
    from orchestrator.ledger.opening import open_view
    from orchestrator.reports.budget_status import budget_status
    from orchestrator.reports.monthly import month_report

    settings = config.settings.budgets
    now = SystemClock().now()
    this_month = period_of(now, settings.time_zone).month
    report = month_report(open_view(config.settings.ledger), month=month or this_month, tenant=tenant)
    if report.month != this_month:
        return report, ()
    scopes = None if report.tenant is None else ("all", f"tenant:{report.tenant}")
    return report, budget_status(open_view(config.settings.ledger), settings, moment=now, scopes=scopes)


def show_report(console: "Console", report: "MonthReport", budgets: "tuple[BudgetStatus, ...]") -> None:
    """Print a report for people."""
    from orchestrator.cli.route import budget_table

    whose = f", tenant {report.tenant}" if report.tenant else ""
    if report.is_empty:
        console.print(
            f"Nothing was booked in {report.month}{whose}. 'orchestrator ask' books its first request; "
            "'orchestrator demo' shows a filled report.",
            markup=False,
        )
    else:
        console.print(f"{report.month}{whose}", style="bold", markup=False)
        for line in headlines(report):
            console.print(f"  {line}", markup=False)
        for title, parts in (
            ("model", report.models),
            ("use case", report.use_cases),
            ("tenant", report.tenants),
        ):
            console.print()
            console.print(part_table(title, parts[:_MODELS_SHOWN]))
            if len(parts) > _MODELS_SHOWN:
                console.print(f"and {len(parts) - _MODELS_SHOWN} more; --csv lists all", style="dim")
    if budgets:
        console.print()
        console.print(budget_table(budgets))


def headlines(report: "MonthReport") -> Iterator[str]:
    """Yield the totals of a month, one a line."""
    from orchestrator.core.money import format_usd

    average = "-" if report.average_cost_nusd is None else format_usd(report.average_cost_nusd)
    yield f"{format_usd(report.cost_nusd)} for {report.requests:,} requests, {average} each on average"
    refused = report.outcomes.get("refused", 0)
    cancelled = report.outcomes.get("cancelled", 0)
    failed = report.outcomes.get("failed", 0)
    yield (
        f"{percent(report.success_rate)} succeeded ({failed:,} failed); "
        f"{refused:,} refused before a send, {cancelled:,} cancelled"
    )
    yield (
        f"{report.cache_hits:,} from the cache, {report.joined:,} shared another's answer, "
        f"{report.stale:,} got an older answer, {report.degraded:,} degraded, "
        f"{seconds(report.average_latency_s)} on average"
    )
    for name in ("estimate", "bound"):
        if report.cost_by_source.get(name):
            yield f"{format_usd(report.cost_by_source[name])} of it is booked by {name}: {_SOURCES[name]}"


def part_table(title: str, parts: "tuple[Part, ...]") -> "RenderableType":
    """Return models, use cases or tenants as a table."""
    from orchestrator.core.money import format_usd

    count = "sends" if title == "model" else "requests"
    numbers = (count, "share", "cost", "average", "latency", "success")
    listing = table(title, *numbers, numbers=numbers, folded=(title,))
    for part in parts:
        average = "-" if part.average_cost_nusd is None else format_usd(part.average_cost_nusd)
        listing.add_row(
            part.name,
            f"{part.requests:,}",
            percent(part.share),
            format_usd(part.cost_nusd),
            average,
            seconds(part.average_latency_s),
            percent(part.success_rate),
        )
    return listing
