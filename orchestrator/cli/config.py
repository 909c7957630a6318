"""`orchestrator config`: check the configuration, show what is in force, print its schema or its path."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.config_check import ConfigCheck, plain_check, show_check
from orchestrator.cli.options import AsJson
from orchestrator.cli.output import err, print_json, write
from orchestrator.cli.session import session_of
from orchestrator.cli.written_files import write_public_file
from orchestrator.core.errors import ConfigError
from orchestrator.core.home_paths import expanded

app = typer.Typer(help="Check and show config.yaml.", no_args_is_help=True)


@app.command()
def check(
    context: typer.Context,
    as_json: AsJson = False,
) -> None:
    """Say ok and what is worth knowing, or the mistakes with file, line, column and the likely word.

    Every wrong key and value is told at once, and so are names that lead nowhere, as far as the file is
    whole. What each use case promises is reckoned with every key, and without those that are missing here; of
    each experiment, whom it would ask, how often and for how much.
    """
    session = session_of(context)
    try:
        config = session.config()
    except ConfigError as error:
        mistakes = str(error).splitlines()
        if as_json:
            print_json({"ok": False, "mistakes": mistakes, "notices": []})
        for line in mistakes:
            err().print(f"error: {line}", markup=False, soft_wrap=True)
        if len(mistakes) > 1:
            err().print(f"{len(mistakes)} mistakes", style="dim")
        raise typer.Exit(error.exit_code) from None
    config_check = ConfigCheck(config, session.config_path)
    if as_json:
        print_json(plain_check(config_check))
    else:
        show_check(config_check)


@app.command()
def show(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of YAML.")] = False,
) -> None:
    """Print the configuration in force: variables and defaults filled in, secrets masked."""
    from orchestrator.config.effective import effective
    from orchestrator.config.yaml_file import written

    config = session_of(context).config()
    data = effective(config)
    if as_json:
        print_json(data)
        return
    write(
        f"# In force: {config.path}\n# Keys are masked: a real file names them as ${{NAME}}.\n{written(data)}"
    )


@app.command()
def schema(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file to write; else standard output.")
    ] = None,
) -> None:
    """Print the JSON schema of config.yaml, for editors."""
    from orchestrator.config.file_schema import json_schema

    schema_of_config = json_schema()
    if output is None:
        print_json(schema_of_config)
        return
    import orjson

    text = orjson.dumps(schema_of_config, option=orjson.OPT_INDENT_2).decode()
    write_public_file("--output", output, f"{text}\n")
    err().print(
        f"wrote {output}; editors find it by this first line of config.yaml:\n"
        f"# yaml-language-server: $schema={output}",
        markup=False,
        soft_wrap=True,
    )


@app.command()
def path(context: typer.Context) -> None:
    """Print which file is used: --config, $ORCHESTRATOR_CONFIG, ./config.yaml, or the one in the package."""
    from orchestrator.config.loader import default_path

    write(f"{expanded(session_of(context).config_path or default_path()).absolute()}\n")
