"""A table that cuts nothing: neither an amount of money nor a name that another command takes, at any width.

Only columns of prose wrap, between words. Where the rest does not fit, the first column stands on a line
of its
own above its row; where that does not fit either, each cell has its line, with its title before it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

_GAP = 2
"""Columns of the terminal between two of the table: one of the box, one of padding."""
_INDENT = 2
_WORD = re.compile(r"\s*\S+\s*")
_PROSE_MIN = 24
_WORD_MAX = 50
"""A word of prose that is longer, such as an address, may be broken; names of models are shorter."""


class WholeTable(Table):
    """A table without lines, readable in 80 columns and in a file."""

    def __init__(
        self,
        titles: Sequence[str],
        *,
        numbers: Sequence[str] = (),
        prose: Sequence[str] = (),
        grouped: bool = False,
    ) -> None:
        """Make an empty one; `numbers` are aligned to the right, `prose` may wrap.

        `grouped` shows a first cell once for the rows that have it in common, and in every record.
        """
        super().__init__(
            box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim"
        )
        self._is_grouped = grouped
        self._firsts: list[Any] = []
        self._prose = [title in prose for title in titles]
        for title, wraps in zip(titles, self._prose, strict=True):
            justify = "right" if title in numbers else "left"
            self.add_column(Text(title), justify=justify, no_wrap=not wraps, overflow="fold")  # type: ignore[arg-type]

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Add a row, as Rich does; of a group a section begins with the first."""
        first, *others = cells
        repeats = self._is_grouped and bool(self._firsts) and self._firsts[-1] == first
        if self._is_grouped and self._firsts and not repeats:
            self.add_section()
        self._firsts.append(first)
        super().add_row("" if repeats else first, *others, **options)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the first layout that holds every cell whole."""
        cells = [
            [self._text(console, cell) for cell in (column.header, *column.cells)] for column in self.columns
        ]
        natural = [max(map(_longest_line, column), default=0) for column in cells]
        least = [
            min(full, max(_PROSE_MIN, min(_WORD_MAX, max(map(_longest_word, column))))) if wraps else full
            for full, column, wraps in zip(natural, cells, self._prose, strict=True)
        ]
        widths = _shared(natural, least, options.max_width)
        led = None if widths else _shared(natural[1:], least[1:], options.max_width - _INDENT - _GAP)
        if widths is not None:
            for column, width in zip(self.columns, widths, strict=True):
                column.width = width
            yield from super().__rich_console__(console, options)
        elif led is not None and len(led) > 1 and not self._prose[0]:
            yield from self._with_leads(cells, [_INDENT, *led])
        else:
            firsts = [cells[0][0], *(self._text(console, first) for first in self._firsts)]
            yield from self._as_records([firsts, *cells[1:]], options.max_width)

    def _with_leads(self, cells: list[list[Text]], widths: list[int]) -> Iterator[Table | Text]:
        """Yield each row under a line of its own with its first cell."""
        yield _overlong(cells[0][0])
        yield self._line(["", *(column[0] for column in cells[1:])], widths)
        yield Text("─" * (sum(widths) + _GAP * (len(widths) - 1)))
        for row in list(zip(*cells, strict=True))[1:]:
            if row[0].plain:
                yield _overlong(row[0])
            yield self._line(["", *row[1:]], widths)

    def _line(self, row: "Sequence[Text | str]", widths: list[int]) -> Table:
        grid = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
        for column, width, wraps in zip(self.columns, widths, self._prose, strict=True):
            grid.add_column(justify=column.justify, width=width, no_wrap=not wraps, overflow="fold")
        grid.add_row(*row)
        return grid

    def _as_records(self, cells: list[list[Text]], width: int) -> Iterator[Text]:
        """Yield each row as lines of a title and a cell, with an empty line between two rows."""
        titles = [column[0] for column in cells]
        label_width = max(title.cell_len for title in titles) + _GAP
        for place, row in enumerate(list(zip(*cells, strict=True))[1:]):
            if place:
                yield Text("")
            for title, cell, wraps in zip(titles, row, self._prose, strict=True):
                label = title.plain
                room = max(1, width - label_width)
                for line in lines_of(cell, room) if wraps else [cell]:
                    yield _overlong(Text(label + " " * (label_width - cell_len(label)), style="dim") + line)
                    label = ""

    @staticmethod
    def _text(console: Console, cell: object) -> Text:
        return cell.copy() if isinstance(cell, Text) else console.render_str(str(cell))


def _shared(natural: list[int], least: list[int], room: int) -> list[int] | None:
    """Return widths that fit into `room`, the widest prose narrowed first; None where none do."""
    over = sum(natural) + _GAP * (len(natural) - 1) - room
    if sum(natural) - over < sum(least):
        return None
    widths = list(natural)
    while over > 0:
        widest = max(
            (place for place in range(len(widths)) if widths[place] > least[place]), key=widths.__getitem__
        )
        widths[widest] -= 1
        over -= 1
    return widths


def lines_of(text: Text, width: int) -> Iterator[Text]:
    """Yield a text in lines of whole words, a longer word in a line of its own."""
    for line in text.split("\n", allow_blank=True):
        breaks, used = [], 0
        for word in _WORD.finditer(line.plain):
            if used and used + cell_len(word[0].rstrip()) > width:
                breaks.append(word.start())
                used = 0
            used += cell_len(word[0])
        yield from line.divide(breaks)


def _overlong(text: Text) -> Text:
    """Return a text that goes past the edge sooner than it is broken."""
    text.no_wrap, text.overflow = True, "ignore"
    return text


def _longest_line(text: Text) -> int:
    return max(map(cell_len, text.plain.splitlines()), default=0)


def _longest_word(text: Text) -> int:
    return max(map(cell_len, text.plain.split()), default=0)
