"""Customer service: a customer's question and what the CRM knows, to an answer and what to do with it."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal

from chains.chain_config import ChainConfig
from chains.fields import ChainInput, ChainOutput, Percent, Text
from chains.runnables import StructuredChain, TextChain
from chains.structured import Task
from chains.wording import Language
from orchestrator import Orchestrator

_CODE = re.compile(r"\b([A-Z]{2,6})-?(\d{3,})\b")


class Intent(StrEnum):
    """What a customer wants."""

    ORDER_STATUS = "order_status"
    DELIVERY = "delivery"
    RETURN_REFUND = "return_refund"
    COMPLAINT = "complaint"
    PRODUCT_QUESTION = "product_question"
    PAYMENT = "payment"
    ACCOUNT = "account"
    OTHER = "other"


class Urgency(StrEnum):
    """How soon somebody must act."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Turn(ChainInput):
    """One message of the conversation so far."""

    speaker: Literal["customer", "agent"]
    text: Text


class CustomerQuestion(ChainInput):
    """What a customer asks, with what the CRM knows."""

    question: Text
    customer_name: str | None = None
    facts: tuple[str, ...] = ()
    """What is certain: orders, payments, policies; the answer relies on nothing else."""
    history: tuple[Turn, ...] = ()
    """Earlier turns, oldest first."""


class CustomerAnswer(ChainOutput):
    """The answer to a customer, with what the CRM does with it."""

    answer: Text
    intent: Intent
    urgency: Urgency
    needs_human: bool
    """A person must go on: facts are missing, a decision about money, or the customer asks for one."""
    confidence_percent: Percent


def customer_service(
    orchestrator: Orchestrator, *, tenant: str = "default", language: str = "vi", **overrides: Any
) -> StructuredChain[CustomerQuestion, CustomerAnswer]:
    """Return the chain from `CustomerQuestion` to `CustomerAnswer`.

    `overrides` are request fields, as in `Orchestrator.complete`.

    Raises:
        InvalidRequestError, UnknownNameError: no such language, request field or profile.
    """
    return StructuredChain(
        ChainConfig(_TASK, orchestrator, tenant=tenant, language=language, overrides=overrides)
    )


def customer_service_text(
    orchestrator: Orchestrator, *, tenant: str = "default", language: str = "vi", **overrides: Any
) -> TextChain[CustomerQuestion, CustomerAnswer]:
    """Return the chain from `CustomerQuestion` to the answer's text alone, for a chat window that streams.

    When no model answers, the customer reads an apology; with `graceful=False` the error is raised instead.

    Raises:
        InvalidRequestError, UnknownNameError: no such language, request field or profile.
    """
    overrides = {"graceful": True, **overrides}
    return TextChain(ChainConfig(_TASK, orchestrator, tenant=tenant, language=language, overrides=overrides))


def _prompt_data(question: CustomerQuestion) -> Mapping[str, Any]:
    return question.model_dump(mode="json", exclude_none=True)


def _allowed(_question: CustomerQuestion, _language: Language) -> Mapping[str, Sequence[str]]:
    return {}


def _mistakes(question: CustomerQuestion, answer: CustomerAnswer) -> Sequence[str]:
    """Refuse a code such as DH1002 that stands nowhere in the input, where codes of its kind were."""
    known = set(_CODE.findall(question.model_dump_json()))
    kinds = {kind for kind, _ in known}
    invented = [code for code in _CODE.findall(answer.answer) if code[0] in kinds and code not in known]
    return (
        ["answer: mentions a code that stands neither in the question nor in the facts"] if invented else []
    )


_TASK = Task(
    "customer_service",
    CustomerQuestion,
    CustomerAnswer,
    prompt_data=_prompt_data,
    allowed=_allowed,
    mistakes=_mistakes,
)
