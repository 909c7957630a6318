"""How tables and errors are written."""

import json

import pytest
from rich.text import Text

from orchestrator.cli.output import (
    CommandError,
    dim,
    err,
    errors_as_json,
    out,
    print_json,
    table,
    write,
)

ACTING = "\x1b]0;owned\x07\x1b[2J\u202e[/oops][bold]:smile:"
SHOWN = "\\x1b]0;owned\\x07\\x1b[2J\\u202e[/oops][bold]:smile:"


def test_brackets_in_a_column_title_are_text():
    """Rich reads square brackets as markup; titles are plain."""
    assert table("input, [optional]").columns[0].header.plain == "input, [optional]"


def test_an_error_is_told_as_json_only_where_asked(capsys):
    """Without --json nothing is written to standard output."""
    for wanted in (True, False):
        with pytest.raises(CommandError), errors_as_json(wanted):
            raise CommandError("no")
        assert bool(capsys.readouterr().out) is wanted


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("how", ["a line", "a cell", "a title", "a text", "a style", "plain"])
def test_text_is_printed_as_text_in_every_way(
    capsys, monkeypatch: pytest.MonkeyPatch, terminal: bool, how: str
) -> None:
    """No escape sequence but Rich's own, no markup, no emoji by name."""
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    rows = table(ACTING if how == "a title" else "name", "cost", numbers=("cost",))
    rows.add_row(ACTING, "1")
    ways = {
        "a line": lambda: out().print(ACTING),
        "a cell": lambda: out().print(rows),
        "a title": lambda: out().print(rows),
        "a text": lambda: out().print(Text(ACTING.replace("\x07", "\x1b"))),
        "a style": lambda: out().print(ACTING, style="bold red"),
        "plain": lambda: write(ACTING),
    }
    ways[how]()
    printed = capsys.readouterr().out
    assert "\x1b]" not in printed
    assert "\x1b[2J" not in printed
    assert "\u202e" not in printed
    assert "[/oops][bold]:smile:" in printed
    assert "\\x1b]0;owned" in printed


def test_a_status_line_and_standard_error_are_text_too(capsys) -> None:
    err().print(ACTING, soft_wrap=True)
    assert capsys.readouterr().err == f"{SHOWN}\n"
    assert dim(ACTING).plain == SHOWN


def test_json_is_exact_and_does_not_act(capsysbinary) -> None:
    print_json({"text": ACTING, "tên": "Cửa hàng"})
    printed = capsysbinary.readouterr().out.decode()
    assert json.loads(printed) == {"text": ACTING, "tên": "Cửa hàng"}
    assert "\u202e" not in printed
    assert "Cửa hàng" in printed


def test_no_line_of_a_table_ends_in_blanks_in_a_file(capsys, monkeypatch: pytest.MonkeyPatch):
    """In all three layouts; a line break within a cell is one too."""
    for columns in ("100", "40", "20"):
        monkeypatch.setenv("COLUMNS", columns)
        rows = table("name", "cost", "what it says", numbers=("cost",), folded=("what it says",))
        rows.add_row("a-name-of-twenty-one", "1", "short")
        rows.add_row("b", "2", "words that go on for longer than the others do")
        out().print(rows)
        assert not [line for line in capsys.readouterr().out.splitlines() if line != line.rstrip()]
