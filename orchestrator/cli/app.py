"""All commands in one place, with the global options."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import (
    alerts,
    ask,
    calibrate,
    chain,
    config,
    demo,
    doctor,
    drill,
    evaluate,
    experiment,
    feedback,
    keys,
    ledger,
    practice,
    prices,
    report,
    requests,
    route,
    serve,
    top,
    whatif,
)
from orchestrator.cli.session import CliSession, configure_log

EXIT_CODES = (
    "Exit codes: 0 ok · 1 failure · 2 usage or configuration · 3 budget · 4 nobody answered · "
    "5 invalid output · 6 ledger or cache · 70 a bug · 130 interrupted."
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


app.command("demo", epilog=EXIT_CODES)(demo.demo)
app.command("ask", epilog=EXIT_CODES)(ask.ask)
app.command("chain", epilog=EXIT_CODES)(chain.chain)
app.command("route", epilog=EXIT_CODES)(route.route)
app.command("feedback", epilog=EXIT_CODES)(feedback.feedback)
app.command("report", epilog=EXIT_CODES)(report.report)
app.command("top", epilog=EXIT_CODES)(top.top)
app.command("doctor", epilog=EXIT_CODES)(doctor.doctor)
app.command("drill", epilog=EXIT_CODES)(drill.drill)
app.command("eval", epilog=EXIT_CODES)(evaluate.evaluate)
app.command("calibrate", epilog=EXIT_CODES)(calibrate.calibrate)
app.add_typer(experiment.app, name="experiment", epilog=EXIT_CODES)
app.command("whatif", epilog=EXIT_CODES)(whatif.whatif)
app.add_typer(alerts.app, name="alerts", epilog=EXIT_CODES)
app.command("serve", epilog=EXIT_CODES)(serve.serve)
app.add_typer(config.app, name="config", epilog=EXIT_CODES)
app.add_typer(keys.app, name="keys", epilog=EXIT_CODES)
app.add_typer(ledger.app, name="ledger", epilog=EXIT_CODES)
app.add_typer(practice.app, name="practice", epilog=EXIT_CODES)
app.add_typer(requests.app, name="requests", epilog=EXIT_CODES)
app.add_typer(prices.app, name="prices", epilog=EXIT_CODES)
