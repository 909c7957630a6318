"""What one dispatch may do: its request, its plan and its time."""

from datetime import datetime
from typing import NamedTuple

from orchestrator.core.deadline import Deadline
from orchestrator.core.payer import Payer
from orchestrator.core.plan import Plan
from orchestrator.core.prompt_size import PromptSize
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.target import Target
from orchestrator.policies.settings import PolicySettings
from orchestrator.resilience.retry_policy import RetryProfile
from orchestrator.routing.settings import OnFiltered


class DispatchRequest(NamedTuple):
    """What one dispatch may do."""

    request_id: str
    request: ChatRequest
    payer: Payer
    plan: Plan
    targets: tuple[Target, ...]
    """The deployments of the plan, in the order in which they are asked."""
    size: PromptSize
    """Of the request, uncorrected."""
    profile: RetryProfile
    deadline: Deadline
    stream: bool
    started_at: datetime
    on_filtered: OnFiltered = OnFiltered.STOP
    money_wait_s: float = 0.0
    """How long it waits for money that others hold."""
    sends_before: int = 0
    """Attempts that its request has made already, for other parts of it: the numbers go on from there."""
    policy: PolicySettings | None = None
    """How the answer is accepted; None where the first one is."""
    older_answer: bool = False
    """There is one to give should no deployment answer."""
