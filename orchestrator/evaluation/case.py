"""A row of a data set, and what a model answered to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from orchestrator.core.errors import OrchestratorError
from orchestrator.core.language import Language
from orchestrator.core.money import ZERO_NUSD, NanoUsd
from orchestrator.core.reply import ToolCall

BOUNDS = ("cost", "latency")
"""Scorers that say nothing of quality: an answer beyond a bound counts as none."""


class EvaluationError(OrchestratorError):
    """A data set, a scorer or a file of results cannot be used; says where and what to do."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One example: what is asked, and what is right."""

    id: str
    line: int
    """Where it stands in its file, from 1."""
    prompt: str | tuple[Mapping[str, Any], ...] | None
    """A text or messages; None where it is for a chain alone."""
    input: Mapping[str, Any] | None = None
    """The input of a chain."""
    expected: Any = None
    """What is right; None where the row does not say."""
    language: Language | None = None
    tools: tuple[Mapping[str, Any], ...] = ()

    @property
    def key(self) -> str:
        """Return its id with a hash of what is asked: a changed question is another row."""
        asks = orjson.dumps([self.prompt, self.input, self.tools], option=orjson.OPT_SORT_KEYS)
        return f"{self.id}#{sha256(asks).hexdigest()[:12]}"

    @property
    def asks(self) -> str:
        """Return what is asked as one text."""
        if isinstance(self.prompt, str):
            return self.prompt
        return orjson.dumps(self.input if self.prompt is None else self.prompt).decode()

    @property
    def expected_text(self) -> str:
        """Return what is right as one text."""
        return self.expected if isinstance(self.expected, str) else orjson.dumps(self.expected).decode()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a subject answered to one row, or why it did not."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    cost_nusd: NanoUsd = ZERO_NUSD
    """Of all attempts."""
    latency_s: float = 0.0
    deployment: str = ""
    """Which deployment answered; empty where none did."""
    error: str = ""
    """Why there is no answer; empty where there is one."""
    degraded: str = ""

    def plain(self) -> dict[str, Any]:
        """Return it for JSON."""
        calls = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in self.tool_calls]
        return {
            "text": self.text, "tool_calls": calls, "cost_nusd": self.cost_nusd, "latency_s": self.latency_s,
            "deployment": self.deployment, "error": self.error, "degraded": self.degraded,
        }  # fmt: skip

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Answer":
        """Return the answer that `plain` wrote."""
        calls = tuple(ToolCall(**call) for call in plain["tool_calls"])
        return cls(**{**plain, "tool_calls": calls})


@dataclass(frozen=True, slots=True)
class Score:
    """How good an answer is by one scorer."""

    value: float | None
    """0 to 1; None where the scorer could not tell."""
    reason: str = ""
    """Why it is not 1, for people."""


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One row, one subject, its answer and the scores by the names of their scorers."""

    row: Row
    subject: str
    answer: Answer
    scores: Mapping[str, Score] = field(default_factory=dict)

    @property
    def value(self) -> float | None:
        """Return the mean of its scores, 0 where it was too dear or too slow, None where one is not known."""
        of_bounds = [score.value for name, score in self.scores.items() if name.partition(":")[0] in BOUNDS]
        others = [score.value for name, score in self.scores.items() if name.partition(":")[0] not in BOUNDS]
        if 0 in of_bounds:
            return 0.0
        counted = others or of_bounds
        known = [value for value in counted if value is not None]
        return sum(known) / len(known) if known and len(known) == len(counted) else None
