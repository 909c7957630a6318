"""`orchestrator top`: what happens now, in the terminal, from the ledger alone."""

import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import AsJson
from orchestrator.cli.output import errors_as_json, listed, out, print_json, table
from orchestrator.cli.session import session_of
from orchestrator.core.formatting import percent, seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

    from orchestrator.config.loader import Config
    from orchestrator.ledger.records import BudgetStatus
    from orchestrator.reports.live_numbers import LiveNumbers

_REFRESH_S = 1.0
_MODELS, _BUDGETS, _BAR = 8, 10, 10
_NEARLY, _SPENT = 0.8, 1.0


def top(
    context: typer.Context,
    minutes: Annotated[int, typer.Option(min=1, max=60, help="How far back the numbers go.")] = 5,
    once: Annotated[bool, typer.Option("--once", help="Print once, and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the requests of the last minutes, their errors, latency and cost, and the budgets, each second.

    It needs no server; Ctrl-C ends it. Into a file or a pipe it prints once.
    """
    with errors_as_json(as_json):
        config = session_of(context).config()
        if as_json:
            from orchestrator.reports.ledger_views import plain_budgets

            numbers, budgets = _look(config, minutes)
            print_json({**numbers.as_plain(), "budgets": plain_budgets(budgets)})
        elif once or not sys.stdout.isatty():
            out().print(_screen(*_look(config, minutes)))
        else:
            _live(config, minutes)


def _live(config: "Config", minutes: int) -> None:
    from rich.live import Live

    never = threading.Event()
    with (
        suppress(KeyboardInterrupt),
        Live(_screen(*_look(config, minutes)), console=out(), screen=True, auto_refresh=False) as live,
    ):
        while not never.wait(_REFRESH_S):
            live.update(_screen(*_look(config, minutes)), refresh=True)


def _look(config: "Config", minutes: int) -> "tuple[LiveNumbers, tuple[BudgetStatus, ...]]":
    from orchestrator.core.clock import SystemClock
    from orchestrator.ledger.opening import open_view
    from orchestrator.reports.budget_status import budget_status
    from orchestrator.reports.live_numbers import live_numbers

    now, settings = SystemClock().now(), config.settings
    numbers = live_numbers(open_view(settings.ledger), now=now, window_s=minutes * 60.0)
    return numbers, budget_status(open_view(settings.ledger), config.limits, moment=now)


def _screen(numbers: "LiveNumbers", budgets: "tuple[BudgetStatus, ...]") -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [_summary(numbers)]
    if numbers.models:
        parts += [Text(""), _models(numbers)]
    if budgets:
        parts += [Text(""), _budgets(budgets)]
    return Group(*parts)


def _summary(numbers: "LiveNumbers") -> "RenderableType":
    from orchestrator.core.money import format_usd

    rate = numbers.requests / numbers.window_s
    cost = f"{format_usd(numbers.cost_nusd)}, an hour {format_usd(numbers.cost_per_hour_nusd)}"
    if numbers.shadows:
        cost += f"; {format_usd(numbers.shadows_nusd)} of it for {numbers.shadows:,} shadows of experiments"
    return listed(
        f"the last {numbers.window_s:.0f} s",
        (
            ("requests", f"{numbers.requests:,} ({rate:.2f} a second)"),
            ("errors", f"{percent(numbers.error_share)} ({numbers.errors:,}), degraded {numbers.degraded:,}"),
            ("latency", f"{seconds(numbers.latency_average_s)}, p95 {seconds(numbers.latency_p95_s)}"),
            ("cost", cost),
        ),
    )


def _models(numbers: "LiveNumbers") -> "RenderableType":
    from orchestrator.core.money import format_usd

    listing = table("model", "requests", "cost", numbers=("requests", "cost"))
    for row in numbers.models[:_MODELS]:
        listing.add_row(row.model, f"{row.requests:,}", format_usd(row.cost_nusd))
    return listing


def _budgets(budgets: "tuple[BudgetStatus, ...]") -> "RenderableType":
    """Return the budgets that are used most, each with a bar of what is spent and held."""
    from rich.text import Text

    from orchestrator.core.money import format_usd
    from orchestrator.core.payer import shown_scope

    listing = table("budget", "window", "used", "", "of", numbers=("used", "of"))
    for budget in sorted(budgets, key=_used_share, reverse=True)[:_BUDGETS]:
        share = _used_share(budget)
        filled = min(_BAR, round(share * _BAR))
        style = "red" if share >= _SPENT else "yellow" if share >= _NEARLY else "green"
        bar = Text("█" * filled + "░" * (_BAR - filled), style=style)
        amount = format_usd(budget.limit or 0)
        listing.add_row(shown_scope(budget.scope), budget.window.value, percent(share), bar, amount)
    return listing


def _used_share(budget: "BudgetStatus") -> float:
    """Return what is spent and held of a limit; a limit of nothing is used up."""
    return (budget.spent + budget.held) / budget.limit if budget.limit else 1.0
