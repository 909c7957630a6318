"""`orchestrator doctor`: can every tier be used, and if not, what to do."""

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import AsJson
from orchestrator.cli.output import err, errors_as_json, out, say_json, table
from orchestrator.cli.session import session_of
from orchestrator.core.formatting import seconds

if TYPE_CHECKING:
    from orchestrator.doctor.doctor import Findings

_STYLES = {"pass": "green", "fail": "bold red", "skipped": "dim"}


def doctor(
    context: typer.Context,
    provider: Annotated[str | None, typer.Option(help="Only this provider.")] = None,
    live: Annotated[
        bool, typer.Option("--live/--no-live", help="Ask the providers; else only look at this machine.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Test the connection to every tier: key, models, a small prompt, its format and time, errors, headroom.

    The prompt goes through the orchestrator: it is budgeted, and booked for the tenant "doctor". Exit code 0:
    all is well; 4: a provider that is on fails; 6: ledger or cache. A provider without a key is off, no failure.
    """
    from orchestrator.core.clock import SystemClock
    from orchestrator.doctor.doctor import run_checks

    with errors_as_json(as_json):
        config = session_of(context).config()
        console = err()
        with console.status("[dim]checking[/dim]") as status:
            found = run_checks(
                config,
                clock=SystemClock(),
                provider=provider,
                live=live,
                say=lambda text: status.update(f"[dim]{text}[/dim]"),
            )
    if as_json:
        told = [one.as_json() for one in found.checks]
        say_json({"ok": found.exit_code == 0, "exit_code": found.exit_code, "checks": told})
    else:
        _show(found)
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def _show(found: "Findings") -> None:
    from rich.text import Text

    made = table("tier", "check", "", "what was seen", folded=("what was seen",))
    before = None
    for one in found.checks:
        detail = Text(one.detail)
        if one.todo:
            detail.append(f"\n→ {one.todo}", style="yellow")
        tier = one.tier if one.tier != before else ""
        if before is not None and tier:
            made.add_section()
        before = one.tier
        made.add_row(tier, one.name, Text(one.verdict.value, style=_STYLES[one.verdict.value]), detail)
    console = out()
    console.print(made)
    failures = sum(one.verdict.value == "fail" for one in found.checks)
    slowest = max((one.took_s for one in found.checks if one.took_s is not None), default=None)
    told = "all is well" if not failures else f"{failures} of {len(found.checks)} checks failed"
    console.print(told + (f"; the slowest answer took {seconds(slowest)}" if slowest is not None else ""))
