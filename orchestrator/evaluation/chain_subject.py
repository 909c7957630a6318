"""A chain as a subject: its input from the row, its validated answer as JSON."""

from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError

from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import BudgetExceededError, ClosedError, OrchestratorError
from orchestrator.core.formatting import usd_text
from orchestrator.core.language import Language
from orchestrator.core.run import Run
from orchestrator.evaluation.case import Answer, EvaluationError, Row


@dataclass(frozen=True, slots=True)
class ChainSubject:
    """One chain; `spec` is a chain's maker, which stands above this package."""

    name: str
    spec: Any
    orchestrator: Any

    def ask(self, row: Row, *, run: Run) -> Answer:
        """Run the chain on the row's `input`; the answer's text is its output as JSON."""
        clock = SystemClock()
        try:
            chain_input = self.spec.input_model.model_validate(row.input or {})
        except ValidationError as exc:
            names = ", ".join(".".join(map(str, error["loc"])) for error in exc.errors())
            raise EvaluationError(
                f"row '{row.id}' (line {row.line}): 'input' of {self.name}: {names}"
            ) from None
        chain = self.spec(self.orchestrator, language=row.language or Language.VI)
        # A chat model of LangChain takes the run by its name.
        most = run.max_cost_nusd
        limit = {} if most is None else {"max_cost_usd": usd_text(most)}
        began_s = clock.monotonic_s()
        try:
            result = chain.with_details().invoke(chain_input, run=run.name, **limit)
        except (BudgetExceededError, ClosedError):
            raise
        except OrchestratorError as exc:
            return Answer(error=f"{type(exc).__name__}: {exc.in_one_line}")
        return Answer(
            text=orjson.dumps(result.value.model_dump(mode="json")).decode(),
            cost_nusd=result.cost_nusd,
            latency_s=clock.monotonic_s() - began_s,
            deployment=result.tries[-1].deployment,
            degraded=str(result.degraded or ""),
        )
