"""What each model did with each row: of an evaluation, or recorded elsewhere.

A recorded file (`.jsonl`, `.csv`, `.parquet`) has a line for each row and model:

    id, model         the row's id, and a deployment of config.yaml
    answer            what it wrote
    cost_usd          what that cost
    score             0 to 1, where it is known already; else the scorers tell
    tool_calls        a list of {name, arguments}, where it called tools
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.core.formatting import count_text
from orchestrator.core.money import NanoUsd, nano_usd
from orchestrator.core.reply import ToolCall
from orchestrator.evaluation.case import Answer, EvaluationError, Row, Score, ScoredRow
from orchestrator.evaluation.dataset import records_of
from orchestrator.evaluation.scorers import Scorer, scored

_MISTAKES_MAX = 20
RECORDED_SCORE = "recorded"


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Rows that every model has an outcome of, in one order."""

    rows: tuple[Row, ...]
    answers: Mapping[str, tuple[Answer, ...]]
    """By deployment, a place for each row."""
    scores: Mapping[str, tuple[float, ...]]
    notes: tuple[str, ...] = ()
    """What was left out, and why."""

    def part(self, places: Sequence[int]) -> "Outcomes":
        """Return some of the rows."""
        return Outcomes(
            tuple(self.rows[place] for place in places),
            {name: tuple(answers[place] for place in places) for name, answers in self.answers.items()},
            {name: tuple(scores[place] for place in places) for name, scores in self.scores.items()},
        )

    def cost_of(self, model: str) -> NanoUsd:
        """Return what a model cost over all rows."""
        return NanoUsd(sum(answer.cost_nusd for answer in self.answers[model]))


def outcomes_of(results: Sequence[ScoredRow], *, reference: str) -> Outcomes:
    """Return what can be compared: the rows of the reference, and the models that answered all of them.

    Raises:
        EvaluationError: the reference has no outcome.
    """
    by_model: dict[str, dict[str, ScoredRow]] = {}
    for result in results:
        if result.value is not None:
            by_model.setdefault(result.subject, {})[result.row.key] = result
    of_reference = by_model.get(reference)
    if not of_reference:
        raise EvaluationError(
            f"there is no outcome of the reference '{reference}': record it too, or name another --reference"
        )
    complete = {name: ours for name, ours in by_model.items() if of_reference.keys() <= ours.keys()}
    notes = [
        f"{name} is left out: {len(of_reference.keys() - ours.keys())} of {len(of_reference)} outcomes are missing"
        for name, ours in by_model.items()
        if name not in complete
    ]
    others = {key for ours in by_model.values() for key in ours} - of_reference.keys()
    if others:
        notes.append(
            f"left out: {count_text(len(others), 'row')} of which the reference {reference} has no outcome"
        )
    keys = list(of_reference)
    return Outcomes(
        tuple(of_reference[key].row for key in keys),
        {name: tuple(ours[key].answer for key in keys) for name, ours in complete.items()},
        {name: tuple(ours[key].value or 0.0 for key in keys) for name, ours in complete.items()},
        tuple(notes),
    )


def recorded(
    path: Path, rows: Sequence[Row], *, scorers: Sequence[Scorer], models: Mapping[str, Any]
) -> list[ScoredRow]:
    """Return the recorded outcomes of rows, scored where the file does not.

    Raises:
        EvaluationError: one line for each mistake, with what to do.
    """
    mistakes: list[str] = []
    by_id = {row.id: row for row in rows}
    results: dict[tuple[str, str], ScoredRow] = {}
    for line, fields in records_of(path, mistakes):
        try:
            result = _recorded(fields, by_id, scorers, models)
        except (ValueError, TypeError) as exc:
            mistakes.append(f"{path}:{line}: {exc}")
            continue
        if result is not None and results.setdefault((result.row.id, result.subject), result) is not result:
            mistakes.append(
                f"{path}:{line}: a second outcome of '{result.subject}' for row '{result.row.id}'"
            )
    if mistakes:
        raise EvaluationError("\n".join(mistakes[:_MISTAKES_MAX]))
    return list(results.values())


def _recorded(
    fields: Mapping[str, Any], rows: Mapping[str, Row], scorers: Sequence[Scorer], models: Mapping[str, Any]
) -> ScoredRow | None:
    from orchestrator.core.unknown_names import unknown  # noqa: PLC0415 -- for mistakes alone

    for name in ("id", "model", "cost_usd"):
        if name not in fields:
            raise ValueError(f"'{name}' is missing")
    model, row = str(fields["model"]), rows.get(str(fields["id"]))
    if model not in models:
        raise ValueError(unknown("deployment", model, models))
    if row is None:
        return None
    calls = tuple(
        ToolCall(str(place), str(call["name"]), str(call["arguments"]))
        for place, call in enumerate(fields.get("tool_calls") or ())
    )
    answer = Answer(
        text=str(fields.get("answer", "")), tool_calls=calls, cost_nusd=nano_usd(fields["cost_usd"]),
        latency_s=float(fields.get("latency_s", 0.0)), deployment=model,
    )  # fmt: skip
    if "score" in fields:
        score = float(fields["score"])
        if not 0 <= score <= 1:
            raise ValueError(f"score {score:g}: a score is from 0 to 1")
        return ScoredRow(row, model, answer, {RECORDED_SCORE: Score(score)})
    if "answer" not in fields:
        raise ValueError("neither 'score' nor 'answer': one of them is needed")
    return ScoredRow(row, model, answer, {scorer.name: scored(scorer, row, answer) for scorer in scorers})
