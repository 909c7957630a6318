"""A row of CSV that a spreadsheet reads as values and runs nothing of.

A cell that begins like a formula is one to a spreadsheet, whoever wrote it: a tenant named
`=HYPERLINK("http://...")` sends the row to a stranger when the report is opened. Such a text gets an
apostrophe before it, the spreadsheets' own mark of a text. Numbers stay numbers.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

_FORMULA_SIGNS = frozenset("=+-@")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_QUOTED = re.compile(r'[",;\t\r\n]')
"""A semicolon and a tab too: where the decimal sign is a comma, spreadsheets end a cell there."""
_LATER_CELL = re.compile(r"(?<=[;\t\r\n])[^;\t\r\n]+")
"""What is a cell of its own there: within a row that has no semicolons quotes mean nothing to them."""
_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_CELL_STARTS = ("\t", "\r", "\n")


def csv_row(values: Iterable[Any]) -> str:
    """Return one line, with its end; None is an empty cell."""
    return ",".join(_cell(value) for value in values) + "\n"


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    if isinstance(value, str):
        text = _LATER_CELL.sub(lambda later: _as_text(later[0]), text)
        text = f"'{text}" if _begins_like_a_formula(value) else text
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def _as_text(later: str) -> str:
    return f"'{later}" if _begins_like_a_formula(later.lstrip('"')) else later


def _begins_like_a_formula(text: str) -> bool:
    if _NUMBER.fullmatch(text):
        return False
    seen = next((letter for letter in text if unicodedata.category(letter) not in _UNSEEN), "")
    # Full-width and small signs are the same to some: U+FF1D is read as =.
    return text.startswith(_CELL_STARTS) or unicodedata.normalize("NFKC", seen)[:1] in _FORMULA_SIGNS
