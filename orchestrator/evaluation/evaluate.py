"""One whole evaluation: rows, subjects, scorers, a budget; priced, asked, scored, and kept.

from orchestrator.evaluation.evaluate import Evaluation

with Evaluation(orchestrator, frame, models=["openrouter/gpt-6-luna"], scorers=["label"],
                use_case="cost_sensitive", results="results.jsonl") as evaluation:
    print(evaluation.estimate())
    results = evaluation.run(max_cost_usd="0.50")
"""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from orchestrator.client import Orchestrator
from orchestrator.core.money import NanoUsd, nano_usd, typed_usd
from orchestrator.core.run import Run
from orchestrator.evaluation.case import EvaluationError, ScoredRow
from orchestrator.evaluation.dataset import rows_of
from orchestrator.evaluation.journal import Journal
from orchestrator.evaluation.judging import Judge
from orchestrator.evaluation.pricing import EvaluationPrice, bound_of, price_of_evaluation
from orchestrator.evaluation.running import CONCURRENCY, Say, ask_all, score_all
from orchestrator.evaluation.scorers import needs_expected, scorer_of
from orchestrator.evaluation.subjects import Subject, subjects_of

_JUDGE = "judge"


class Evaluation:
    """A data set, the subjects that answer it, and the scorers that say how well."""

    def __init__(  # noqa: PLR0913 -- what an evaluation is made of
        self,
        orchestrator: Orchestrator,
        data: Any,
        *,
        scorers: Sequence[str],
        results: Path | str,
        models: Sequence[str] = (),
        use_case: str | None = None,
        max_tokens: int | None = None,
        labels: Sequence[str] = (),
        extra_subjects: Sequence[Subject] = (),
        is_practice: bool = False,
    ) -> None:
        """Read everything, and refuse what cannot be used before anything is sent.

        `data` is the path of a data set or a DataFrame, `results` the file to go on with or to begin. Without
        `models` and `extra_subjects` the use case is measured as it stands.

        Raises:
            EvaluationError: the data, a scorer or the file of results cannot be used.
            UnknownNameError: there is no such use case or model.
        """
        if not scorers:
            raise EvaluationError("name at least one scorer, such as exact, label or contains")
        self.use_case = orchestrator.config.use_case_named(use_case)
        self._orchestrator = orchestrator
        self._judges = [spec for spec in scorers if spec.partition(":")[0] == _JUDGE]
        self._scorers = [scorer_of(spec) for spec in scorers if spec not in self._judges]
        for judge in self._judges:
            self._check_model(judge.partition(":")[2])
        for model in models:
            if not model.startswith("use_case:"):
                self._check_model(model)
        self.rows = rows_of(data, needs_expected=needs_expected(scorers), labels=labels)
        self.subjects: list[Subject] = list(extra_subjects)
        if models or not extra_subjects:
            self.subjects[:0] = subjects_of(
                orchestrator.complete, models=models, use_case=self.use_case, max_tokens=max_tokens
            )
        setup = {"use_case": self.use_case, "max_tokens": max_tokens, "practice": is_practice}
        self.journal = Journal.opened(Path(results), setup=setup)
        self.stopped = ""
        """Which limit ended it; empty where every row was asked."""

    def estimate(self) -> EvaluationPrice:
        """Return what is still to be asked, and its price; nothing is sent."""
        return price_of_evaluation(self._orchestrator, self.rows, self.subjects, self.journal)

    def run(
        self,
        *,
        max_cost_usd: Any = None,
        judge_max_cost_usd: Any = None,
        concurrency: int = CONCURRENCY,
        say: Say = lambda _: None,
    ) -> list[ScoredRow]:
        """Ask what is left, within the budget of all starts together, and score everything.

        Without `max_cost_usd` the upper bound of the estimate is the limit.

        Raises:
            EvaluationError: a judge or a chain has no limit.
        """
        if self._judges and judge_max_cost_usd is None:
            raise EvaluationError("a judge asks a model twice a row: set --judge-max-cost-usd")
        limit = None if max_cost_usd is None else _amount(max_cost_usd)
        most = self._left(self.journal.run, limit) if limit is not None else bound_of(self.estimate())
        done = ask_all(
            self.rows, self.subjects, self.journal,
            run=_part(self.journal.run, most), concurrency=concurrency, say=say,
        )  # fmt: skip
        self.stopped = done.stopped
        judges = [
            Judge(name, complete=self._orchestrator.complete, use_case=self.use_case, run=run)
            for name, run in zip(self._judges, self._judge_runs(judge_max_cost_usd), strict=True)
        ]
        names = [subject.name for subject in self.subjects]
        return score_all(self.rows, names, self.journal, scorers=self._scorers, judges=judges, say=say)

    def close(self) -> None:
        """Close the file of results."""
        self.journal.close()

    def __enter__(self) -> Self:
        """Return the evaluation."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file of results."""
        self.close()

    def _judge_runs(self, max_cost_usd: Any) -> list[Run]:
        """Return the run that pays for each judge: the same for all of them."""
        name = f"{self.journal.run}-judge"
        return (
            [_part(name, self._left(name, _amount(max_cost_usd)))] * len(self._judges) if self._judges else []
        )

    def _left(self, run: str, limit: NanoUsd) -> NanoUsd:
        """Return what a limit leaves beside all that earlier starts have spent or still hold."""
        standing = self._orchestrator.run_standing(run)
        booked = 0 if standing is None else standing.spent + standing.held
        return NanoUsd(limit - booked)

    def _check_model(self, name: str) -> None:
        self._orchestrator.config.catalog.named(name)


def _part(run: str, most: NanoUsd | None) -> Run:
    """Return the part of a run for one start, with a limit of its own: a run keeps the first that it gets.

    A limit that is used up leaves a nano-dollar, which holds no answer that costs anything.
    """
    return Run(f"{run}/{secrets.token_hex(4)}", None if most is None else NanoUsd(max(most, 1)))


def _amount(usd: Any) -> NanoUsd:
    try:
        return typed_usd(usd) if isinstance(usd, str) else nano_usd(usd)
    except ValueError as exc:
        raise EvaluationError(f"a limit of money: {exc}") from None
