"""A model as a judge: the answer against what is expected, twice, with the two in swapped places.

Only what wins in both places is better; what wins in one is a draw. It spends from a budget of its own.
"""

from collections.abc import Callable

from orchestrator.core.errors import BudgetExceededError, OrchestratorError
from orchestrator.core.reply import ChatReply
from orchestrator.core.request import CacheUse
from orchestrator.core.run import Run
from orchestrator.evaluation.case import Answer, Row, Score
from orchestrator.policies.judging_words import JUDGE_MAX_TOKENS, judge_question, winner_in

Complete = Callable[..., ChatReply]
"""`Orchestrator.complete`."""


class JudgeStoppedError(OrchestratorError):
    """The budget of the judge is spent; what it has judged is kept."""

    exit_code = 3


class Judge:
    """Scores 1 where an answer is better than or as good as what is expected, 0.5 for a draw, else 0."""

    def __init__(self, name: str, *, complete: Complete, use_case: str, run: Run) -> None:
        """Take `judge:MODEL`, and the run that pays."""
        self.name = name
        self._model = name.partition(":")[2]
        self._complete = complete
        self._use_case = use_case
        self._run = run

    def score(self, row: Row, answer: Answer) -> Score:
        """Ask twice; None where the judge did not answer, or with another word.

        Raises:
            JudgeStoppedError: its budget is spent.
        """
        try:
            # The answer stands first, then second.
            first = self._winner(row, answer.text, row.expected_text)
            second = self._winner(row, row.expected_text, answer.text)
        except BudgetExceededError as exc:
            raise JudgeStoppedError(f"{self.name}: {exc}") from exc
        except OrchestratorError as exc:
            return Score(None, f"the judge did not answer: {type(exc).__name__}")
        if first is None or second is None:
            return Score(None, "the judge answered with another word than A, B or TIE")
        points = {("A", "B"): 1.0, ("B", "A"): 0.0, ("TIE", "TIE"): 1.0}
        value = points.get((first, second), 0.5)
        reasons = {
            1.0: "",
            0.5: "a draw: the judge changed its mind with the places",
            0.0: "the expected one is better",
        }
        return Score(value, reasons[value])

    def _winner(self, row: Row, first: str, second: str) -> str | None:
        reply = self._complete(
            judge_question(row.asks, first, second, language=row.language),
            use_case=self._use_case, model=self._model, max_tokens=JUDGE_MAX_TOKENS, run=self._run,
            cache=CacheUse.OFF, graceful=False, temperature=0,
        )  # fmt: skip
        return winner_in(reply.text)
