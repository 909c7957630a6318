"""`orchestrator report`: what some days cost, who answered, how quickly, what was saved, what to change."""

from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from orchestrator.cli.options import AsJson, Since, Until
from orchestrator.cli.output import (
    CommandError,
    busy,
    errors_as_json,
    out,
    print_indented,
    print_json,
    table,
    write,
)
from orchestrator.cli.session import session_of
from orchestrator.core.figures import Figures
from orchestrator.core.language import Language
from orchestrator.core.names import ARM_TAG

if TYPE_CHECKING:
    from datetime import date, datetime

    from rich.console import Console, RenderableType
    from rich.table import Table

    from orchestrator.config.loader import Config
    from orchestrator.ledger.ledger import BudgetStatus
    from orchestrator.ledger.store import LedgerView
    from orchestrator.reports.analysis import Analysis
    from orchestrator.reports.span import Span
    from orchestrator.reports.usage_report import Part, UsageReport

_PARTS_SHOWN = 10
_INNER = "   "


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """Which days are reported, and whose; this month and everybody's when nothing is said."""

    month: str | None = None
    day: str | None = None
    since: str | None = None
    until: str | None = None
    names: dict[str, str | None] = field(default_factory=dict)
    """Tenant, use case, user and tag."""


def report(  # noqa: PLR0913 -- each is an option
    context: typer.Context,
    *,
    month: Annotated[str | None, typer.Option(help="YYYY-MM; this month if nothing is said.")] = None,
    day: Annotated[str | None, typer.Option(help="YYYY-MM-DD, one day.")] = None,
    since: Since = None,
    until: Until = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant.")] = None,
    use_case: Annotated[str | None, typer.Option("--use-case", help="Only this use case.")] = None,
    user: Annotated[str | None, typer.Option(help="Only this user.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only requests with this tag.")] = None,
    as_json: AsJson = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print one row a day, model, use case, tenant, user and tag.")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Write one page that needs nothing else.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write the rows of --csv as Parquet.")] = None,
    language: Annotated[Language, typer.Option(help="Of the page, and of what is printed.")] = Language.EN,
) -> None:
    """Report some days: cost, trend, models, speed, savings, forecast, what to change, budgets.

    A report is of whole days, of --since and --until of those in which they lie.
    """
    with errors_as_json(as_json):
        if as_json and as_csv:
            raise CommandError("choose one of --json and --csv")
        if tag is not None and tag.startswith(ARM_TAG):
            raise CommandError(
                f"--tag {tag}: sides of experiments are compared by 'orchestrator experiment show', and their "
                "requests listed by 'orchestrator requests --tag'"
            )
        names = {"tenant": tenant, "use_case": use_case, "user": user, "tag": tag}
        options = ReportOptions(month, day, since, until, names)
        with busy("reading the ledger"):
            result, budgets = analysed(session_of(context).config(), options)
        written = _written(result, html=html, parquet=parquet, language=language)
        meant = _meant(session_of(context).config(), result, language) if result.report.is_empty else ""
    if as_json:
        from orchestrator.reports.report_views import plain_analysis

        print_json(plain_analysis(result, budgets))
    elif as_csv:
        from orchestrator.reports.report_rows import report_csv

        write(report_csv(result.report))
    elif written:
        for path in written:
            out().print(f"wrote {path}", markup=False)
    else:
        show_report(out(), result, budgets, language, meant=meant)


def analysed(config: "Config", options: ReportOptions) -> "tuple[Analysis, tuple[BudgetStatus, ...]]":
    """Return what is said of some days and, of a range with today in it, how the budgets stand.

    Raises:
        OrchestratorError: the range is none, a name is none, or the ledger cannot be read.
    """
    from datetime import date, timedelta

    from orchestrator.core.clock import SystemClock
    from orchestrator.ledger.budgets import period_of
    from orchestrator.ledger.opening import open_view
    from orchestrator.reports.analysis import analysis
    from orchestrator.reports.budget_status import budget_status
    from orchestrator.reports.forecast import HISTORY_DAYS
    from orchestrator.reports.usage_report import Filter

    now, view = SystemClock().now(), open_view(config.settings.ledger)
    zone = _zone_of(config, view)
    today = date.fromisoformat(period_of(now, zone).day)
    span, of = _span_of(options, now, zone), Filter(**options.names)
    _sum_closed_days(config, min(span.before.first, today - timedelta(days=HISTORY_DAYS)))
    result = analysis(view, config, span, of=of, today=today)
    tenant = result.report.of.tenant
    if not span.first <= today <= span.last:
        return result, ()
    scopes = None if tenant is None else ("all", f"tenant:{tenant}")
    return result, budget_status(view, config.limits, moment=now, scopes=scopes)


def _zone_of(config: "Config", view: "LedgerView") -> str:
    """Return the zone of days: the ledger's own, whatever config.yaml says by now."""
    zone = config.settings.budgets.time_zone
    if not view.exists:
        return zone
    with view:
        return view.time_zone or zone


def _sum_closed_days(config: "Config", since: "date") -> None:
    """Sum what this report and the next one will read; a ledger that may not be written is read as it is."""
    from orchestrator.core.clock import SystemClock
    from orchestrator.core.errors import LedgerError
    from orchestrator.ledger.budgets import Limits
    from orchestrator.ledger.closed_days import sum_closed_days
    from orchestrator.ledger.opening import open_ledger

    budgets, clock = config.settings.budgets, SystemClock()
    ledger = open_ledger(config.settings.ledger, limits=Limits(budgets), clock=clock)
    with suppress(LedgerError), closing(ledger):
        sum_closed_days(ledger.store, now=clock.now(), time_zone=budgets.time_zone, since=f"{since}")


