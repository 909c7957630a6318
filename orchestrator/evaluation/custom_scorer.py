"""A scorer of your own, `module:function`: bounded in time, and nothing that it raises ends the evaluation.

    def tone(text, row):        # row: id, asks, expected, language
        return 1.0 if text.endswith("ạ.") else 0.0

A thread cannot be ended from outside: one that hangs is left to itself, and its scorer is asked no more.
"""

import math
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.own_modules import own_module
from orchestrator.core.plain_data import kind_in_words
from orchestrator.evaluation.case import Answer, EvaluationError, Row, Score

LIMIT_S = 10.0
"""A scorer that takes longer for one answer hangs."""


class CustomScorer:
    """Asks a function of the caller's own."""

    def __init__(self, name: str, function: Callable[..., Any], *, limit_s: float = LIMIT_S) -> None:
        """Take the function, and the seconds that it may take for one answer."""
        self.name = name
        self._function = function
        self._limit_s = limit_s
        self._hung_at = ""

    @classmethod
    def of(cls, spec: str) -> "CustomScorer":
        """Import a function; modules of the working folder are known.

        Raises:
            EvaluationError: there is no such module or function, or the module cannot be imported.
        """
        module_name, _, function_name = spec.partition(":")
        try:
            function = getattr(own_module(module_name), function_name, None)
        except InvalidRequestError as exc:
            raise EvaluationError(f"scorer '{spec}': {exc}") from exc
        if not callable(function):
            raise EvaluationError(f"scorer '{spec}': {module_name} has no function '{function_name}'")
        return cls(spec, function)

    def score(self, row: Row, answer: Answer) -> Score:
        """Return what the function says; None with the reason where it raises, hangs or says no number."""
        if self._hung_at:
            return Score(None, f"not asked: it hung at row '{self._hung_at}'")
        returned: SimpleQueue[Score] = SimpleQueue()
        fields = {"id": row.id, "asks": row.asks, "expected": row.expected, "language": row.language}
        Thread(
            target=lambda: returned.put(self._called(answer.text, fields)), name=self.name, daemon=True
        ).start()
        try:
            return returned.get(timeout=self._limit_s)
        except Empty:
            self._hung_at = row.id
            return Score(None, f"it hung: no value within {self._limit_s:g} s")

    def _called(self, text: str, fields: Mapping[str, Any]) -> Score:
        try:
            value = self._function(text, fields)
        except BaseException as exc:  # noqa: BLE001 -- the function is somebody else's; SystemExit too ends no run
            return Score(None, f"it raised {type(exc).__name__} at line {_line_of(exc)}")
        if isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1:
            return Score(float(value), "" if value == 1 else "the scorer says so")
        return Score(None, f"it returned {kind_in_words(value)}, and has to return a number from 0 to 1")


def _line_of(exc: BaseException) -> int | None:
    trace = exc.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return None if trace is None else trace.tb_lineno
