"""How the command line prints: consoles, tables, JSON.

People read text on standard output, with colours only on a terminal; programs ask for `--json`
and read one object, which is `{"error": ...}` when the command failed.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from orchestrator.core.errors import OrchestratorError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


class CommandError(OrchestratorError):
    """The command line was used wrongly."""

    exit_code = 2


def out() -> "Console":
    """Return the console of standard output."""
    from rich.console import Console

    return Console(highlight=False, emoji=False)


def err() -> "Console":
    """Return the console of standard error, for everything but the result."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, emoji=False)


def write(text: str) -> None:
    """Write plain text to standard output as it is, line breaks and brackets included."""
    sys.stdout.write(text)
    sys.stdout.flush()


def print_json(value: Mapping[str, Any]) -> None:
    """Write one JSON object to standard output."""
    import orjson

    # JSON is UTF-8, whatever the encoding of the terminal is.
    sys.stdout.flush()
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS) + b"\n")
    sys.stdout.flush()


@contextmanager
def errors_as_json(as_json: bool) -> Iterator[None]:
    """With `as_json`, print the error of a failing command as JSON too; `main` gets the error either way."""
    try:
        yield
    except OrchestratorError as error:
        if as_json:
            from orchestrator.reports.views import plain_error

            print_json({"error": plain_error(error)})
        raise


@contextmanager
def busy(text: str) -> Iterator[None]:
    """Show a spinner on standard error while the block runs; on a terminal only."""
    console = err()
    if not console.is_terminal:
        yield
        return
    with console.status(f"[dim]{text}[/dim]", spinner="dots"):
        yield


def table(*columns: str, numbers: Sequence[str] = (), folded: Sequence[str] = ()) -> "Table":
    """Return an empty table without lines, readable in 80 columns and in a file.

    Columns in `numbers` are aligned to the right; only those in `folded` may wrap.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    empty = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim"
    )
    for name in columns:
        empty.add_column(
            Text(name),
            justify="right" if name in numbers else "left",
            no_wrap=name not in folded,
            overflow="fold",
        )
    return empty
