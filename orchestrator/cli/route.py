"""`orchestrator route`: whom a prompt would be put to, and why; nothing is sent."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import AsJson, MaxTokens, Model, Prompt, Tags, Tenant, UseCase, User, wanted_of
from orchestrator.cli.output import errors_as_json, out, say_json, table
from orchestrator.cli.prompts import read_prompt
from orchestrator.cli.session import session_of
from orchestrator.core.formatting import money

if TYPE_CHECKING:
    from rich.console import RenderableType

    from orchestrator.client import Orchestrator
    from orchestrator.core.plan import Plan
    from orchestrator.core.request import ChatRequest
    from orchestrator.ledger.ledger import BudgetStatus


def route(  # noqa: PLR0913, PLR0917 -- an argument for each option
    context: typer.Context,
    prompt: Prompt = None,
    use_case: UseCase = None,
    tenant: Tenant = "default",
    user: User = None,
    tags: Tags = None,
    model: Model = None,
    max_tokens: MaxTokens = None,
    max_cost_usd: Annotated[
        str | None, typer.Option(help="The most the request may cost, in dollars.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the plan for a prompt: ranked, scored, priced, with reasons. A dry run: nothing is sent."""
    with errors_as_json(as_json):
        wanted = wanted_of(
            use_case=use_case, tenant=tenant, user=user, tags=tags, model=model, max_tokens=max_tokens,
            max_cost_nusd=_nano_usd(max_cost_usd),
        )  # fmt: skip
        text = read_prompt(prompt)
        with session_of(context).orchestrator() as orchestrator:
            request = _request(orchestrator, text, wanted)
            plan = orchestrator.explain(request)
            standing = budget_standing(orchestrator, request)
    if as_json:
        from orchestrator.reports.views import plain_plan

        say_json({**plain_plan(plan), "budgets": [plain_standing(one) for one in standing]})
        return
    _show(plan, standing)


def _nano_usd(text: str | None) -> int | None:
    from orchestrator.cli.output import CommandError
    from orchestrator.core.money import nano_usd

    try:
        return None if text is None else nano_usd(text)
    except ValueError as exc:
        raise CommandError(f"--max-cost-usd: {exc}") from None


def _request(orchestrator: "Orchestrator", prompt: str, wanted: dict[str, Any]) -> "ChatRequest":
    from orchestrator.core.request import ChatRequest

    wanted.setdefault("use_case", orchestrator.config.settings.default_use_case)
    return ChatRequest.of(prompt, **wanted)


def budget_standing(orchestrator: "Orchestrator", request: "ChatRequest") -> "tuple[BudgetStatus, ...]":
    """Return how the budgets stand that a request would count against."""
    from pathlib import Path

    from orchestrator.core.clock import SystemClock
    from orchestrator.ledger.budgets import scopes_of
    from orchestrator.ledger.sqlite.reader import LedgerReader
    from orchestrator.reports.budget_status import standings

    settings = orchestrator.config.settings
    scopes = scopes_of(
        tenant=request.tenant, use_case=request.use_case, user=request.user, provider="", tags=request.tags
    )
    reader = LedgerReader(Path(settings.ledger.path).expanduser())
    return standings(reader, settings.budgets, moment=SystemClock().now(), scopes=scopes)


def plain_standing(standing: "BudgetStatus") -> dict[str, Any]:
    """Return a budget's standing for JSON."""
    return {
        "scope": standing.scope,
        "window": standing.window.value,
        "period": standing.period,
        **money("limit", standing.limit),
        **money("spent", standing.spent),
        **money("held", standing.held),
        **money("left", standing.left),
        "resets_at": standing.resets_at.isoformat(),
    }


def standing_table(standing: "tuple[BudgetStatus, ...]") -> "RenderableType":
    """Return the budgets as a table."""
    from orchestrator.core.money import format_usd

    made = table(
        "budget",
        "window",
        "limit",
        "spent",
        "held",
        "left",
        "resets",
        numbers=("limit", "spent", "held", "left"),
    )
    for one in standing:
        amounts = [
            format_usd(one.limit or 0),
            format_usd(one.spent),
            format_usd(one.held),
            format_usd(one.left or 0),
        ]
        made.add_row(one.scope, one.window.value, *amounts, f"{one.resets_at:%d %b %H:%M}")
    return made


def _show(plan: "Plan", standing: "tuple[BudgetStatus, ...]") -> None:
    from orchestrator.core.money import format_usd

    console = out()
    first, count = plan.asked[0], len(plan.asked)
    console.print(
        f"{plan.use_case}: about {first.input_expected_tokens:,} tokens in, at most {first.max_tokens:,} out, "
        f"{count} deployment{'s' if count != 1 else ''}, best first\n"
    )
    numbers = ("score", "qual cost speed spec", "expected", "at most")
    ranked = table("deployment", *numbers, numbers=numbers, folded=("deployment",))
    for one in plan.asked:
        quality, cost, speed, special = (
            one.parts[name] for name in ("quality", "cost", "speed", "specialisation")
        )
        parts = f"{quality:.2f} {cost:.2f}  {speed:.2f} {special:.2f}"
        prices = (format_usd(one.expected_nusd), format_usd(one.bound_nusd))
        ranked.add_row(one.deployment, f"{one.score:.3f}", parts, *prices)
    console.print(ranked)
    console.print()
    console.print(_listed("why", [(str(place), f"{one.deployment}: {'; '.join(one.reasons)}")
                                  for place, one in enumerate(plan.asked, start=1)]))  # fmt: skip
    _show_excluded(plan)
    for notice in plan.notices:
        console.print(f"notice: {notice}", style="yellow", markup=False)
    if standing:
        console.print()
        console.print(standing_table(standing))


def _show_excluded(plan: "Plan") -> None:
    """Print who is left out, those with the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for one in plan.excluded:
        by_reason.setdefault(one.reason, []).append(one.deployment)
    if by_reason:
        lines = [("-", f"{', '.join(names)}: {reason}") for reason, names in by_reason.items()]
        out().print()
        out().print(_listed("left out", lines))


def _listed(title: str, lines: "list[tuple[str, str]]") -> "RenderableType":
    """Return a list whose lines wrap under themselves."""
    from rich.table import Table
    from rich.text import Text

    made = Table.grid(padding=(0, 1, 0, 0))
    made.add_column(justify="right", no_wrap=True)
    made.add_column(overflow="fold")
    made.add_row("", Text(title, style="dim"))
    for mark, line in lines:
        made.add_row(Text(mark, style="dim"), Text(line))
    return made
