"""The global options behind a command as well as before it: `orchestrator config check --config x`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from orchestrator.cli.session import configure_log, log_is_json, session_of


def with_common_options(root: TyperGroup) -> TyperGroup:
    """Let every command and group below the root take the root's options, unless it has one of that name."""
    options = get_command(_options_alone()).params
    for command in _below(root):
        taken = {text for parameter in command.params for text in parameter.opts}
        command.params.extend(option for option in options if not taken & set(option.opts))
    return root


def _below(group: TyperGroup) -> Iterator[TyperCommand | TyperGroup]:
    for command in group.commands.values():
        if isinstance(command, TyperCommand | TyperGroup):
            yield command
        if isinstance(command, TyperGroup):
            yield from _below(command)


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


def _options_alone() -> typer.Typer:
    """Return an application of which only the options are used."""
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
    return carrier
