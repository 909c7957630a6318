"""`orchestrator doctor`: can every tier be used, and if not, what to do."""

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import AsJson
from orchestrator.cli.output import dim, err, errors_as_json, out, print_json, table
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

    The prompt goes through the orchestrator: it is budgeted, and booked for the tenant "probe:doctor".
    Exit code 0: all is well; 4: a provider that is on fails; 6: ledger or cache. A provider without a key
    is off, and no failure unless --provider names it.
    """
    from orchestrator.core.clock import SystemClock
    from orchestrator.doctor.doctor import run_checks
    from orchestrator.doctor.views import plain_findings

    with errors_as_json(as_json):
        config = session_of(context).config()
        console = err()
        with console.status(dim("checking")) as status:
            findings = run_checks(
                config,
                clock=SystemClock(),
                provider=provider,
                live=live,
                say=lambda text: status.update(dim(text)),
            )
    if as_json:
        print_json(plain_findings(findings))
    else:
        _show(findings)
    if findings.exit_code:
        raise typer.Exit(findings.exit_code)


def _show(findings: "Findings") -> None:
    from rich.text import Text

    seen = table("tier", "check", "", "what was seen", folded=("what was seen",), grouped=True)
    for check in findings.checks:
        detail = Text(check.detail)
        if check.todo:
            detail.append(f"\n→ {check.todo}", style="yellow")
        verdict = Text(check.verdict.value, style=_STYLES[check.verdict.value])
        seen.add_row(check.tier, check.name, verdict, detail)
    console = out()
    console.print(seen)
    failures = sum(check.verdict.value == "fail" for check in findings.checks)
    slowest = max((check.took_s for check in findings.checks if check.took_s is not None), default=None)
    result = "all is well" if not failures else f"{failures} of {len(findings.checks)} checks failed"
    console.print(result + (f"; the slowest answer took {seconds(slowest)}" if slowest is not None else ""))
