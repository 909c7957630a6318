"""Who waits for money gets it in the order of coming, as soon as it is there, and never later than it may wait."""

import asyncio
from contextlib import closing

import pytest

from orchestrator.core.errors import BudgetExceededError
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Attempt, CostSource, Outcome, Usage
from orchestrator.core.run import Run
from orchestrator.ledger.budgets import BudgetSettings, Limits
from orchestrator.ledger.ledger import HoldRequest, Ledger
from orchestrator.ledger.opening import LedgerSettings, open_ledger
from tests.support.virtual_time import run_virtually

LIMIT = 1000


class Desk:
    """A ledger with a limit for all and for each tenant, and requests that ask it for money."""

    def __init__(self, path, clock, **limits):
        entries = [
            {"scope": "all", "day": f"{LIMIT / 1e9:.9f}"},
            {"scope": "tenant:small", "day": "0.0000002"},
        ]
        self.ledger: Ledger = open_ledger(
            LedgerSettings(path=str(path)), limits=Limits(BudgetSettings(limits=entries)), clock=clock
        )
        self.clock = clock
        self.served: list[str] = []
        self.refused: list[tuple[str, float]] = []

    def claim(self, name: str, bound: int, *, tenant="acme", run: Run | None = None) -> HoldRequest:
        scopes = ("all", f"tenant:{tenant}", "use_case:bulk", "provider:p", "model:m")
        return HoldRequest(name, 1, "p/m", "p", "m", scopes, NanoUsd(bound), "book", run=run)

    async def ask(self, name: str, bound: int = 1000, *, wait_s: float = 60.0, tenant="acme", run=None):
        """Ask as a dispatch does: at once, and then whenever it is its turn."""
        claim = self.claim(name, bound, tenant=tenant, run=run)
        place = self.ledger.queue.place(name, tenant)
        began_s = self.clock.monotonic_s()
        try:
            while True:
                try:
                    hold = await self.ledger.ahold(claim, place=place)
                except BudgetExceededError as error:
                    left_s = wait_s - (self.clock.monotonic_s() - began_s)
                    if not await place.turn([error], left_s=left_s, clock=self.clock):
                        self.refused.append((name, self.clock.monotonic_s() - began_s))
                        raise
                else:
                    self.served.append(name)
                    return hold
        finally:
            place.leave()

    def settle(self, hold, cost: int = 0) -> None:
        self.ledger.settle(
            hold,
            Attempt(
                1, "p/m", "p", "m", Outcome.SUCCEEDED, usage=Usage(10, 5), cost_nusd=NanoUsd(cost),
                cost_source=CostSource.PRICE_BOOK,
            ),
        )  # fmt: skip

    async def all_wait(self, count: int) -> None:
        while self.ledger.queue.waiting < count:  # noqa: ASYNC110 -- the queue tells nobody who comes
            await asyncio.sleep(0.001)


def at_desk(tmp_path, work):
    async def main(clock):
        desk = Desk(tmp_path / "ledger.sqlite3", clock)
        with closing(desk.ledger):
            return await work(desk)

    return run_virtually(main)


def test_money_goes_to_who_came_first_and_a_smaller_one_is_not_let_past(tmp_path):
    async def work(desk):
        first = await desk.ask("first", 700)
        large = asyncio.create_task(desk.ask("large", 1000))
        await desk.all_wait(1)
        small = [asyncio.create_task(desk.ask(f"small-{number}", 100)) for number in range(3)]
        await desk.all_wait(4)
        assert desk.served == ["first"], "there is money for the small ones, but the large one came first"
        desk.settle(first)
        desk.settle(await large)
        await asyncio.gather(*small)
        assert desk.served == ["first", "large", "small-0", "small-1", "small-2"]
        assert desk.ledger.queue.waiting == 0

    at_desk(tmp_path, work)


def test_a_settlement_wakes_at_once_and_a_limit_that_is_spent_refuses_at_once(tmp_path):
    async def work(desk):
        hold = await desk.ask("first")
        waiting = [asyncio.create_task(desk.ask(f"w{number}")) for number in range(5)]
        await desk.all_wait(5)
        began_s = desk.clock.monotonic_s()
        desk.settle(hold, cost=1)
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(error, BudgetExceededError) and not error.may_pass for error in results)
        assert desk.clock.monotonic_s() - began_s < 0.05, "nobody waited for what can never be"

    at_desk(tmp_path, work)


