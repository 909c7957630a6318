"""The commands by name: each is loaded when it is named, and all of them when they are listed."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from orchestrator.cli.global_options import take_common_options

HOME_OF: Mapping[str, str] = {
    "demo": "demo:demo",
    "ask": "ask:ask",
    "chain": "chain:chain",
    "route": "route:route",
    "feedback": "feedback:feedback",
    "report": "report:report",
    "top": "top:top",
    "doctor": "doctor:doctor",
    "drill": "drill:drill",
    "eval": "evaluate:evaluate",
    "calibrate": "calibrate:calibrate",
    "experiment": "experiment:app",
    "whatif": "whatif:whatif",
    "serve": "serve:serve",
    "alerts": "alerts:app",
    "config": "config:app",
    "keys": "keys:app",
    "ledger": "ledger:app",
    "practice": "practice:app",
    "requests": "requests:app",
    "prices": "prices:app",
}
"""The module of each command in this package and its function, or `app` of a group; in the order of help."""


class Commands(Mapping[str, TyperCommand | TyperGroup]):
    """Every command by its name, made once, with the global options."""

    def __init__(self, *, epilog: str) -> None:
        self._epilog = epilog
        self._loaded: dict[str, TyperCommand | TyperGroup] = {}

    def __getitem__(self, name: str) -> TyperCommand | TyperGroup:
        if name not in self._loaded:
            self._loaded[name] = _command_of(name, HOME_OF[name], epilog=self._epilog)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(HOME_OF)

    def __len__(self) -> int:
        return len(HOME_OF)


def _command_of(name: str, home: str, *, epilog: str) -> TyperCommand | TyperGroup:
    module, attribute = home.split(":")
    content = getattr(import_module(f"{__package__}.{module}"), attribute)
    alone = typer.Typer(add_completion=False)
    if isinstance(content, typer.Typer):
        alone.add_typer(content, name=name, epilog=epilog)
    else:
        alone.command(name, epilog=epilog)(content)
    command = cast("TyperCommand | TyperGroup", get_group(alone).commands[name])
    take_common_options(command)
    return command
