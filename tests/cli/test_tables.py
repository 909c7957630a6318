"""No table cuts an amount of money or a name that another command takes, however narrow the terminal is."""

import re
from datetime import UTC, datetime

import pytest

from orchestrator.cli.output import out, table
from tests.support.filled_book import Book, Outcome

WIDTHS = (120, 80, 60, 40, 20)
MODEL = "openrouter/claude-sonnet-5.5-thinking-extended"
TENANT = "a-tenant-with-a-rather-long-name.example.vn"
AMOUNT = "$123,456,789.012345678"


def printed_at(capsys, monkeypatch, width: int, rows) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    out().print(rows)
    return capsys.readouterr().out


@pytest.mark.parametrize("width", WIDTHS)
def test_names_and_numbers_stay_whole_and_in_one_line(capsys, monkeypatch, width):
    names = ("model", "sends", "cost", "note")
    rows = table(*names, numbers=("sends", "cost"), folded=("note",))
    rows.add_row(MODEL, "1,234,567", AMOUNT, "the first model of the use case, asked again")
    rows.add_row("Đơn/hàng-日本語", "1", "$0.00", "")
    printed = printed_at(capsys, monkeypatch, width, rows)
    for cell in (MODEL, "1,234,567", AMOUNT, "Đơn/hàng-日本語", *names):
        assert cell in printed
    assert "asked again" in re.sub(r"\s+", " ", printed)
    if width >= 60:
        assert max(map(len, printed.splitlines())) <= width


def test_a_table_that_fits_is_a_plain_one(capsys, monkeypatch):
    rows = table("budget", "limit", numbers=("limit",))
    rows.add_row("all", "$1.00")
    assert printed_at(capsys, monkeypatch, 80, rows).splitlines() == [
        "budget  limit",
        "─" * 13,
        "all     $1.00",
    ]


def test_a_first_column_that_is_too_wide_stands_above_its_row(capsys, monkeypatch):
    rows = table("model", "sends", "cost", numbers=("sends", "cost"))
    rows.add_row(MODEL, "12", AMOUNT)
    lines = printed_at(capsys, monkeypatch, 60, rows).splitlines()
    assert lines[-2:] == [MODEL, f"       12  {AMOUNT}"]


@pytest.mark.parametrize("width", [80, 30])
def test_a_group_is_named_once_in_columns_and_in_each_record(capsys, monkeypatch, width):
    rows = table("tier", "check", "what was seen", folded=("what was seen",), grouped=True)
    for check in ("key", "models"):
        rows.add_row("openrouter", check, "a sentence that is longer than all of a narrow terminal")
    printed = printed_at(capsys, monkeypatch, width, rows)
    assert printed.count("openrouter") == (1 if width == 80 else 2)
    assert "\ntier  \n" not in printed


@pytest.mark.parametrize("width", WIDTHS)
def test_a_sentence_wraps_between_words_and_cuts_no_amount(capsys, monkeypatch, width):
    sentence = f"notice: {MODEL} costs {AMOUNT} above 100,000 tokens: set OPENROUTER_API_KEY, and ask again"
    monkeypatch.setenv("COLUMNS", str(width))
    out().print(sentence, soft_wrap=True)
    lines = capsys.readouterr().out.splitlines()
    assert [word for line in lines for word in line.split()] == sentence.split()
    assert max(map(len, lines)) <= max(width, len(MODEL) + 1)


def test_a_sentence_is_one_line_of_a_file(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    out().print("a sentence " * 40, soft_wrap=True)
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize("command", [("prices",), ("config", "check"), ("doctor", "--no-live")], ids=" ".join)
def test_nothing_but_a_long_name_goes_past_the_edge(run, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "60")
    ran = run(*command)
    wide = [line for line in ran.out.splitlines() if len(line.rstrip()) > 60]
    assert [line for line in wide if max(map(len, line.split())) < 40] == []
    assert not [line for line in ran.out.splitlines() if line.strip() == "tier"]


@pytest.fixture
def busy_books(home, monkeypatch):
    """A ledger with long names and high amounts, of this moment."""
    book = Book(home / "ledger.sqlite3")
    book.clock.moment = datetime.now(UTC)
    for cost in (234_567_891, 1):
        book.request((MODEL, Outcome.SUCCEEDED, cost), tenant="a-tenant-with-a-rather-long-name.example.vn")
    book.ledger.close()


@pytest.mark.parametrize(
    "command",
    [
        ("report",),
        ("requests",),
        ("top", "--once"),
        ("keys", "list"),
        ("route", "hello"),
        ("prices",),
        ("chain", "--list"),
        ("alerts", "list"),
    ],
    ids=" ".join,
)
def test_every_word_of_a_wide_terminal_stands_in_a_narrow_one(run, busy_books, monkeypatch, command):
    """What no column had to be narrowed for is whole at 80, 60 and 40 columns too."""
    roles = ("--role", "operate", "--role", "call")
    run("keys", "make", "--tenant", TENANT, "--use-case", "customer_service", *roles)
    printed = {}
    for width in (400, 80, 60, 40):
        monkeypatch.setenv("COLUMNS", str(width))
        ran = run(*command)
        assert ran.code == 0, ran.err
        printed[width] = {word for word in ran.out.split() if not set(word) <= set("─█░")}
    assert len(printed[400]) > 4
    for width in (80, 60, 40):
        assert printed[400] - printed[width] == set()
