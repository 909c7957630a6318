"""The command line: one file for each group of commands; a heavy library is loaded where it is needed.

`main` is the console script. Only here does an error become a line on standard error and an exit
code; `orchestrator --help` lists the codes.
"""

import sys
import traceback
from collections.abc import Sequence

from orchestrator.cli.standard_streams import ReaderGoneError, settle_streams
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.visible_text import brief, visible

__all__ = ["main"]

EXIT_UNEXPECTED = 70
"""A mistake of ours (EX_SOFTWARE)."""
EXIT_INTERRUPTED = 130
"""Ctrl-C: 128 + SIGINT."""
EXIT_READER_GONE = 141
"""The reader of standard output has gone: 128 + SIGPIPE, as every tool of a pipe ends."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a traceback is shown for bugs alone, and only on request."""
    command = list(sys.argv[1:] if arguments is None else arguments)
    settle_streams()
    try:
        _check_text(command)
        code = _run(command)
        sys.stdout.flush()
        return code
    except OrchestratorError as error:
        _print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        _print_line("stopped")
        return EXIT_INTERRUPTED
    except ReaderGoneError:
        return EXIT_READER_GONE
    except Exception as error:  # noqa: BLE001 -- the last place that can report it; nothing is hidden
        return _print_unexpected(error)


def _run(arguments: list[str]) -> int:
    import typer

    from orchestrator.cli.app import root
    from orchestrator.cli.output import CommandError, errors_as_json
    from orchestrator.cli.usage_errors import usage_error_of

    try:
        # It returns the code of `typer.Exit`, and None where a command has ended.
        code = root().main(args=arguments, prog_name="orchestrator", standalone_mode=False) or 0
    except typer.TyperException as refusal:
        error = usage_error_of(refusal)
        if error is None:
            return CommandError.exit_code
        with errors_as_json("--json" in arguments):
            raise error from None
    except typer.Abort:
        code = EXIT_INTERRUPTED
    if code == EXIT_INTERRUPTED:
        _print_line("stopped")
    return int(code)


def _check_text(arguments: list[str]) -> None:
    """Refuse arguments that are not UTF-8; Python passes them on with lone surrogates."""
    from orchestrator.cli.output import CommandError

    for place, argument in enumerate(arguments, start=1):
        try:
            argument.encode("utf-8")
        except UnicodeEncodeError as exc:
            raise CommandError(
                f"argument {place} is not UTF-8 at character {exc.start + 1}; "
                "set the terminal to UTF-8, or put the text into a UTF-8 file and pipe it in"
            ) from None


def _print_error(error: OrchestratorError) -> None:
    from orchestrator.cli.session import log_is_json

    if log_is_json():
        _log_error(error)
        return
    # Not `splitlines`: a form feed or U+2028 in what somebody wrote would begin a line of ours.
    for line in (visible(str(error)) or type(error).__name__).rstrip("\n").split("\n"):
        _print_line(f"error: {brief(line)}")
    if error.request_id is not None:
        _print_line(f"request: {error.request_id}")


def _log_error(error: OrchestratorError) -> None:
    """Write an error as a line of the JSON log."""
    import logging

    fields = {"error": type(error).__name__, "exit_code": error.exit_code}
    fields |= {} if error.request_id is None else {"request_id": error.request_id}
    logging.getLogger("orchestrator.cli").error(
        "%s", brief(error.in_one_line), extra={"request_fields": fields}
    )


def _print_unexpected(error: Exception) -> int:
    import os

    if os.environ.get("ORCHESTRATOR_DEBUG"):
        _print_line("".join(traceback.format_exception(error)).rstrip())
        return EXIT_UNEXPECTED
    from orchestrator.core.error_place import place_of_error

    # Not what it says: that may quote a prompt, a row or a key, and standard error is often kept as a log.
    _print_line(
        f"error: unexpected {place_of_error(error, frames_max=3)}. This is a bug: please report this line; "
        "ORCHESTRATOR_DEBUG=1 shows the traceback, which may quote a prompt."
    )
    return EXIT_UNEXPECTED


def _print_line(line: str) -> None:
    print(visible(line), file=sys.stderr, flush=True)  # noqa: T201 -- this is a command line
