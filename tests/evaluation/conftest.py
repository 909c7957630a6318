"""Orchestrators whose models answer as a test says, in this process, on its clock."""

from contextlib import ExitStack

import pytest

from orchestrator import Orchestrator
from orchestrator.evaluation.case import Answer, Row, Score, ScoredRow
from orchestrator.evaluation.evaluate import Evaluation
from orchestrator.providers.in_memory import InMemoryTransport
from tests.support.voices import Voices

LUNA, FLASH, SEEK = "openrouter/gpt-6-luna", "google/gemini-3.1-flash-lite", "openrouter/deepseek-v3.2"
SONNET = "openrouter/claude-sonnet-5.5"


@pytest.fixture
def speaking(make_config, clock, listed_prices):
    """Make an orchestrator of models with one answer each; returns it, its transport and who was asked."""
    opened = []

    def make(**answers):
        voices = Voices(
            {**answers, "gpt-6-luna": "delivery", "gemini-3.1-flash-lite": "refund", "": "other"} | answers
        )
        transport = InMemoryTransport(clock=clock, answerer=voices, prices=listed_prices)
        opened.append(Orchestrator(make_config(), clock=clock, transport=transport))
        return opened[-1], transport, voices

    yield make
    for orchestrator in opened:
        orchestrator.close()


@pytest.fixture
def golden(tmp_path):
    """Write rows as a JSONL file."""

    def write(*lines, name="golden.jsonl"):
        path = tmp_path / name
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    return write


@pytest.fixture
def evaluation(tmp_path):
    """Make evaluations; each closes the one before, as another start would, and the file of results stays."""
    with ExitStack() as opened:

        def make(orchestrator, data, **options):
            fields = {
                "scorers": ["label"],
                "use_case": "cost_sensitive",
                "results": tmp_path / "results.jsonl",
            }
            opened.close()
            return opened.enter_context(Evaluation(orchestrator, data, **{**fields, **options}))

        yield make


def row(name="a", *, expected="delivery", line=1, language=None, prompt="Where is my parcel?"):
    return Row(id=name, line=line, prompt=prompt, expected=expected, language=language)


def scored(name, subject, value, *, text="", cost_nusd=0, expected="delivery"):
    answer = Answer(text=text, cost_nusd=cost_nusd, deployment=subject)
    return ScoredRow(row(name, expected=expected), subject, answer, {"label": Score(value)})
