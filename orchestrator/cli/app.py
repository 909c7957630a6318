"""All commands in one place, with the global options."""

from functools import cache
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup
from typer.main import get_group

from orchestrator.cli.commands import Commands
from orchestrator.cli.session import CliSession, configure_log

EXIT_CODES = (
    "Exit codes: 0 ok · 1 failure · 2 usage or configuration · 3 budget · 4 nobody answered · "
    "5 invalid output · 6 ledger or cache · 70 a bug · 130 interrupted · 141 no reader."
)

app = typer.Typer(
    name="orchestrator",
    help="One way out to many language models: budgets that hold, fallbacks, a ledger, a report.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import PackageNotFoundError, version

        try:
            installed = version("nextflow-orchestrator")
        except PackageNotFoundError:
            installed = "not installed as a package"
        typer.echo(f"orchestrator {installed}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    config_path: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            metavar="PATH",
            help="The config.yaml to use; before or behind the command, as the others.",
            show_default=False,
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show warnings of the log.")] = False,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Write the log, errors too, as JSON lines on standard error.")
    ] = False,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    context.obj = CliSession(config_path=config_path, verbose=verbose)
    configure_log(verbose=verbose, as_json=log_json)


@cache
def root() -> TyperGroup:
    """Return the whole command line; a command is loaded when it is named."""
    whole = get_group(app)
    whole.commands = cast("Any", Commands(epilog=EXIT_CODES))
    return whole
