"""Guardrails: what a team says must be true of an answer, beyond its types.

    def no_discount(answer: Offer) -> str | None:
        return "text: promises a discount" if "%" in answer.text else None

A guardrail takes the answer, or the answer and the input it is for. It returns None where all is well, else a
reason or several; raising ValueError or AssertionError with the reason does the same. Any other error is a
mistake of the guardrail, and reaches the caller. A reason goes to the model that is to correct its answer,
and into errors and log lines: it must not quote what a customer wrote.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from orchestrator.core.errors import InvalidRequestError

Guardrail = Callable[..., str | Sequence[str] | None]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_REASON_CHARACTERS_MAX = 500


@dataclass(frozen=True, slots=True)
class GuardrailCheck:
    """A guardrail that was looked at: its name, and whether it takes the input too."""

    name: str
    check: Guardrail
    takes_input: bool

    def reasons(self, value: BaseModel, chain_input: BaseModel) -> tuple[str, ...]:
        """Return why the answer may not be used; nothing where it may.

        Raises:
            TypeError: the guardrail returned what is neither a reason nor None.
        """
        try:
            outcome: object = self.check(value, chain_input) if self.takes_input else self.check(value)
        except (ValueError, AssertionError) as exc:
            return (_cut(str(exc) or f"{self.name}: {type(exc).__name__}"),)
        if outcome is None:
            return ()
        reasons = (outcome,) if isinstance(outcome, str) else outcome
        if isinstance(reasons, list | tuple) and all(isinstance(reason, str) for reason in reasons):
            return tuple(_cut(reason) for reason in reasons if reason.strip())
        raise TypeError(
            f"guardrail {self.name} returned {type(outcome).__name__}; "
            "return None where all is well, else the reason as text"
        )


def guards_of(guardrails: Iterable[Guardrail]) -> tuple[GuardrailCheck, ...]:
    """Return guardrails as a chain uses them.

    Raises:
        InvalidRequestError: one of them cannot be called with an answer, or is asynchronous.
    """
    if callable(guardrails):
        raise InvalidRequestError("guardrails: a list of functions, also where there is only one")
    return tuple(_guard_of(guardrail) for guardrail in guardrails)


def _guard_of(guardrail: Any) -> GuardrailCheck:
    name = getattr(guardrail, "__name__", type(guardrail).__name__)
    if not callable(guardrail):
        raise InvalidRequestError(f"guardrails: {name} cannot be called; give a function")
    if inspect.iscoroutinefunction(guardrail):
        raise InvalidRequestError(f"guardrails: {name} is asynchronous; a guardrail is a plain function")
    parameters = inspect.signature(guardrail).parameters.values()
    needed = [each for each in parameters if each.kind in _POSITIONAL and each.default is each.empty]
    if len(needed) not in {1, 2}:
        raise InvalidRequestError(
            f"guardrails: {name} takes {len(needed)} arguments; one takes the answer, or the answer and the input"
        )
    return GuardrailCheck(name, guardrail, takes_input=len(needed) == 2)  # noqa: PLR2004 -- answer and input


def _cut(reason: str) -> str:
    return " ".join(reason.split())[:_REASON_CHARACTERS_MAX]
