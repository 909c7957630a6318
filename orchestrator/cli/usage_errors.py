"""A wrong use of the command line as every other error reads: one line, with what is meant."""

import re
from typing import Any

import typer

from orchestrator.cli.output import CommandError
from orchestrator.core.unknown_names import hint_for, unknown

_CHECKED = (
    (re.compile("Input should be a valid integer.*"), "write a whole number"),
    (re.compile("Input should be a valid number.*"), "write a number"),
    (re.compile("Input should be greater than or equal to"), "write at least"),
    (re.compile("Input should be less than or equal to"), "write at most"),
    (re.compile("Input should be"), "write"),
)
"""The words of pydantic, which checks values, and ours."""


def usage_error_of(refusal: typer.TyperException) -> CommandError | None:
    """Return the error of what Typer refuses; None where it has shown a group's help instead."""
    text = _text_of(refusal)
    context: Any = getattr(refusal, "ctx", None)
    if context is None or not text:
        return CommandError(text) if text else None
    stop = "" if text.endswith("?") else "."
    return CommandError(f"{text}{stop} See '{context.command_path} --help'")


def _text_of(refusal: typer.TyperException) -> str:
    command: Any = getattr(getattr(refusal, "ctx", None), "command", None)
    option = getattr(refusal, "option_name", None)
    # Of an option that there is, and that lacks its value, nothing is to be guessed.
    if command is not None and hasattr(refusal, "possibilities"):
        return unknown("option", str(option), (name for each in command.params for name in _names_of(each)))
    # The words of a check of ours, by way of pydantic.
    text = refusal.format_message().replace("Value error, ", "").strip().removesuffix(".")
    for theirs, ours in _CHECKED:
        text = theirs.sub(ours, text)
    commands = getattr(command, "commands", {}) if "command" in text.partition(";")[0] else {}
    return text if not commands or "?" in text else f"{text}{hint_for('', commands)}"


def _names_of(parameter: Any) -> tuple[str, ...]:
    return () if parameter.param_type_name != "option" else (*parameter.opts, *parameter.secondary_opts)
