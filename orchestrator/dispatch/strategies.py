"""Which dispatcher leads a request: along the plan, under agreement, or escalating."""

from typing import Protocol

from orchestrator.core.failures import FailureKind
from orchestrator.dispatch.agreement import AgreementDispatcher
from orchestrator.dispatch.dispatch_request import DispatchRequest
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.escalation import EscalationDispatcher
from orchestrator.dispatch.outcome import DispatchResult
from orchestrator.dispatch.services import Services
from orchestrator.dispatch.transport import Transport
from orchestrator.streaming.stream_writer import TakeDelta


class Strategy(Protocol):
    """What brings a request to its answer."""

    async def run(self) -> DispatchResult:
        """Return the answer, or raise the error that says why there is none."""
        ...

    def close(self, reason: FailureKind = FailureKind.CANCELLED) -> None:
        """Book what is in flight."""
        ...

    def result(self) -> DispatchResult:
        """Return what has come of it so far."""
        ...


def strategy_of(
    dispatch: DispatchRequest, *, transport: Transport, services: Services, take: TakeDelta | None
) -> Strategy:
    """Return what leads a request; under a policy that compares answers `take` gets nothing."""
    policy = dispatch.policy
    if policy is not None and policy.agreement is not None:
        return AgreementDispatcher(
            dispatch, policy.agreement, version=policy.version, transport=transport, services=services
        )
    if policy is not None and policy.escalate is not None:
        return EscalationDispatcher(
            dispatch, policy.escalate, version=policy.version, transport=transport, services=services
        )
    return Dispatcher(dispatch, transport=transport, services=services, take=take)
