"""Exact figures of a table."""

import pytest

from chains.table import computed_from, to_csv


def test_a_column_of_numbers_is_counted_and_added_exactly():
    assert computed_from("a\n0.1\n0.2\n\n")["a"] == {
        "count": 2,
        "sum": 0.3,
        "min": 0.1,
        "max": 0.2,
        "mean": 0.15,
    }


def test_large_dong_amounts_stay_whole():
    assert computed_from("a\n9007199254740993\n1\n")["a"]["sum"] == 9007199254740994


@pytest.mark.parametrize("cell", ["1.200.000", '"1,200"', "2026-01-01", "NaN", "Infinity", "x"])
def test_a_column_with_anything_else_is_left_out(cell):
    assert computed_from(f"a,b\n1,{cell}\n").keys() == {"rows", "a"}


def test_empty_cells_do_not_count_and_short_or_long_rows_do_no_harm():
    computed = computed_from("a,b\n1,2\n3\n5,6,7\n,\n")
    assert computed["rows"] == 4
    assert computed["a"]["count"] == 3
    assert computed["b"]["sum"] == 8


@pytest.mark.parametrize("table", ["", "a,b\n", "\n"])
def test_a_table_without_rows_has_no_figures(table):
    assert computed_from(table) == {"rows": 0}


def test_rows_with_different_keys_make_one_table():
    assert to_csv([{"a": 1}, {"b": "x\ny"}]) == 'a,b\n1,\n,"x\ny"\n'
