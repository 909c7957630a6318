"""What one walk may do: its request, its plan, its time; and what one of its attempts may take."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from orchestrator.catalog.catalog import Deployment, ModelClass, ProviderKind
from orchestrator.catalog.price import Rates
from orchestrator.core.plan import Plan
from orchestrator.core.prompt_size import PromptSize
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.attempt import Target
from orchestrator.resilience.retry_policy import RetryProfile


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """What one attempt may take."""

    max_tokens: int
    kind: ProviderKind
    rates: Rates
    """The most that a token may cost."""


@dataclass(frozen=True, slots=True)
class DispatchRequest:
    """What one walk may do."""

    request_id: str
    request: ChatRequest
    plan: Plan
    size: PromptSize
    """Of the request, uncorrected."""
    profile: RetryProfile
    deadline_at_s: float
    """On the monotonic clock."""
    stream: bool
    today: datetime
    older_answer: bool = False
    """There is one to give should nobody answer."""


def laid_out(terms: DispatchRequest, deployments: Mapping[str, Deployment]) -> tuple[Target, ...]:
    """Return the steps of a plan, in the order in which they are asked."""
    today = terms.today.date()
    named = [(one, deployments[one.deployment]) for one in terms.plan.asked]
    # The reserve is asked before the emergency model, which stays last.
    named.sort(key=lambda pair: pair[1].model.tier is ModelClass.EMERGENCY)
    return tuple(Target(candidate, deployment, deployment.price.on(today)) for candidate, deployment in named)
