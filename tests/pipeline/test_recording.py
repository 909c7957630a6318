"""Every request that asks has one row, whatever became of it, and its error names it."""

import asyncio
from dataclasses import replace

import pytest

from orchestrator.core.errors import (
    AllProvidersFailedError,
    BudgetExceededError,
    FailedStep,
    InvalidRequestError,
    LedgerError,
    OverloadedError,
    UnavailableError,
)
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import CacheState
from orchestrator.pipeline.planning import planned_for
from orchestrator.pipeline.recording import Recording
from tests.support.step_bench import COST, Following, reply_of

REFUSED = BudgetExceededError(
    scope="all", window="day", limit=NanoUsd(1), left=NanoUsd(0), needed=NanoUsd(1), resets_at=None
)


async def test_an_answer_has_a_row_with_what_it_cost(bench) -> None:
    call = bench.call()
    reply = await Recording(bench.services, Following())(call)
    assert reply.cached is CacheState.MISS
    assert bench.rows() == [(call.id, "succeeded", None, "miss", 1, COST)]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (AllProvidersFailedError("nothing answered"), "failed"),
        (InvalidRequestError("no such tool"), "failed"),
        (REFUSED, "refused"),
        (OverloadedError("too many", waiting=3, retry_after_s=1), "refused"),
        (ValueError("a mistake of ours"), "failed"),
    ],
)
async def test_a_failure_has_a_row_and_names_its_request(bench, error, outcome) -> None:
    call = bench.call()
    with pytest.raises(type(error)) as caught:
        await Recording(bench.services, Following(error))(call)
    assert bench.rows() == [(call.id, outcome, type(error).__name__, "miss", 1, COST)]
    assert getattr(caught.value, "request_id", call.id) == call.id


async def test_an_error_without_an_answer_says_what_it_cost(bench) -> None:
    with pytest.raises(UnavailableError) as caught:
        await Recording(bench.services, Following(UnavailableError("down")))(bench.call())
    assert caught.value.cost_nusd == COST


async def test_a_call_that_is_left_has_a_row(bench) -> None:
    following = Following()
    following.may_end.clear()
    call = bench.call()
    task = asyncio.create_task(Recording(bench.services, following)(call))
    await following.began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.rows() == [(call.id, "cancelled", "CancelledError", "miss", 0, 0)]


async def test_an_older_answer_takes_the_place_of_the_error_and_has_its_cost(bench) -> None:
    older = reply_of(bench.call(), "Chào buổi sáng")
    bench.clock.advance(7_200)
    call = replace(bench.call(), stale=older)
    reply = await Recording(bench.services, Following(UnavailableError("down")))(call)
    assert (reply.text, reply.cached, reply.cost_nusd) == ("Chào buổi sáng", CacheState.STALE, COST)
    assert str(reply.degraded) == "an answer from 2 hours ago, because nobody answers now: down"
    assert bench.rows() == [(call.id, "succeeded", None, "stale", 1, COST)]


async def test_what_is_the_callers_own_fault_gets_no_older_answer(bench) -> None:
    call = replace(bench.call(), stale=reply_of(bench.call()))
    with pytest.raises(BudgetExceededError):
        await Recording(bench.services, Following(REFUSED))(call)


async def test_a_row_that_cannot_be_written_yet_costs_nobody_the_answer(bench, monkeypatch, caplog) -> None:
    async def full(_: object) -> None:
        raise LedgerError("the disk is full")

    monkeypatch.setattr(bench.services.ledger.store, "written", full)
    call = bench.call()
    reply = await Recording(bench.services, Following())(call)
    assert reply.text
    assert reply.notices[-1] == "booked late: the disk is full"
    assert f"the bookings are late: request={call.id}" in caplog.text


async def test_what_a_plan_decided_is_kept_with_the_row(bench) -> None:
    call = bench.call()
    call.trace.plan = planned_for(call, bench.services).plan
    call.trace.passed_over = (FailedStep("openai/gpt-6.1-sol", "circuit open"),)
    await Recording(bench.services, Following())(call)
    with bench.services.ledger.store.view() as view:
        kept = view.request(call.id).plan
    assert [(step.deployment, step.bound_nusd) for step in kept.candidates] == [
        (step.deployment, step.bound_nusd) for step in call.trace.plan.asked
    ]
    assert [(step.deployment, step.reason) for step in kept.passed_over] == [
        ("openai/gpt-6.1-sol", "circuit open")
    ]
