"""Data sets are read whole, or refused with the line of every mistake and what to do."""

import pandas as pd
import pytest

from orchestrator.core.language import Language
from orchestrator.evaluation.case import EvaluationError
from orchestrator.evaluation.dataset import rows_of

GOOD = '{"id":"a","prompt":"Đơn đâu?","expected":"delivery","language":"vi","note":"kept out"}'


def refusal(data, **options):
    with pytest.raises(EvaluationError) as refused:
        rows_of(data, **options)
    return str(refused.value)


def test_jsonl_csv_parquet_and_frames_are_the_same_rows(golden, tmp_path):
    frame = pd.DataFrame([{"id": "a", "prompt": "Đơn đâu?", "expected": "delivery", "language": "vi"}])
    frame.to_csv(tmp_path / "golden.csv", index=False)
    frame.to_parquet(tmp_path / "golden.parquet")
    for data in (golden(GOOD), tmp_path / "golden.csv", tmp_path / "golden.parquet", frame):
        (row,) = rows_of(data, needs_expected=True)
        assert (row.id, row.asks, row.expected, row.language) == ("a", "Đơn đâu?", "delivery", Language.VI)


def test_every_mistake_is_named_with_its_line_and_a_remedy(golden):
    path = golden(
        GOOD,
        '{"id":"b","prompt":"x"}',
        '{"id":"c","promt":"x","expected":"delivery"}',
        "{not json",
        "[1]",
        '{"id":"a","prompt":"y","expected":"refund"}',
        '{"id":"e","prompt":"Đơn đâu?","expected":"refund"}',
        '{"id":"f","prompt":"z","expected":"refund","language":"fr"}',
        '{"id":"g","prompt":"z","expected":' + "[" * 100_000 + "]" * 100_000 + "}",
    )
    lines = refusal(path, needs_expected=True).splitlines()
    starts = {line.split(":")[1]: line for line in lines}
    assert "'expected' is missing" in starts["2"]
    assert "is 'promt' meant as 'prompt'?" in starts["3"]
    assert "one object on a line" in starts["4"]
    assert starts["5"].endswith(": a list; write an object in braces")
    assert "'a' stands in line 1 already" in starts["6"]
    assert "asks the same as line 1" in starts["7"]
    assert "with another 'expected'" in starts["7"]
    assert "write vi or en" in starts["8"]
    assert "one object on a line" in starts["9"]


def test_a_table_of_very_many_columns_is_refused_in_a_line_that_people_read(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text(",".join(f"column {place}" for place in range(50_000)) + "\n" + "1," * 49_999 + "1\n")
    told = refusal(path)
    assert "it has column 0, column 1, column 2" in told
    assert len(told) < 1000
    assert len(refusal([{"a" * 1_000_000: 1}])) < 1000


def test_a_line_in_another_encoding_is_named(golden, tmp_path):
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(
        GOOD.encode() + b"\n" + '{"id":"b","prompt":"đơn"}'.encode("cp1258", "replace").replace(b"?", b"\xf0")
    )
    assert ":2: byte" in refusal(path)
    path.write_bytes(GOOD.encode("utf-16"))
    assert "UTF-16" in refusal(path)
    table = tmp_path / "mixed.csv"
    table.write_bytes(b"id,prompt\na,x\nb,\xf0\n")
    assert "mixed.csv:3: not UTF-8" in refusal(table)


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    path = tmp_path / "excel.csv"
    path.write_text("id,prompt,expected\na,x,y\n", encoding="utf-8-sig")
    assert rows_of(path)[0].id == "a"


def test_a_label_that_no_model_can_be_right_about_is_refused(golden):
    said = refusal(golden(GOOD), labels=["refund", "other"])
    assert "golden.jsonl:1: expected 'delivery' is none of the labels" in said
    assert said.endswith("labels: refund, other")


def test_a_row_of_csv_with_a_cell_too_many_is_named(tmp_path):
    path = tmp_path / "golden.csv"
    path.write_text("id,prompt\na,one\nb,two, three\n", encoding="utf-8")
    assert "golden.csv:3: not as many cells" in refusal(path)


def test_an_empty_file_and_a_strange_one_are_refused(golden):
    assert "there are no rows; write one JSON object a line" in refusal(golden(""))
    for text in ("", "id,prompt\n"):
        assert "no rows; name the columns in the first line" in refusal(golden(text, name="golden.csv"))
    assert "ends in .jsonl" in refusal(golden(GOOD, name="golden.txt"))
    assert "cannot be read" in refusal("/no/such/file.jsonl")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "g.jsonl",
            '{"id":"a","prompt":"x","prompt":"y"}',
            ":1: 'prompt' stands there twice; delete one of them",
        ),
        ("g.jsonl", '{"id":"a","input":{"k":1,"k":2}}', ":1: 'k' stands there twice"),
        ("g.csv", "id,prompt,prompt\na,x,y\n", ":1: two columns are named 'prompt'"),
        ("g.csv", "id;prompt\na;x\n", ":1: the columns are parted by another mark than a comma"),
        ("g.csv", 'id,prompt\na,"x\n', "g.csv:2: not CSV (unexpected end of data); close each quote"),
        ("g.csv", '"id,prompt\na,x\n', "g.csv:1: not CSV"),
        ("g.csv", 'id,prompt\na,x\n\nb,"y\nc,z\n', "g.csv:4: not CSV"),
        ("g.csv", 'id,prompt\na,"x\ny"\nb,"y\nc,"z"\n', "g.csv:4: not CSV"),
        ("g.csv", "id,prompt\n\na,x,y\n", "g.csv:3: not as many cells"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(tmp_path, name, text, words):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert words in refusal(tmp_path / name)
