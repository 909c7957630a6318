"""A guardrail returns a reason or raises one; what is no guardrail is told when the chain is made."""

# ruff: noqa: ARG005 -- a guardrail takes what it is called with

import pytest
from pydantic import BaseModel

from orchestrator.chains.guardrails import guards_of
from orchestrator.core.errors import InvalidRequestError


class Answer(BaseModel):
    text: str = "hello"


def reasons(guardrail) -> tuple[str, ...]:
    (guard,) = guards_of([guardrail])
    return guard.reasons(Answer(), Answer(text="question"))


def raising(error: Exception):
    def guardrail(answer: Answer) -> None:
        raise error

    return guardrail


def test_a_reason_several_or_none():
    assert reasons(lambda answer: None) == ()
    assert reasons(lambda answer: "too\n  short") == ("too short",)
    assert reasons(lambda answer: ["a", "", "b"]) == ("a", "b")
    assert reasons(lambda answer, question: f"{answer.text} {question.text}") == ("hello question",)
    assert reasons(lambda answer, *, strict=True: None) == ()


def test_a_value_error_or_a_failed_assertion_is_a_reason():
    assert reasons(raising(ValueError("no price"))) == ("no price",)
    assert reasons(raising(AssertionError())) == ("guardrail: AssertionError",)


def test_a_mistake_of_the_guardrail_is_not_taken_for_a_mistake_of_the_answer():
    with pytest.raises(KeyError):
        reasons(raising(KeyError("x")))
    for outcome in (True, False, 5, [5]):
        with pytest.raises(TypeError, match="return None where all is well"):
            reasons(lambda answer, outcome=outcome: outcome)


async def asynchronous(answer: Answer) -> None: ...


@pytest.mark.parametrize(
    ("guardrail", "reason"),
    [
        (asynchronous, "asynchronous"),
        ("text", "cannot be called"),
        (lambda: None, "takes 0 arguments"),
        (lambda a, b, c: None, "takes 3 arguments"),
    ],
)
def test_what_cannot_guard_is_told_at_once(guardrail, reason):
    with pytest.raises(InvalidRequestError, match=reason):
        guards_of([guardrail])
