"""Data analysis: exact figures go in, checked figures come out."""

import json

import pandas as pd
import pytest

from chains import DataQuestion, Stage, data_analysis, data_analysis_text
from tests.chains.samples import FINDING, TABLE, written


def test_the_model_is_told_exact_figures(orchestrator, server, script):
    script.add(written(FINDING))
    data_analysis(orchestrator).invoke(TABLE)
    data = json.loads(server.requests[0].body["messages"][1]["content"])
    assert data["table_csv"] == TABLE.table_csv
    assert data["computed"]["doanh_thu"] == {
        "count": 2,
        "sum": 350.5,
        "min": 100,
        "max": 250.5,
        "mean": 175.25,
    }


@pytest.mark.parametrize("value", ["1.200.000 đồng", "NaN", None])
def test_a_figure_that_is_no_number_is_repaired(orchestrator, script, value):
    wrong = {**FINDING, "figures": [{"name": "Tháng 2", "value": value, "unit": ""}]}
    script.add(written(wrong), written(FINDING))
    result = data_analysis(orchestrator).with_details().invoke(TABLE)
    assert result.stage is Stage.REPAIR
    assert result.tries[0].mistakes[0].startswith("figures.0.value: ")
    assert result.value.figures[0].value == 250.5


def test_rows_and_frames_are_tables(orchestrator, script):
    rows = [{"kênh": "web", "đơn": 3}, {"kênh": "zalo, app", "đơn": 5}]
    assert DataQuestion.of_rows("?", rows=rows).table_csv == 'kênh,đơn\nweb,3\n"zalo, app",5\n'
    assert pd.DataFrame(rows).to_csv(index=False) == DataQuestion.of_rows("?", rows=rows).table_csv


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_finding_streams_as_text(orchestrator, script, language):
    script.add("Tháng 2.")
    assert "".join(data_analysis_text(orchestrator, language=language).stream(TABLE)) == "Tháng 2."