def test_nobody_waits_longer_than_he_may_and_who_is_cancelled_is_gone(tmp_path):
    async def work(desk):
        hold = await desk.ask("first")
        leaving, short, patient = (
            asyncio.create_task(desk.ask(name, wait_s=wait_s))
            for name, wait_s in (("leaving", 60.0), ("short", 2.0), ("patient", 60.0))
        )
        await desk.all_wait(3)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert desk.ledger.queue.waiting == 2
        with pytest.raises(BudgetExceededError) as refused:
            await short
        assert refused.value.held == LIMIT
        assert "is held for requests under way" in str(refused.value)
        assert desk.refused == [("short", pytest.approx(2.0, abs=0.1))]
        desk.settle(hold)
        await patient
        assert desk.served == ["first", "patient"]

    at_desk(tmp_path, work)


def test_what_another_process_settles_is_noticed_by_looking_more_and_more_seldom(tmp_path):
    async def work(desk):
        hold = await desk.ask("first")
        looks = 0
        ahold = desk.ledger.ahold

        async def counted(*arguments, **named):
            nonlocal looks
            looks += 1
            return await ahold(*arguments, **named)

        desk.ledger.ahold = counted
        waiting = [asyncio.create_task(desk.ask(f"w{number}")) for number in range(20)]
        await asyncio.sleep(10)
        assert 20 + 15 < looks < 20 + 40, "only the first one looks"
        other = Desk(desk.ledger.location, desk.clock)
        with closing(other.ledger):
            other.settle(hold)
        await asyncio.sleep(1)
        assert desk.served == ["first", "w0"]
        for task in waiting[1:]:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert desk.ledger.queue.waiting == 0

    at_desk(tmp_path, work)


def test_each_limit_has_an_order_of_its_own(tmp_path):
    """A tenant that waits for its own limit keeps nobody from money of the others."""

    async def work(desk):
        hold = await desk.ask("small-1", 200, tenant="small")
        waiting = asyncio.create_task(desk.ask("small-2", 200, tenant="small"))
        await desk.all_wait(1)
        await desk.ask("other", 500)
        assert desk.served == ["small-1", "other"]
        desk.settle(hold)
        await waiting

    at_desk(tmp_path, work)


def test_a_request_that_holds_money_never_waits_for_itself(tmp_path):
    async def work(desk):
        await desk.ask("op", 600)
        with pytest.raises(BudgetExceededError):
            await desk.ask("op", 600)
        assert desk.refused == [("op", 0.0)]

    at_desk(tmp_path, work)


def test_calls_of_one_run_wait_for_each_other_and_for_no_run_of_another_tenant(tmp_path):
    async def work(desk):
        run = Run("r", NanoUsd(300))
        hold = await desk.ask("one", 300, run=run)
        waiting = asyncio.create_task(desk.ask("two", 300, run=run))
        await desk.all_wait(1)
        await desk.ask("three", 200, run=run, tenant="other")
        desk.settle(hold)
        await waiting
        assert desk.served == ["one", "three", "two"]

    at_desk(tmp_path, work)


def test_a_thread_that_settles_wakes_who_waits(tmp_path):
    async def work(desk):
        hold = await desk.ask("first")
        waiting = asyncio.create_task(desk.ask("second", wait_s=3600))
        await desk.all_wait(1)
        await asyncio.to_thread(desk.settle, hold)
        await waiting

    at_desk(tmp_path, work)


def test_a_child_of_a_fork_has_nobody_who_waits(tmp_path):
    async def work(desk):
        hold = await desk.ask("first")
        waiting = asyncio.create_task(desk.ask("second"))
        await desk.all_wait(1)
        desk.ledger.queue.begin_anew()
        assert desk.ledger.queue.waiting == 0
        desk.settle(hold)
        waiting.cancel()

    at_desk(tmp_path, work)
