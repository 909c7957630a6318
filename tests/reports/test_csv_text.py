"""A spreadsheet reads every cell as a value, whoever named a tenant."""

import csv
import io

import pytest

from orchestrator.reports.csv_text import csv_row


def cells_of(*values: object) -> list[str]:
    return next(csv.reader(io.StringIO(csv_row(values), newline="")))


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://a";"b")',
        "=1+1",
        "+1+1",
        "-1+1",
        "-",
        "@SUM(A1)",
        "  =1",
        "\u00a0=1",
        "\ufeff=1",
        "\u200b=1",
        "＝1+1",
        "＋1",
        "－1+1",
        "＠SUM(A1)",
        "﹦1",
        "+84 912 345 678",
        "-1,5",
    ],
)
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(text: str) -> None:
    assert cells_of("before", text, 1) == ["before", f"'{text}", "1"]


@pytest.mark.parametrize(
    "value", ["acme", "a=b", "a-b", "Cửa hàng", "", "1-1", "'=1", "-5", "-0.00125", "0.5", "1e-05", -5, 1.5]
)
def test_names_and_numbers_stay_as_they_are(value: object) -> None:
    assert cells_of(value, 1) == [str(value), "1"]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("a;=cmd|' /C calc'!A0;", "a;'=cmd|' /C calc'!A0;"),
        ("a\t =1+1", "a\t' =1+1"),
        ("a\r\n@b", "a\r\n'@b"),
        (';"＝1"', ';\'"＝1"'),
        ("=1;+1;a", "'=1;'+1;a"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("\n=1", "'\n'=1"),
    ],
)
def test_nor_does_a_text_begin_a_formula_behind_a_semicolon(text: str, cell: str) -> None:
    """Who ends cells there takes no notice of quotes in the middle of a row."""
    assert cells_of("before", text, 1) == ["before", cell, "1"]


@pytest.mark.parametrize("text", ["a;1+1", "a\t-5", 'a"b', "a,b", "a\r\nb=1", "a;b;"])
def test_no_text_ends_its_cell(text: str) -> None:
    """Where the decimal sign is a comma, a cell ends at a semicolon, unless it is quoted."""
    assert csv_row([text]).startswith('"')
    assert cells_of(text) == [text]


def test_what_is_not_known_is_an_empty_cell() -> None:
    assert csv_row([None, 0, "a"]) == ",0,a\n"
