"""The command line: one file a verb group, heavy libraries loaded only by the verbs that need them.

`main` is the console script. It is the one place where an error becomes a line on standard error
and an exit code; the codes are listed in `orchestrator --help`.
"""

import io
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.core.errors import OrchestratorError

if TYPE_CHECKING:
    from typer import Typer

__all__ = ["main"]

EXIT_UNEXPECTED = 70
"""A mistake of ours (EX_SOFTWARE)."""
EXIT_INTERRUPTED = 130
"""Ctrl-C: 128 + SIGINT."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; nothing but a report of a bug shows a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _print_what_the_terminal_can()
    try:
        _check_text(given)
        return _run(given)
    except OrchestratorError as error:
        _say_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        _say("stopped")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return 1
    except Exception as error:  # noqa: BLE001 -- the last one on the way out; nothing is hidden
        return _say_unexpected(error)


def _run(arguments: list[str]) -> int:
    app = _app()
    try:
        app(args=arguments, prog_name="orchestrator")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    else:
        code = 0
    if code == EXIT_INTERRUPTED:
        _say("stopped")
    return code


def _app() -> "Typer":
    from orchestrator.cli.app import app

    return app


def _print_what_the_terminal_can() -> None:
    """Show a mark for a letter that the terminal's encoding has not; Vietnamese must not end a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _check_text(arguments: list[str]) -> None:
    """Refuse arguments that are no UTF-8; Python hands them over with lone surrogates."""
    from orchestrator.cli.output import CommandError

    for place, argument in enumerate(arguments, start=1):
        try:
            argument.encode("utf-8")
        except UnicodeEncodeError as exc:
            raise CommandError(
                f"argument {place} is not UTF-8 at character {exc.start + 1}; "
                "set the terminal to UTF-8, or put the text into a UTF-8 file and pipe it in"
            ) from None


def _say_error(error: OrchestratorError) -> None:
    for line in str(error).splitlines() or [type(error).__name__]:
        _say(f"error: {line}")
    if error.request_id is not None:
        _say(f"request: {error.request_id}")


def _say_unexpected(error: Exception) -> int:
    import os

    if os.environ.get("ORCHESTRATOR_DEBUG"):
        traceback.print_exception(error)
        return EXIT_UNEXPECTED
    said = " ".join(str(error).split())[:200]
    _say(
        f"error: unexpected {type(error).__name__}: {said or 'no reason given'}. This is a bug; "
        "set ORCHESTRATOR_DEBUG=1 to see the traceback, and please report it."
    )
    return EXIT_UNEXPECTED


def _say(line: str) -> None:
    try:
        print(line, file=sys.stderr, flush=True)  # noqa: T201 -- this is a command line
    except BrokenPipeError:
        return  # nobody reads it any more


def _forget_stdout() -> None:
    """Leave nothing to be flushed into a pipe that nobody reads."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
