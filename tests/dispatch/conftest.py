"""A dispatch as the pipeline would hand it over, with books and health of its own."""

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.core.deadline import Deadline
from orchestrator.core.payer import Payer
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.dispatch_request import DispatchRequest
from orchestrator.dispatch.services import Services
from orchestrator.dispatch.target import targets_of
from orchestrator.ledger.budgets import Limits
from orchestrator.ledger.opening import open_ledger
from orchestrator.resilience.health import Health
from orchestrator.resilience.rate_limiter import RateLimiter
from orchestrator.routing.estimate import measure
from orchestrator.routing.token_ratios import TokenRatios

DispatchMaker = Callable[..., tuple[DispatchRequest, Services]]


@pytest.fixture
def dispatch_of(make_orchestrator, clock) -> DispatchMaker:
    """Make dispatches along plans of the shipped configuration, on our clock and a real ledger."""

    def make(
        changes: dict[str, Any] | None = None,
        *,
        profile: str = "interactive",
        stream: bool = False,
        older_answer: bool = False,
        **overrides: Any,
    ) -> tuple[DispatchRequest, Services]:
        orchestrator: Orchestrator = make_orchestrator(changes, clock=clock)
        config = orchestrator.config
        request = ChatRequest.of("Xin chào", use_case="customer_service", **overrides)
        settings = config.settings
        ledger = open_ledger(settings.ledger, limits=Limits(settings.budgets), clock=clock)
        plan = orchestrator.explain(request)
        dispatch = DispatchRequest(
            request_id="a-request",
            request=request,
            payer=Payer.of(request),
            plan=plan,
            targets=targets_of(plan, config.catalog.deployments, today=clock.now().date()),
            size=measure(request),
            profile=settings.retry_profiles[profile],
            deadline=Deadline.after(60, clock=clock),
            stream=stream,
            started_at=clock.now(),
            older_answer=older_answer,
        )
        services = Services(
            ledger=ledger,
            health=Health(settings.circuit_breaker, clock=clock),
            rate_limiter=RateLimiter(clock=clock),
            token_ratios=TokenRatios(ledger.token_samples),
            clock=clock,
        )
        return dispatch, services

    return make
