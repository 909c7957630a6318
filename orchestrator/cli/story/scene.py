"""Prints acts for people: calm, indented, readable in 80 columns and without colours."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from orchestrator.cli.output import table
from orchestrator.cli.story.act import Act, CheckedClaim, Grid, StoryEntry
from orchestrator.core.formatting import seconds

_INDENT = (0, 0, 0, 3)


def shown(act: Act, *, number: int, took_s: float, ascii_only: bool) -> RenderableType:
    """Return an act, ready to be printed."""
    title = Text.assemble((f"{number}  ", "bold cyan"), (act.title, "bold"), (f"  {seconds(took_s)}", "dim"))
    parts: list[RenderableType] = [Text(act.intro, style="dim")]
    for part in act.parts:
        parts.append(Text(""))
        parts.append(_grid(part) if isinstance(part, Grid) else _entry(part, ascii_only=ascii_only))
    parts.append(Text(""))
    parts.extend(claim_line(claim, ascii_only=ascii_only) for claim in act.claims)
    return Group(title, Padding(Group(*parts), _INDENT, expand=False), Text(""))


def claim_line(claim: CheckedClaim, *, ascii_only: bool) -> RenderableType:
    """Return one claim with its mark."""
    from rich.table import Table

    good, bad = ("ok ", "NO ") if ascii_only else ("✓ ", "✗ ")
    line = Table.grid(padding=0)
    line.add_column(no_wrap=True)
    line.add_column(overflow="fold")
    mark = Text(good, style="green") if claim.held else Text(bad, style="bold red")
    line.add_row(mark, Text(claim.text, style="" if claim.held else "bold red"))
    return line


def can_mark(console: Console) -> bool:
    """Return whether the console's encoding has a tick."""
    try:
        "✓✗“”…·".encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _grid(grid: Grid) -> RenderableType:
    printed = table(*grid.columns, numbers=grid.numbers)
    for row in grid.rows:
        printed.add_row(*row)
    return printed


def _entry(entry: StoryEntry, *, ascii_only: bool) -> RenderableType:
    lines: list[RenderableType] = []
    if entry.heading:
        lines.append(Text(entry.heading))
    if entry.quotation is not None:
        start, end = ('"', '"') if ascii_only else ("“", "”")
        quotation = " ".join(entry.quotation.split()).strip('"')
        lines.append(
            Padding(Text(f"{start}{quotation}{end}", style="italic cyan"), (0, 0, 0, 4), expand=False)
        )
    indent = 4 if entry.heading else 0
    lines.extend(
        Padding(Text(line, style="dim" if entry.heading else ""), (0, 0, 0, indent), expand=False)
        for line in entry.lines
    )
    return Group(*lines)
