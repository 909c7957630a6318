"""An attempt is let in with all it needs, or refused with nothing taken."""

import asyncio
from dataclasses import replace

import pytest

from orchestrator.core.failures import HealthScope
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Attempt, CostSource, Outcome, Usage
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.admission import (
    AttemptPermit,
    AttemptRequest,
    Rejected,
    RejectReason,
    admit,
    close,
)
from orchestrator.dispatch.services import Services
from orchestrator.dispatch.target import Target
from orchestrator.ledger.budgets import BudgetSettings, Limits, LimitSettings
from orchestrator.ledger.ledger import HoldRequest
from orchestrator.ledger.opening import open_ledger
from orchestrator.resilience.health import Health
from orchestrator.resilience.rate_limiter import RateLimiter
from orchestrator.resilience.retry_budget import CAPACITY, COST
from orchestrator.routing.token_ratios import TokenRatios

PRIMARY = "openrouter/gpt-6.1-sol"


class Door:
    """One door with its own books, and the wishes that come to it."""

    def __init__(self, orchestrator, clock) -> None:
        config = orchestrator.config
        self.clock = clock
        ledger = open_ledger(config.settings.ledger, limits=config.limits, clock=clock)
        self.state = Services(
            ledger=ledger,
            health=Health(config.settings.circuit_breaker, clock=clock),
            rate_limiter=RateLimiter(clock=clock),
            token_ratios=TokenRatios(ledger.token_samples),
            clock=clock,
        )
        plan = orchestrator.explain(ChatRequest.of("Xin chào", use_case="customer_service"))
        deployment = config.catalog.deployments[PRIMARY]
        candidate = next(one for one in plan.candidates if one.deployment == PRIMARY)
        self.step = Target(candidate, deployment, clock.now().date())
        self.number = 0

    def wish(self, *, again: bool = False, delay_s: float = 0.0, patience_s: float = 0.0) -> AttemptRequest:
        self.number += 1
        bound = self.step.candidate.bound_nusd
        claim = HoldRequest(
            operation_id=f"request-{self.number}",
            number=1,
            deployment=PRIMARY,
            provider="openrouter",
            model="gpt-6.1-sol",
            scopes=("all", "tenant:acme"),
            bound_nusd=bound,
            price_version=self.step.price.version,
        )
        return AttemptRequest(self.step, claim, again, delay_s, patience_s)

    async def admit(self, **wish: object) -> AttemptPermit | Rejected:
        return await admit(self.wish(**wish), self.state)  # type: ignore[arg-type]

    @property
    def held(self) -> int:
        return sum(
            one.held
            for one in self.state.ledger.budget_status()
            if one.scope == "all" and one.window == "day"
        )


@pytest.fixture
def door(make_orchestrator, clock):
    """A door in front of OpenRouter with three requests a minute."""
    return Door(make_orchestrator({"providers": {"openrouter": {"requests_per_min": 3}}}), clock)


def ended(**changes: object) -> Attempt:
    attempt = Attempt(1, PRIMARY, "openrouter", "gpt-6.1-sol", Outcome.SUCCEEDED, usage=Usage(10, 5))
    return replace(attempt, **changes)  # type: ignore[arg-type]


async def test_who_is_let_in_holds_its_money(door) -> None:
    assert isinstance(await door.admit(), AttemptPermit)
    assert door.held == door.step.candidate.bound_nusd


async def test_a_full_minute_is_waited_for_with_the_patience_and_refused_without(door, clock) -> None:
    for _ in range(3):
        await door.admit()
    refused = await door.admit(patience_s=59)
    assert isinstance(refused, Rejected)
    assert (refused.ready_in_s, refused.wait) == (60, RejectReason.LINE)
    before_s = clock.monotonic_s()
    assert isinstance(await door.admit(patience_s=60), AttemptPermit)
    assert clock.monotonic_s() - before_s == 60


async def test_a_delay_is_made_before_anything_is_taken_and_not_at_a_shut_circuit(door, clock) -> None:
    leave = door.state.health.admit(PRIMARY, provider="openrouter")
    for _ in range(3):
        door.state.health.fail(leave, health_scope=HealthScope.DEPLOYMENT)
    refused = await door.admit(delay_s=1)
    assert isinstance(refused, Rejected)
    assert refused.reason == "circuit open"
    assert clock.slept_s == []
    assert isinstance(await door.admit(delay_s=5), AttemptPermit), "it is half-open by then"


async def test_who_is_cancelled_in_line_leaves_the_line(make_orchestrator, clock) -> None:
    door = Door(make_orchestrator({"providers": {"openrouter": {"requests_per_min": 1}}}), clock)
    await door.admit()

    class Stands:
        """A clock on which a sleep has no end."""

        def monotonic_s(self) -> float:
            return clock.monotonic_s()

        async def sleep(self, _: float) -> None:
            await asyncio.get_running_loop().create_future()

    standing = replace(door.state, clock=Stands())  # type: ignore[arg-type]
    waiting = asyncio.create_task(admit(door.wish(patience_s=600), standing))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    refused = await door.admit()
    assert isinstance(refused, Rejected)
    assert refused.ready_in_s == 60, "and not 120, behind one who has left"


async def test_second_attempts_end_with_their_quota_and_first_ones_do_not(door) -> None:
    while door.state.retry_budget.draw("openrouter"):
        pass
    refused = await door.admit(again=True)
    assert isinstance(refused, Rejected)
    assert "second attempts on openrouter are used up" in refused.reason
    assert door.held == 0
    assert isinstance(await door.admit(), AttemptPermit)


async def test_what_the_budget_refuses_takes_nothing(door) -> None:
    broke = BudgetSettings(limits=(LimitSettings(scope="all", day="0.0000001"),))
    door.state.ledger.limits = Limits(broke)
    refused = await door.admit(again=True)
    assert isinstance(refused, Rejected)
    assert refused.over_budget is not None
    assert dict(door.state.retry_budget.left()) == {"openrouter": CAPACITY}
    assert door.state.rate_limiter.wait_s(_book(door)) == 0


async def test_what_was_not_used_of_the_tokens_is_given_back(door) -> None:
    entry = await door.admit()
    close(
        entry,
        ended(cost_source=CostSource.PROVIDER, cost_nusd=NanoUsd(1)),
        sent=True,
        health_scope=None,
        services=door.state,
    )
    assert entry.reservation.tokens == 15


@pytest.mark.parametrize(
    ("blame", "sent", "left"),
    [
        (None, True, CAPACITY),
        (HealthScope.EITHER, True, CAPACITY - COST),
        (HealthScope.NONE, False, CAPACITY),
    ],
)
async def test_a_second_attempt_pays_unless_it_succeeds_or_was_never_sent(door, blame, sent, left) -> None:
    entry = await door.admit(again=True)
    close(entry, ended(), sent=sent, health_scope=blame, services=door.state)
    assert dict(door.state.retry_budget.left()) == {"openrouter": left}


async def test_an_attempt_that_was_never_sent_leaves_its_place_in_the_minute(door) -> None:
    entries = [await door.admit() for _ in range(3)]
    close(entries[-1], ended(), sent=False, health_scope=HealthScope.NONE, services=door.state)
    assert isinstance(await door.admit(), AttemptPermit)


def _book(door: Door):
    return door.state.rate_limiter.book("openrouter", tokens=1, requests_per_min=1, tokens_per_min=10)
