"""Data analysis: a question about a table to a finding, with the figures that prove it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import FiniteFloat

from orchestrator.chains import ChainInput, ChainOutput, Line, Text, make_chain

from .table import computed_from, to_csv


class DataQuestion(ChainInput):
    """A question about a table."""

    question: Text
    table_csv: str
    """The table with the names of its columns in the first line, as `frame.to_csv(index=False)` writes it."""

    @classmethod
    def of_rows(cls, question: str, *, rows: Iterable[Mapping[str, Any]]) -> Self:
        """Return a question about a table given as rows."""
        return cls(question=question, table_csv=to_csv(rows))


class Figure(ChainOutput):
    """A number with its name and unit."""

    name: Line
    value: FiniteFloat
    unit: str
    """Empty where there is none."""


class DataFinding(ChainOutput):
    """What a table says."""

    summary: Text
    figures: tuple[Figure, ...]
    caveats: tuple[str, ...]
    """What to keep in mind: missing data, small numbers."""


def _with_computed_figures(question: DataQuestion) -> Mapping[str, Any]:
    return {
        "question": question.question,
        "table_csv": question.table_csv,
        "computed": computed_from(question.table_csv),
    }


data_analysis = make_chain(
    "data_analysis",
    DataQuestion,
    DataFinding,
    prompts=Path(__file__).with_name("prompts"),
    description="Answer a question about a table, with the figures that prove it",
    prompt_data=_with_computed_figures,
)
"""From `DataQuestion` to `DataFinding`."""

data_analysis_text = data_analysis.text
"""From `DataQuestion` to the answer's text alone, for a page that streams."""
