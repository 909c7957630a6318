"""The global options behind a command as well as before it: `orchestrator config check --config x`."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from orchestrator.cli.session import configure_log, log_is_json, session_of


def take_common_options(command: TyperCommand | TyperGroup) -> None:
    """Let a command, or a group and all below it, take the root's options, unless it has one of that name."""
    taken = {text for parameter in command.params for text in parameter.opts}
    command.params.extend(option for option in _options() if not taken & set(option.opts))
    if isinstance(command, TyperGroup):
        for below in command.commands.values():
            take_common_options(cast("TyperCommand | TyperGroup", below))


def _take_config(context: typer.Context, path: Path | None) -> None:
    if path is not None:
        context.find_root().obj = replace(session_of(context), config_path=path)


def _take_verbose(context: typer.Context, verbose: bool) -> None:
    if verbose:
        context.find_root().obj = replace(session_of(context), verbose=True)
        configure_log(verbose=True, as_json=log_is_json())


def _take_log_json(context: typer.Context, as_json: bool) -> None:
    if as_json:
        configure_log(verbose=session_of(context).verbose, as_json=True)


@cache
def _options() -> tuple[Any, ...]:
    """Return the options as the parameters of a command."""
    # Hidden: they stand in the root's help, once.
    hidden: dict[str, Any] = {"expose_value": False, "hidden": True, "is_eager": True}

    def carry(
        config: Annotated[
            Path | None, typer.Option("--config", "-c", callback=_take_config, **hidden)
        ] = None,
        verbose: Annotated[bool, typer.Option("--verbose", "-v", callback=_take_verbose, **hidden)] = False,
        log_json: Annotated[bool, typer.Option("--log-json", callback=_take_log_json, **hidden)] = False,
    ) -> None:
        raise AssertionError(config, verbose, log_json)

    carrier = typer.Typer(add_completion=False)
    carrier.command()(carry)
    return tuple(get_command(carrier).params)
