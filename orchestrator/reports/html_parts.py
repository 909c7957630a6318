"""HTML that pages are made of: cards, tables, sections. Whatever is not `Html` already is escaped."""

import re
from collections.abc import Iterable, Sequence
from html import escape

from orchestrator.core.language import Language
from orchestrator.core.visible_text import visible

STYLE = """
:root { color-scheme: light dark; --ink: #1c2530; --soft: #55606d; --line: #dfe4e9; --bar: #2563a8; --page: #fff;
  --card: #f4f6f8; --right: #1b6e3c; --wrong: #b3261e; --part: #7d5200; --focus: #0b57d0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaee; --soft: #a3aeba; --line: #343d47; --bar: #6ea8e6;
  --page: #14181d; --card: #1d232a; --right: #7fd49b; --wrong: #ff8a80; --part: #f0b860; --focus: #a8c7fa; } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #333; --line: #bbb; --bar: #444; --page: #fff;
  --card: #fff; } section { break-inside: avoid; } }
* { box-sizing: border-box; } :focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem auto; max-width: 72rem; padding: 0 1rem;
  color: var(--ink); background: var(--page); }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
h3 { font-size: 1rem; margin: 0; } p { margin: .3rem 0; } .soft, th { color: var(--soft); }
dl { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0; } dl div { flex: 1 1 9rem; max-width: min(100%, 20rem); }
dl div, article { background: var(--card); border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .8rem; }
dt { color: var(--soft); } dd { margin: 0; font-size: 1.15rem; font-weight: 600; overflow-wrap: break-word; }
.whole { white-space: nowrap; } .right { color: var(--right); } .wrong { color: var(--wrong); } .part { color: var(--part); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; white-space: nowrap; }
th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:where(:not(.n)) { overflow-wrap: anywhere; min-width: 6rem; } td:first-child { min-width: 14rem; }
.prose td { white-space: pre-wrap; overflow-wrap: anywhere; min-width: 12rem; } .prose td:first-child { min-width: 6rem; }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
@media screen and (max-width: 34rem) { table, tbody, tr { display: block; } tr:has(> th) { display: none; }
  td, td.n { display: flex; justify-content: space-between; gap: 1rem; padding: .1rem 0; border: 0; white-space: normal;
    text-align: right; overflow-wrap: anywhere; }
  td::before { content: attr(data-name); color: var(--soft); font-weight: 400; text-align: left; overflow-wrap: normal; }
  td:first-child { min-width: 0; font-weight: 600; text-align: left; } td:first-child::before { content: none; }
  .prose td { display: block; min-width: 0; text-align: left; } .prose td::before { display: block; }
  tr { border-bottom: 1px solid var(--line); padding: .4rem 0; } }
article { margin: .6rem 0; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0; font-size: .85rem; }
svg { width: 100%; height: 9rem; display: block; } rect { fill: var(--bar); }
"""


_DAY, _WHOLE = re.compile(r"\d{4}-\d\d-\d\d"), r"<span class=whole>\g<0></span>"


class Html(str):
    """Text that is HTML already, made by these functions and never of somebody's words."""

    __slots__ = ()


def text(words: str) -> str:
    """Return words as HTML in which nothing acts: no tag, no attribute, no control character."""
    return words if isinstance(words, Html) else escape(visible(words))


def document(title: str, body: str, language: Language, *, style: str = "") -> str:
    """Return a whole page that needs nothing else, no script and no network; `style` is its own."""
    return (
        f'<!doctype html><html lang="{language.value}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{text(title)}</title><style>{STYLE}{style}</style></head><body>{body}</body></html>\n"
    )


def link(target: str, words: str) -> Html:
    """Return a link to a page of ours; `target` is an address whose parts are quoted already."""
    return Html(f'<a href="{escape(target)}">{text(words)}</a>')


def cards(shown: Iterable[tuple[str, str]]) -> str:
    """Return names and values as cards, each as wide as its longest word; a day is a word."""
    lines = (
        f"<div><dt>{_DAY.sub(_WHOLE, text(n))}</dt><dd>{_DAY.sub(_WHOLE, text(v))}</dd></div>"
        for n, v in shown
    )
    return f"<dl>{''.join(lines)}</dl>"


def html_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int = 0, prose: bool = False
) -> str:
    """Return a table whose first column and last `texts` columns are words, the others numbers.

    On a narrow screen each row stands under its first cell, a line a column with the column's name. Words
    that are `prose` stand below that name there, and keep their lines everywhere.
    """
    kinds = [" class=n" if 0 < place < len(head) - texts else "" for place in range(len(head))]
    names = [f' data-name="{text(name)}"' if place else "" for place, name in enumerate(head)]
    titles = "".join(f"<th{kind}>{text(name)}</th>" for kind, name in zip(kinds, head, strict=True))

    def line(cells: Sequence[str]) -> str:
        # The flex line of a narrow screen has two parts, however many the cell has.
        return "".join(
            f"<td{kind}{name}><span>{text(cell)}</span></td>"
            for kind, name, cell in zip(kinds, names, cells, strict=True)
        )

    body = "".join(f"<tr>{line(row)}</tr>" for row in rows)
    shape = " class=prose" if prose else ""
    return f"<div class=wide tabindex=0><table{shape}><tr>{titles}</tr>{body}</table></div>"


def section(title: str, body: str) -> str:
    """Return a part of a page under its title; without one it stands under that of the page."""
    heading = f"<h2>{text(title)}</h2>" if title else ""
    return f"<section>{heading}{body}</section>"


def bar(share: float, words: str, *, mark: float | None = None) -> Html:
    """Return a share of 0 to 1 (more is full) as a bar, which is read out as `words`.

    `mark` is the share at which a line stands across it: at the end where it is 1 or more.
    """
    width = 100 * min(1.0, max(0.0, share))
    worst = max(share, mark or 0.0)
    level = "full" if share >= 1 else "high" if worst >= 0.8 else "low"  # noqa: PLR2004 -- as alerts begin
    place = 98 * min(1.0, max(0.0, mark or 0.0))
    line = "" if mark is None else f'<rect class=mark x="{place:.1f}" width="2" height="8"></rect>'
    return Html(
        f'<svg class="bar {level}" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" '
        f'aria-label="{text(words)}"><rect class=rest width="100" height="8"></rect>'
        f'<rect width="{width:.1f}" height="8"></rect>{line}</svg>'
    )
