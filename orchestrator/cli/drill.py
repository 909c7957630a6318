"""`orchestrator drill`: break every level of your configuration, and see what a caller would have got."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import AsJson
from orchestrator.cli.output import dim, err, errors_as_json, out, print_json, table
from orchestrator.cli.session import session_of
from orchestrator.cli.written_files import check_file, write_public_file
from orchestrator.core.formatting import seconds
from orchestrator.core.language import Language

if TYPE_CHECKING:
    from orchestrator.drill.drill import Drill, Result

EXIT_FAILED = 1
_COLUMNS = {
    "answered": "first",
    "rescued": "rescued",
    "last resort": "resort",
    "right error": "error",
    "failed": "failed",
}
"""Each verdict as the title of a narrow column."""
_STYLES = {"failed": "bold red", "rescued": "green", "last resort": "yellow"}


def drill(  # noqa: PLR0913 -- each is an option
    context: typer.Context,
    *,
    use_case: Annotated[
        list[str] | None,
        typer.Option("--use-case", help="Only this use case; may be repeated.", show_default=False),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault", metavar="CLASS", show_default=False,
            help="Only this class of fault, such as 503 or cut, or level, levels, provider, providers.",
        ),
    ] = None,
    speed: Annotated[
        float,
        typer.Option(min=1, max=100, help="Make every wait of the configuration this many times shorter."),
    ] = 10.0,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Also write the scorecard as a page.", show_default=False
        ),
    ] = None,
    language: Annotated[Language, typer.Option(help="Of the page.")] = Language.EN,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Break every class of fault and every level of each use case's chain, against your configuration.

    Practice providers stand in for yours, on loopback ports, with your models, prices, routes, limits and
    patience; no key is used and nothing is charged. Exit code 1: a case did not end as it should.
    """
    from orchestrator.core.clock import SystemClock
    from orchestrator.drill.drill import drill as play
    from orchestrator.drill.views import plain_drill

    with errors_as_json(as_json):
        config = session_of(context).config()
        if html is not None:
            # A drill takes minutes.
            check_file("--html", html)
        with err().status(dim("setting up practice providers")) as status:
            done = play(
                config,
                clock=SystemClock(),
                use_cases=tuple(use_case or ()),
                kinds=tuple(fault or ()),
                speed=speed,
                say=lambda text: status.update(dim(text)),
            )
        if html is not None:
            from orchestrator.drill.html_report import page

            write_public_file("--html", html, page(done, str(config.path), language))
    if as_json:
        print_json(plain_drill(done))
    else:
        _show(done)
    if done.exit_code:
        raise typer.Exit(EXIT_FAILED)


def _show(done: "Drill") -> None:
    from rich.text import Text

    from orchestrator.core.money import format_usd
    from orchestrator.drill.drill import CaseResult

    numbers = ("cases", *_COLUMNS.values(), "slowest")
    scorecard = table("use case", *numbers, numbers=numbers)
    for use_case in dict.fromkeys(result.case.use_case for result in done.results):
        ours = [result for result in done.results if result.case.use_case == use_case]
        counts = [sum(result.verdict is verdict for result in ours) for verdict in CaseResult]
        cells = [
            Text(str(count), style=_STYLES.get(verdict.value, "") if count else "dim")
            for verdict, count in zip(CaseResult, counts, strict=True)
        ]
        scorecard.add_row(use_case, str(len(ours)), *cells, seconds(max(result.took_s for result in ours)))
    console = out()
    console.print(scorecard)
    if done.failed:
        console.print(_failures(done.failed))
    else:
        console.print(f"all {len(done.results)} cases ended as they should")
    console.print(
        f"booked {format_usd(done.booked_nusd)}, billed {format_usd(done.billed_nusd)} "
        "by practice providers; "
        f"waits {done.speed:g} times shorter than configured",
        style="dim",
    )


def _failures(failed: "tuple[Result, ...]") -> Any:
    failures = table("failed in", "broken", "", "what the caller saw", folded=("what the caller saw",))
    for result in failed:
        case = result.case
        failures.add_row(case.use_case, case.broken, "stream" if case.stream else "whole", result.saw)
    return failures
