"""`orchestrator config`: check the configuration, show what is in force, print its schema or its path."""

from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import AsJson
from orchestrator.cli.output import CommandError, err, out, print_json, table, write
from orchestrator.cli.session import session_of
from orchestrator.core.errors import ConfigError
from orchestrator.core.home_paths import expanded
from orchestrator.core.money import format_usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.whatif.static_proof import UseCaseProof

app = typer.Typer(help="Check and show config.yaml.", no_args_is_help=True)


@app.command()
def check(
    context: typer.Context,
    as_json: AsJson = False,
) -> None:
    """Say ok and what is worth knowing, or every mistake with file, line, column and the likely word."""
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
    proofs, unread = _proofs(session.config_path)
    if as_json:
        from orchestrator.whatif.views import plain_proof

        notices = [*config.notices, *unread]
        proven = [plain_proof(proof) for proof in proofs]
        print_json(
            {"ok": True, "path": str(config.path), "mistakes": [], "notices": notices, "use_cases": proven}
        )
        return
    settings = config.settings
    out().print(f"ok: {config.path}", markup=False, soft_wrap=True)
    out().print(
        f"{len(settings.models)} models, "
        f"{len(config.catalog.usable)} of {len(settings.deployments)} deployments usable, "
        f"{len(settings.use_cases)} use cases, {len(settings.aliases)} aliases",
        style="dim",
        markup=False,
        soft_wrap=True,
    )
    _show_proofs(proofs)
    for notice in (*config.notices, *unread):
        out().print(f"notice: {notice}", style="yellow", markup=False, soft_wrap=True)


def _proofs(path: Path | None) -> "tuple[tuple[UseCaseProof, ...], tuple[str, ...]]":
    """Return what the file promises of each use case where every key is set, and why no record counts."""
    from orchestrator.core.clock import SystemClock
    from orchestrator.core.errors import LedgerError
    from orchestrator.whatif.isolated import load_keyed
    from orchestrator.whatif.static_proof import prove, recorded_answers

    clock = SystemClock()
    config = load_keyed(path, today=clock.now().date()).config
    try:
        return prove(config, recorded_answers(config, clock=clock), clock=clock), ()
    except LedgerError as error:
        return prove(config, {}, clock=clock), (f"availability is assumed throughout: {error}",)


def _show_proofs(proofs: "Sequence[UseCaseProof]") -> None:
    from orchestrator.whatif.proof_words import warnings_of

    numbers = ("asked", "at most", "within", "answers")
    grid = table("use case", *numbers, numbers=numbers)
    for proof in proofs:
        grid.add_row(
            proof.use_case,
            f"{len(proof.chain)}",
            format_usd(proof.most_nusd),
            f"{proof.most_s:g} s",
            f"{_share(proof.availability)}{' assumed' if proof.is_assumed else ''}",
        )
    out().print(grid)
    for proof in proofs:
        for warning in warnings_of(proof):
            out().print(f"notice: {warning}", style="yellow", markup=False, soft_wrap=True)


def _share(availability: float) -> str:
    """Return a share in percent, rounded down: nothing is promised to answer always."""
    return f"{floor(availability * 1e6) / 1e4:.4f}%"


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
    _write_file(output, schema_of_config)
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


def _write_file(path: Path, value: dict[str, Any]) -> None:
    import orjson

    try:
        path.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
    except OSError as exc:
        raise CommandError(f"{path}: cannot be written: {exc.strerror}") from None
