"""Which desk answers a customer's message, and what the customer reads meanwhile."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from orchestrator.chains import make_chain


class Ticket(BaseModel):
    text: str


class Triage(BaseModel):
    desk: Literal["billing", "shipping", "returns"] = Field(description="who answers")
    first_reply: str = Field(description="one polite sentence to the customer")


def promises_no_money(triage: Triage) -> str | None:
    return "first_reply: promises money" if "refund" in triage.first_reply.lower() else None


triage = make_chain(
    "customer_service", Ticket, Triage,
    name="triage", prompts=Path(__file__).parents[1] / "prompts", guardrails=[promises_no_money],
)  # fmt: skip
