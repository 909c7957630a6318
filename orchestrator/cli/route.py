"""`orchestrator route`: which deployments a prompt would be sent to, and why; nothing is sent."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import (
    AsJson,
    MaxTokens,
    Model,
    Prompt,
    Tags,
    Tenant,
    UseCase,
    User,
    overrides_of,
)
from orchestrator.cli.output import errors_as_json, listed, out, print_json, table
from orchestrator.cli.prompts import read_prompt
from orchestrator.cli.session import session_of
from orchestrator.core.language import Language

if TYPE_CHECKING:
    from rich.console import RenderableType

    from orchestrator.client import Orchestrator
    from orchestrator.core.plan import Candidate, Plan
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
        overrides = overrides_of(
            use_case=use_case, tenant=tenant, user=user, tags=tags, model=model, max_tokens=max_tokens,
            max_cost_nusd=_nano_usd(max_cost_usd),
        )  # fmt: skip
        text = read_prompt(prompt)
        with session_of(context).orchestrator() as orchestrator:
            request = _request(orchestrator, text, overrides)
            plan = orchestrator.explain(request)
            budgets = budgets_of(orchestrator, request, plan)
    if as_json:
        from orchestrator.reports.ledger_views import plain_budgets
        from orchestrator.reports.views import plain_plan

        print_json({**plain_plan(plan), "budgets": plain_budgets(budgets)})
        return
    _show(plan, budgets)


def _nano_usd(text: str | None) -> int | None:
    from orchestrator.cli.output import CommandError
    from orchestrator.core.money import typed_limit

    try:
        return None if text is None else typed_limit(text)
    except ValueError as exc:
        raise CommandError(f"--max-cost-usd: {exc}") from None


def _request(orchestrator: "Orchestrator", prompt: str, overrides: dict[str, Any]) -> "ChatRequest":
    from orchestrator.core.request import ChatRequest

    overrides.setdefault("use_case", orchestrator.config.settings.default_use_case)
    return ChatRequest.of(prompt, **overrides)


def budgets_of(
    orchestrator: "Orchestrator", request: "ChatRequest", plan: "Plan"
) -> "tuple[BudgetStatus, ...]":
    """Return the budgets that a request would count against on the way of a plan, and how they stand."""
    from orchestrator.core.clock import SystemClock
    from orchestrator.core.payer import Payer
    from orchestrator.ledger.opening import open_view
    from orchestrator.reports.budget_status import budget_status

    settings = orchestrator.config.settings
    reader = open_view(settings.ledger)
    payer, deployments = Payer.of(request), orchestrator.config.catalog.deployments
    asked = [deployments[step.deployment] for step in plan.asked]
    scopes = dict.fromkeys(
        scope for each in asked for scope in payer.scopes(each.provider_name, each.model_name)
    )
    return budget_status(reader, orchestrator.config.limits, moment=SystemClock().now(), scopes=scopes)


def budget_table(budgets: "tuple[BudgetStatus, ...]", language: Language = Language.EN) -> "RenderableType":
    """Return the budgets as a table."""
    from orchestrator.cli.report_text import resets_in, title_in
    from orchestrator.core.figures import Figures
    from orchestrator.core.payer import shown_scope

    figures = Figures(language)
    names = ("budget", "window", "limit", "spent", "held", "left", "resets")
    titles = [title_in(name, language) for name in names]
    listing = table(*titles, numbers=titles[2:6])
    for budget in budgets:
        amounts = [
            figures.usd(budget.limit or 0),
            figures.usd(budget.spent),
            figures.usd(budget.held),
            figures.usd(budget.left or 0),
        ]
        window = title_in(budget.window.value, language)
        listing.add_row(shown_scope(budget.scope), window, *amounts, resets_in(budget, language))
    return listing


def _of_them_reasoning(candidate: "Candidate") -> str:
    return f" ({candidate.reasoning_tokens:,} of them for reasoning)" if candidate.reasoning_tokens else ""


def _show(plan: "Plan", budgets: "tuple[BudgetStatus, ...]") -> None:
    from orchestrator.core.money import format_usd

    console = out()
    first, count = plan.asked[0], len(plan.asked)
    console.print(
        f"{plan.use_case}: about {first.input_expected_tokens:,} tokens in, "
        f"at most {first.max_tokens:,} out{_of_them_reasoning(first)}, "
        f"{count} deployment{'s' if count != 1 else ''}, best first\n"
    )
    numbers = ("score", "qual cost speed spec", "expected", "at most")
    ranked = table("deployment", *numbers, numbers=numbers)
    for candidate in plan.asked:
        quality, cost, speed, special = (
            candidate.parts[name] for name in ("quality", "cost", "speed", "specialisation")
        )
        parts = f"{quality:.2f} {cost:.2f}  {speed:.2f} {special:.2f}"
        prices = (format_usd(candidate.expected_nusd), format_usd(candidate.bound_nusd))
        ranked.add_row(candidate.deployment, f"{candidate.score:.3f}", parts, *prices)
    console.print(ranked)
    console.print()
    console.print(listed("why", [(str(place), f"{candidate.deployment}: {'; '.join(map(str, candidate.reasons))}")
                                  for place, candidate in enumerate(plan.asked, start=1)]))  # fmt: skip
    _show_excluded(plan)
    _show_why(plan)
    for notice in plan.notices:
        console.print(f"notice: {notice}", style="yellow", markup=False)
    if budgets:
        console.print()
        console.print(budget_table(budgets))


def _show_why(plan: "Plan") -> None:
    """Print what the request is like, and what would have made another the first choice."""
    from orchestrator.routing.explaining import what_would_change

    seen = plan.analysis
    if seen is not None:
        signs = f" ({', '.join(seen.signs)})" if seen.signs else ""
        needs = f"; needs {', '.join(seen.needs)}" if seen.needs else ""
        text = f"complexity {seen.complexity}{signs}, urgency {seen.urgency}, language {seen.language or 'unknown'}"
        out().print(f"\nrequest: {text}{needs}", markup=False)
    changes = what_would_change(plan)
    if changes:
        out().print()
        out().print(listed("others would come first", [("-", change) for change in changes]))


def _show_excluded(plan: "Plan") -> None:
    """Print the deployments that are left out, those with the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for exclusion in plan.excluded:
        by_reason.setdefault(exclusion.reason.text, []).append(exclusion.deployment)
    if by_reason:
        lines = [("-", f"{', '.join(names)}: {reason}") for reason, names in by_reason.items()]
        out().print()
        out().print(listed("left out", lines))
