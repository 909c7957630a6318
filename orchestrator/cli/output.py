"""How the command line prints: consoles, tables, JSON.

People read text on standard output, with colours only on a terminal; programs ask for `--json`
and read one object, which is `{"error": ...}` when the command failed. Whatever is printed is text: nothing
in it is markup, and what would act on a terminal is shown.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from orchestrator.core.errors import OrchestratorError
from orchestrator.core.visible_text import visible, visible_json

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.segment import Segment
    from rich.table import Table
    from rich.text import Text


_BLANKS_AT_LINE_END = re.compile(r"[ ]+(?=\n)")


class CommandError(OrchestratorError):
    """The command line was used wrongly."""

    exit_code = 2


def out() -> "Console":
    """Return the console of standard output."""
    return _console_class()()


def err() -> "Console":
    """Return the console of standard error, for everything but the result."""
    return _console_class()(stderr=True)


@cache
def _console_class() -> "type[Console]":
    from rich.console import Console
    from rich.segment import Segment

    class PlainConsole(Console):
        """Prints texts as they are: no markup, no emoji by name, no escape sequence but Rich's own."""

        def __init__(self, *, stderr: bool = False) -> None:
            super().__init__(stderr=stderr, highlight=False, emoji=False, markup=False)

        def print(self, *objects: Any, **options: Any) -> None:
            # What is longer than the terminal is wide goes on in its next line; it is not cut off.
            if options.get("soft_wrap") and (self.is_terminal or "COLUMNS" in os.environ):
                # Between words, where a terminal would cut an amount of money; a file has no edge.
                objects = tuple(self._wrapped(part) if isinstance(part, str) else part for part in objects)
            super().print(*objects, **{"crop": False, **options})

        def _wrapped(self, text: str) -> "Text":
            from rich.text import Text

            from orchestrator.cli.tables import lines_of

            lines = list(lines_of(self.render_str(text), self.width))
            for line in lines:
                line.rstrip()
            return Text("\n").join(lines)

        def render_str(self, text: str, **options: Any) -> "Text":
            # Here, before the columns of a table are measured.
            return super().render_str(visible(text), **options)

        def _render_buffer(self, buffer: "Iterable[Segment]") -> str:
            # And here, through which everything passes; what is control was made by Rich itself.
            text = super()._render_buffer(
                part if part.control else Segment(visible(part.text), part.style) for part in buffer
            )
            # Tables fill their last column: in a file, or where a line is copied, that is noise.
            return text if self.is_terminal else _BLANKS_AT_LINE_END.sub("", text)

    return PlainConsole


def write(text: str) -> None:
    """Write text to standard output, line breaks and brackets included; what would act is shown."""
    sys.stdout.write(visible(text))
    sys.stdout.flush()


def print_json(value: Mapping[str, Any]) -> None:
    """Write one JSON object to standard output."""
    import orjson

    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()
    # JSON is UTF-8, whatever the encoding of the terminal is.
    sys.stdout.flush()
    sys.stdout.buffer.write(visible_json(text).encode() + b"\n")
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
    with console.status(dim(text), spinner="dots"):
        yield


def dim(text: str) -> "Text":
    """Return a text for a status line."""
    from rich.text import Text

    return Text(visible(text), style="dim")


def print_indented(console: "Console", line: str, *, indent: str = "  ") -> None:
    """Print a line that begins with `indent`; where it goes on, it stands two columns further in."""
    from orchestrator.cli.tables import lines_of

    room = max(1, console.width - len(indent) - 2)
    for number, part in enumerate(lines_of(console.render_str(line), room)):
        console.print(f"{indent}{'  ' if number else ''}{part.plain.rstrip()}", markup=False, no_wrap=True)


def table(
    *columns: str, numbers: Sequence[str] = (), folded: Sequence[str] = (), grouped: bool = False
) -> "Table":
    """Return an empty table without lines, readable at any width and in a file.

    Columns in `numbers` are aligned to the right. Those in `folded` are prose and may wrap; nothing else is
    cut, for half a number is another number and half a name is nobody's. With `grouped` the rows that have a
    first cell in common stand together.
    """
    from orchestrator.cli.tables import WholeTable

    return WholeTable(columns, numbers=numbers, prose=folded, grouped=grouped)


def listed(title: str, lines: Iterable[tuple[str, str]]) -> "RenderableType":
    """Return a list whose lines wrap under themselves."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("", Text(title, style="dim"))
    for mark, line in lines:
        grid.add_row(Text(mark, style="dim"), Text(line))
    return grid
