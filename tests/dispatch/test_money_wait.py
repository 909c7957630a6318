"""A dispatch whose targets are short of money that others hold waits for it, and asks the first that may be."""

import asyncio

import pytest

from orchestrator.core.errors import BudgetExceededError
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Attempt, CostSource, Outcome, Usage
from orchestrator.dispatch.cursor import Cursor
from orchestrator.dispatch.history import DispatchHistory
from orchestrator.dispatch.money_wait import MoneyWait
from orchestrator.ledger.ledger import HoldRequest
from orchestrator.ledger.money_queue import MoneyQueue

FIRST, SECOND = "openrouter/gpt-6.1-sol", "openrouter/claude-sonnet-5.5"


def refused(*, held: int, left: int = 0, needed: int = 10, scope: str = "all") -> BudgetExceededError:
    return BudgetExceededError(
        scope=scope, window="day", limit=NanoUsd(100), left=NanoUsd(left), needed=NanoUsd(needed),
        resets_at=None, held=NanoUsd(held),
    )  # fmt: skip


def settle(services, hold, cost=0):
    services.ledger.settle(
        hold,
        Attempt(1, "p/m", "p", "m", Outcome.SUCCEEDED, usage=Usage(1, 1), cost_nusd=NanoUsd(cost),
                cost_source=CostSource.PRICE_BOOK),
    )  # fmt: skip


def others(services, bound, *, scopes=("all",)):
    return services.ledger.hold(HoldRequest("others", 1, "p/m", "p", "m", scopes, NanoUsd(bound), "book"))


async def test_it_waits_only_for_targets_that_money_alone_keeps_away(dispatch_of, clock):
    dispatch, _ = dispatch_of()
    wait = MoneyWait(dispatch._replace(money_wait_s=5.0), MoneyQueue())
    wait.note(FIRST, refused(held=100))
    wait.note(SECOND, refused(held=5))
    assert wait.is_short(FIRST)
    assert not wait.is_short(SECOND), "what is spent already refuses it"
    assert not await wait.turn([SECOND], left_s=5.0, clock=clock)
    assert await wait.turn([FIRST], left_s=5.0, clock=clock)
    wait.note(FIRST, None)
    assert not await wait.turn([FIRST], left_s=5.0, clock=clock)
    assert MoneyWait(dispatch, MoneyQueue()).place is None, "by default a dispatch does not wait"


async def test_its_waits_together_are_no_longer_than_it_may_wait(dispatch_of, clock):
    dispatch, _ = dispatch_of()
    wait = MoneyWait(dispatch._replace(money_wait_s=1.0), MoneyQueue())
    wait.note(FIRST, refused(held=100))
    began_s = clock.monotonic_s()
    while await wait.turn([FIRST], left_s=60.0, clock=clock):
        pass
    assert clock.monotonic_s() - began_s == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("scope", "held", "left", "bound", "needed"),
    [
        ("all", 0, 5, 10, 10),
        ("all", 0, 5, 20, 10),
        ("all", 0, 5, 7, 7),
        ("all", 0, 5, 5, None),
        ("all", 4, 5, 9, None),
        ("all", 4, 5, 10, 10),
        ("model:m", 0, 5, 10, None),
        ("provider:p", 0, 5, 10, None),
    ],
)
async def test_a_spent_budget_is_asked_once(dispatch_of, scope, held, left, bound, needed):
    """Another model may cost less, or have a budget of its own; money that others hold may come back."""
    wait = MoneyWait(dispatch_of()[0], MoneyQueue())
    assert wait.refusal_of(NanoUsd(bound)) is None
    wait.note(FIRST, refused(scope=scope, held=held, left=left))
    refusal = wait.refusal_of(NanoUsd(bound))
    assert (refusal and refusal.needed) == needed


async def test_a_request_that_a_spent_budget_refuses_costs_one_transaction(dispatch_of, monkeypatch):
    """Every target was asked for, six of them, and each was one."""
    way, services = way_of(dispatch_of, 0.000001)
    bounds = {target.name: target.candidate.bound_nusd for target in way._dispatch.targets}
    writes, ask = [], services.ledger.store.ahold
    monkeypatch.setattr(services.ledger.store, "ahold", lambda *args: writes.append(1) or ask(*args))
    assert await way.next() is None
    assert len(writes) == 1
    assert {step.scope for step in way.history.skipped if step.reason.startswith("over")} == {"all"}
    names = {step.deployment for step in way.history.skipped if step.scope}
    assert way.refusal.needed == min(bounds[name] for name in names)


def way_of(dispatch_of, limit: float, **more):
    limits = [{"scope": "all", "day": limit}, *more.pop("limits", ())]
    dispatch, services = dispatch_of({"budgets": {"limits": limits, "tiers": []}}, **more)
    dispatch = dispatch._replace(money_wait_s=30.0)
    return Cursor(dispatch, services=services, history=DispatchHistory()), services


async def test_a_dispatch_waits_until_a_hold_of_others_is_settled(dispatch_of, clock):
    way, services = way_of(dispatch_of, 0.05)
    hold = others(services, 50_000_000)
    looking = asyncio.create_task(way.next())
    while services.ledger.queue.waiting == 0:  # noqa: ASYNC110 -- the queue tells nobody who comes
        await asyncio.sleep(0)
    settle(services, hold)
    attempt = await looking
    assert attempt is not None
    assert attempt.name == FIRST
    assert services.ledger.queue.waiting == 0


async def test_a_budget_that_is_spent_refuses_without_a_wait(dispatch_of, clock):
    way, services = way_of(dispatch_of, 0.05)
    settle(services, others(services, 50_000_000), cost=50_000_000)
    assert await way.next() is None
    assert way.refusal is not None
    assert not way.refusal.may_pass
    assert clock.slept_s == []


async def test_no_wait_outlives_the_deadline(dispatch_of, clock):
    way, services = way_of(dispatch_of, 0.05)
    others(services, 50_000_000)
    began_s = clock.monotonic_s()
    assert await way.next() is None
    assert way.refusal.may_pass
    assert clock.monotonic_s() - began_s == pytest.approx(30.0, abs=0.6)


async def test_a_model_whose_limit_is_used_up_is_passed_over_with_its_reason(dispatch_of):
    way, services = way_of(dispatch_of, 10, limits=[{"scope": "model:gpt-6.1-sol", "hour": 0.0001}])
    attempt = await way.next()
    assert attempt is not None
    assert attempt.name == SECOND
    (step,) = way.history.skipped
    assert (step.deployment, step.reason) == (FIRST, "over the hour budget of model:gpt-6.1-sol")
    assert {(status.scope, status.held > 0) for status in services.ledger.budget_status()} >= {
        ("model:claude-sonnet-5.5", True)
    }


async def test_when_the_limit_of_every_model_is_used_up_the_request_is_refused(dispatch_of):
    way, _ = way_of(dispatch_of, 10, limits=[{"scope": "model:*", "week": 0.0000001}])
    assert await way.next() is None
    assert (way.refusal.window, way.refusal.scope[:6]) == ("week", "model:")
