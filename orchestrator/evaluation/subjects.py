"""What is measured: a model, a use case as it is configured, or a chain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.core.errors import BudgetExceededError, ClosedError, OrchestratorError
from orchestrator.core.reply import ChatReply
from orchestrator.core.request import CacheUse
from orchestrator.core.run import Run
from orchestrator.evaluation.case import Answer, EvaluationError, Row

ANSWERS_OF_USE_CASE = "use_case:"
"""Before the name of a use case that is measured as it stands, its policy and its fallbacks included."""


class Subject(Protocol):
    """Something that answers rows."""

    @property
    def name(self) -> str:
        """Return how it is called in results."""
        ...

    def ask(self, row: Row, *, run: Run) -> Answer:
        """Answer one row, paid by a run.

        Raises:
            BudgetExceededError: the run, or another limit, has no money left.
        """
        ...


@dataclass(frozen=True, slots=True)
class ModelSubject:
    """One model or deployment, alone; or with `model` None a whole use case."""

    name: str
    complete: Callable[..., ChatReply]
    use_case: str
    model: str | None
    max_tokens: int | None = None

    def fields_for(self, row: Row) -> dict[str, Any]:
        """Return the fields of the request for a row."""
        fields = {"model": self.model, "max_tokens": self.max_tokens, "tools": row.tools or None}
        return {
            "use_case": self.use_case, "cache": CacheUse.OFF, "graceful": False,
            **{name: value for name, value in fields.items() if value is not None},
        }  # fmt: skip

    def ask(self, row: Row, *, run: Run) -> Answer:
        """Answer one row, past the cache."""
        if row.prompt is None:
            raise EvaluationError(f"row '{row.id}' (line {row.line}) has only 'input', which is for chains")
        prompt = row.prompt
        return answered(lambda: self.complete(prompt, run=run, **self.fields_for(row)))


def answered(ask: Callable[[], ChatReply]) -> Answer:
    """Return what came of a request; an error of the request is an answer too, a spent budget is none."""
    try:
        reply = ask()
    except (BudgetExceededError, ClosedError):
        raise
    except OrchestratorError as exc:
        return Answer(error=f"{type(exc).__name__}: {exc.in_one_line}")
    return Answer(
        text=reply.text,
        tool_calls=reply.tool_calls,
        cost_nusd=reply.cost_nusd,
        latency_s=reply.latency_s,
        deployment=reply.deployment,
        degraded=str(reply.degraded or ""),
    )


def subjects_of(
    complete: Callable[..., ChatReply], *, models: Sequence[str], use_case: str, max_tokens: int | None = None
) -> list[ModelSubject]:
    """Return the models, or where none is named the use case as it stands."""
    names = models or (f"{ANSWERS_OF_USE_CASE}{use_case}",)
    return [
        ModelSubject(
            name, complete, use_case, None if name.startswith(ANSWERS_OF_USE_CASE) else name, max_tokens
        )
        for name in dict.fromkeys(names)
    ]
