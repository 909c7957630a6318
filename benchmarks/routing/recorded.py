"""Recorded prompts, answers and outcomes of real models, from a folder that is no part of this project.

The columns are those of the files `prompts`, `outcomes` and `responses` (Parquet): `source_task` is the
benchmark's own category and gives answers away, so it is never read.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import ToolCall, Usage

FILES = ("prompts.parquet", "outcomes.parquet", "responses.parquet")
_PROMPT_COLUMNS = ["prompt_id", "benchmark", "task", "lang", "prompt"]
_OUTCOME_COLUMNS = ["prompt_id", "model", "score", "input_tokens", "output_tokens", "cost_usd"]
_NEXT_QUESTION = re.compile(r"\n\s*(?:Q|Question)\s*:")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one model did with one prompt."""

    score: float
    """0 to 1; whoever decides must not look at it."""
    cost_usd: float
    input_tokens: int
    output_tokens: int


@dataclass(slots=True)
class Prompt:
    """One prompt with what every model did with it."""

    id: str
    benchmark: str
    task: str
    """What a caller can see before the answer."""
    text: str
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    """What models wrote, where that is recorded."""


def is_there(folder: Path) -> bool:
    """Return whether the recorded data is in a folder; the answers may be missing."""
    return all((folder / name).is_file() for name in FILES[:2])


def load(folder: Path) -> list[Prompt]:
    """Return all prompts of a folder, in the order of the file."""
    import pandas as pd

    rows = pd.read_parquet(folder / FILES[0], columns=_PROMPT_COLUMNS)
    prompts = {
        row.prompt_id: Prompt(row.prompt_id, row.benchmark, row.task, row.prompt) for row in rows.itertuples()
    }
    for row in pd.read_parquet(folder / FILES[1], columns=_OUTCOME_COLUMNS).itertuples():
        prompt = prompts.get(row.prompt_id)
        # NaN is equal to nothing: what was not measured is no outcome.
        if prompt is not None and row.score == row.score and row.cost_usd == row.cost_usd:
            prompt.outcomes[row.model] = Outcome(
                float(row.score), float(row.cost_usd), int(row.input_tokens), int(row.output_tokens)
            )
    if (folder / FILES[2]).is_file():
        for row in pd.read_parquet(folder / FILES[2]).itertuples():
            if row.prompt_id in prompts and isinstance(row.response, str):
                prompts[row.prompt_id].answers[row.model] = row.response
    return list(prompts.values())


def answer_of(prompt: Prompt, model: str) -> ProviderAnswer | None:
    """Return what a model answered, as our transports would bring it; None where it was not recorded.

    Tool calls were recorded as text, in two spellings; they are read as the calls that they are.
    """
    text = prompt.answers.get(model)
    if text is None:
        return None
    outcome = prompt.outcomes[model]
    calls: tuple[ToolCall, ...] = ()
    if prompt.task.startswith("tool_"):
        calls = tuple(
            ToolCall(f"call_{place}", name, arguments)
            for place, (name, arguments) in enumerate(_calls_in(text))
        )
        text = "" if calls else text
    else:
        # Some models went on with a question of their own.
        text = _NEXT_QUESTION.split(text.strip(), maxsplit=1)[0].removeprefix("A:").strip()
    return ProviderAnswer(
        text=text,
        tool_calls=calls,
        finish_reason="tool_calls" if calls else "stop",
        usage=Usage(outcome.input_tokens, outcome.output_tokens),
        reported_cost_nusd=None,
        upstream_id=None,
    )


def _calls_in(text: str) -> list[tuple[str, str]]:
    """Return name and arguments of the recorded calls; none where the answer is another text."""
    source = text.replace("\\_", "_").strip().strip("`").strip()
    source = source.removeprefix("python").removeprefix("json").strip()
    for attempt in (source, f"[{source}]", _bracketed(source)):
        try:
            tree = ast.parse(attempt, mode="eval").body
            calls = [(name, orjson.dumps(fields).decode()) for name, fields in _read(tree)]
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
            continue
        if calls:
            return calls
    return []


def _bracketed(source: str) -> str:
    first, last = source.find("["), source.rfind("]")
    return source[first : last + 1] if 0 <= first < last else ""


def _read(tree: ast.expr) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(tree, ast.List | ast.Tuple):
        for element in tree.elts:
            yield from _read(element)
    elif isinstance(tree, ast.Call):
        fields = {keyword.arg: _value(keyword.value) for keyword in tree.keywords if keyword.arg}
        for argument in tree.args:
            # `dict` refuses an argument without a name.
            fields |= dict(_value(argument))
        yield ast.unparse(tree.func), fields
    elif isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        yield from _read(ast.parse(tree.value, mode="eval").body)
    elif isinstance(tree, ast.Dict):
        yield from _named(ast.literal_eval(tree))


def _named(recorded: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if set(recorded) == {"name", "arguments"}:
        yield recorded["name"], recorded["arguments"]
        return
    for name, arguments in recorded.items():
        yield name, orjson.loads(arguments) if isinstance(arguments, str) else arguments


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        # `true`, a name, or a call in another language: what was written counts.
        written = ast.unparse(node)
        return {"true": True, "false": False, "null": None}.get(written, written)
