"""Data analysis: a question about a table to a finding, with the figures that prove it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from pydantic import FiniteFloat

from chains.chain_config import ChainConfig
from chains.fields import ChainInput, ChainOutput, Line, Text
from chains.runnables import StructuredChain, TextChain
from chains.structured import Task
from chains.table import computed_from, to_csv
from chains.wording import Language
from orchestrator import Orchestrator


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


def data_analysis(
    orchestrator: Orchestrator, *, tenant: str = "default", language: str = "vi", **overrides: Any
) -> StructuredChain[DataQuestion, DataFinding]:
    """Return the chain from `DataQuestion` to `DataFinding`; `overrides` as in `Orchestrator.complete`.

    Raises:
        InvalidRequestError, UnknownNameError: no such language, request field or profile.
    """
    return StructuredChain(
        ChainConfig(_TASK, orchestrator, tenant=tenant, language=language, overrides=overrides)
    )


def data_analysis_text(
    orchestrator: Orchestrator, *, tenant: str = "default", language: str = "vi", **overrides: Any
) -> TextChain[DataQuestion, DataFinding]:
    """Return the chain from `DataQuestion` to the answer's text alone, for a page that streams.

    Raises:
        InvalidRequestError, UnknownNameError: no such language, request field or profile.
    """
    return TextChain(ChainConfig(_TASK, orchestrator, tenant=tenant, language=language, overrides=overrides))


def _prompt_data(question: DataQuestion) -> Mapping[str, Any]:
    return {
        "question": question.question,
        "table_csv": question.table_csv,
        "computed": computed_from(question.table_csv),
    }


def _allowed(_question: DataQuestion, _language: Language) -> Mapping[str, Sequence[str]]:
    return {}


def _mistakes(_question: DataQuestion, _finding: DataFinding) -> Sequence[str]:
    return ()


_TASK = Task(
    "data_analysis", DataQuestion, DataFinding, prompt_data=_prompt_data, allowed=_allowed, mistakes=_mistakes
)
