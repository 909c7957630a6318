"""Customer service: a customer's question and what the CRM knows, to an answer and what to do with it."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from orchestrator import Orchestrator
from orchestrator.chains import ChainInput, ChainOutput, Percent, Text, TextChain, make_chain

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


def _no_invented_code(answer: CustomerAnswer, question: CustomerQuestion) -> str | None:
    """Refuse a code such as DH1002 that stands nowhere in the input, where codes of its kind were."""
    known = set(_CODE.findall(question.model_dump_json()))
    kinds = {kind for kind, _ in known}
    invented = [code for code in _CODE.findall(answer.answer) if code[0] in kinds and code not in known]
    return (
        "answer: mentions a code that stands neither in the question nor in the facts" if invented else None
    )


customer_service = make_chain(
    "customer_service",
    CustomerQuestion,
    CustomerAnswer,
    prompts=Path(__file__).with_name("prompts"),
    guardrails=[_no_invented_code],
    description="Answer a customer's question from what the CRM knows, with intent and urgency",
)
"""From `CustomerQuestion` to `CustomerAnswer`: `customer_service(orchestrator, tenant="acme")`."""


def customer_service_text(
    orchestrator: Orchestrator, **fields: Any
) -> TextChain[CustomerQuestion, CustomerAnswer]:
    """Return the chain from `CustomerQuestion` to the answer's text alone, for a chat window that streams.

    `fields` as in `customer_service.text`. When no model answers, the customer reads an apology; with
    `graceful=False` the error is raised instead.

    Raises:
        InvalidRequestError, UnknownNameError: no such language, prompt, request field or profile.
    """
    return customer_service.text(orchestrator, **{"graceful": True, **fields})