def _span_of(options: ReportOptions, now: "datetime", zone: str) -> "Span":
    from orchestrator.reports.span import Span

    ranged = options.since is not None or options.until is not None
    if (options.month is not None) + (options.day is not None) + ranged > 1:
        raise CommandError("choose one of --month, --day, and --since with --until")
    if options.day is not None:
        return Span.of_day(options.day)
    if ranged:
        return Span.between(options.since, options.until, now=now, time_zone=zone)
    return Span.of_month(options.month or f"{now.astimezone(ZoneInfo(zone)):%Y-%m}")


def _written(
    result: "Analysis", *, html: Path | None, parquet: Path | None, language: Language
) -> tuple[Path, ...]:
    """Write the files that are asked for, and return which."""
    if html is not None:
        from orchestrator.reports.export import exported_file
        from orchestrator.reports.html_page import report_page

        with exported_file(html) as unfinished:
            unfinished.write_text(report_page(result, language), encoding="utf-8")
    if parquet is not None:
        from orchestrator.reports.report_rows import write_report_parquet

        write_report_parquet(result.report, parquet)
    return tuple(path for path in (html, parquet) if path is not None)


def _meant(config: "Config", result: "Analysis", language: Language) -> str:
    """Return what follows an empty report: the names that were meant, or what fills the days with today."""
    from orchestrator.cli.booked_names import hint_of_booked
    from orchestrator.cli.report_text import LINES
    from orchestrator.core.clock import SystemClock
    from orchestrator.ledger.opening import open_view

    of, span = asdict(result.report.of), result.report.span
    view = open_view(config.settings.ledger)
    if not any(of.values()):
        today = SystemClock().now().astimezone(ZoneInfo(_zone_of(config, view))).date()
        return LINES[language]["fill"] if span.first <= today <= span.last else ""
    months = {f"{span.first:%Y-%m}", f"{span.last:%Y-%m}"}
    return hint_of_booked(view, of, months=months, language=language)


def show_report(
    console: "Console",
    result: "Analysis",
    budgets: "tuple[BudgetStatus, ...]",
    language: Language,
    *,
    meant: str,
) -> None:
    """Print a report for people; `meant` follows where nothing was booked."""
    from orchestrator.cli.report_text import LINES, days_in, findings, headlines
    from orchestrator.cli.route import budget_table
    from orchestrator.reports.report_words import filter_in, phrase_in

    report = result.report
    days = days_in(report.span.label, language)
    whose = f", {filter_in(report.of, language)}" if report.of.label else ""
    if report.is_empty:
        console.print(LINES[language]["empty"].format(days=days, whose=whose) + meant, markup=False)
    else:
        console.print(f"{days}{whose}", style="bold", markup=False)
        notices = (phrase_in(notice, language) for notice in report.notices)
        for line in (*headlines(report, language), *findings(result, language), *notices):
            print_indented(console, line)
        _show_parts(console, report, language)
        _show_recommendations(console, result, language)
    if budgets:
        console.print()
        console.print(budget_table(budgets, language))


def _show_parts(console: "Console", report: "UsageReport", language: Language) -> None:
    from orchestrator.cli.report_text import LINES
    from orchestrator.reports.report_rows import groups

    for title, parts in groups(report):
        if not parts:
            continue
        console.print()
        console.print(part_table(title.replace("_", " "), parts[:_PARTS_SHOWN], language))
        if len(parts) > _PARTS_SHOWN:
            console.print(LINES[language]["more"].format(count=len(parts) - _PARTS_SHOWN), style="dim")
    if any(part.latency for part in report.models):
        console.print()
        console.print(_speed_table(report.models[:_PARTS_SHOWN], language))


def _show_recommendations(console: "Console", result: "Analysis", language: Language) -> None:
    from orchestrator.cli.report_text import advice
    from orchestrator.reports.report_words import phrase_in, title_of

    for number, change in enumerate(result.recommendations, start=1):
        console.print()
        console.print(f"{number}. {title_of(change, language)}", style="bold", markup=False)
        for line in advice(change, language):
            print_indented(console, line, indent=_INNER)
        for line in phrase_in(change.apply, language).splitlines():
            # To be copied: it is not broken.
            console.print(f"{_INNER}| {line}", markup=False, no_wrap=True, overflow="ignore")


def part_table(title: str, parts: "tuple[Part, ...]", language: Language) -> "RenderableType":
    """Return models, use cases or tenants as a table."""
    figures, count = Figures(language), "sends" if title == "model" else "requests"
    listing = _titled(title, (count, "share", "cost", "average", "latency", "success"), language)
    for part in parts:
        listing.add_row(
            part.name,
            figures.count(part.requests),
            figures.share(part.share),
            figures.usd(part.cost_nusd),
            figures.usd(part.average_cost_nusd),
            figures.duration(part.average_latency_s),
            figures.share(part.success_rate),
        )
    return listing


def _speed_table(parts: "tuple[Part, ...]", language: Language) -> "RenderableType":
    figures = Figures(language)
    listing = _titled("model", ("p50", "p95", "first p50", "first p95", "tokens/s"), language)
    for part in parts:
        latency, first = part.latency, part.first_token
        listing.add_row(
            part.name,
            figures.duration(latency.p50_s if latency else None),
            figures.duration(latency.p95_s if latency else None),
            figures.duration(first.p50_s if first else None),
            figures.duration(first.p95_s if first else None),
            "-" if part.output_tokens_per_s is None else figures.said(f"{part.output_tokens_per_s:,.0f}"),
        )
    return listing


def _titled(title: str, numbers: tuple[str, ...], language: Language) -> "Table":
    from orchestrator.cli.report_text import title_in

    titles = [title_in(name, language) for name in numbers]
    return table(title_in(title, language), *titles, numbers=titles)
