"""What the command line says, and how: consoles, tables, JSON, money.

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
    """Return the console of standard error, for what is not the result."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, emoji=False)


def write(text: str) -> None:
    """Write plain text to standard output as it is, line breaks and brackets included."""
    sys.stdout.write(text)
    sys.stdout.flush()


def say_json(value: Mapping[str, Any]) -> None:
    """Write one JSON object to standard output."""
    import orjson

    # JSON is UTF-8 whatever the terminal speaks.
    sys.stdout.flush()
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS) + b"\n")
    sys.stdout.flush()


@contextmanager
def errors_as_json(wanted: bool) -> Iterator[None]:
    """Tell a failing command's error as JSON too, where JSON is `wanted`; it goes on to `main`."""
    try:
        yield
    except OrchestratorError as error:
        if wanted:
            told = {"type": type(error).__name__, "message": str(error), "exit_code": error.exit_code}
            say_json({"error": {**told, "request_id": error.request_id}})
        raise


@contextmanager
def busy(text: str) -> Iterator[None]:
    """Turn a spinner on standard error while something takes time; on a terminal only."""
    console = err()
    if not console.is_terminal:
        yield
        return
    with console.status(f"[dim]{text}[/dim]", spinner="dots"):
        yield


def table(*columns: str, numbers: Sequence[str] = (), folded: Sequence[str] = ()) -> "Table":
    """Return an empty table without lines, which stays readable in 80 columns and in a file.

    Columns in `numbers` are right-aligned and never broken; those in `folded` may wrap.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim"
    )
    for name in columns:
        made.add_column(
            Text(name),
            justify="right" if name in numbers else "left",
            no_wrap=name not in folded,
            overflow="fold",
        )
    return made
