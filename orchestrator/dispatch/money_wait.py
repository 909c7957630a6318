"""The targets of one dispatch that only money held for others keeps from being asked, and the wait for it."""

from collections.abc import Collection

from orchestrator.core.clock import Clock
from orchestrator.core.errors import BudgetExceededError
from orchestrator.core.money import NanoUsd
from orchestrator.dispatch.dispatch_request import DispatchRequest
from orchestrator.ledger.money_queue import MoneyPlace, MoneyQueue


class MoneyWait:
    """What one cursor waits for; its waits together take no longer than the dispatch may wait for money."""

    def __init__(self, dispatch: DispatchRequest, queue: MoneyQueue) -> None:
        """Wait for nothing yet."""
        waits = dispatch.money_wait_s > 0
        self.place: MoneyPlace | None = (
            queue.place(dispatch.request_id, dispatch.payer.tenant) if waits else None
        )
        """Its place among those who wait; None where it does not wait."""
        self._left_s = dispatch.money_wait_s
        self._short: dict[str, BudgetExceededError] = {}
        self._spent: BudgetExceededError | None = None
        """What refused one target, where every target draws on its budget."""

    def note(self, target: str, refused: BudgetExceededError | None) -> None:
        """Remember why a target was rejected last: by which budget, None where by none."""
        self._short.pop(target, None)
        if refused is None:
            return
        if refused.may_pass:
            self._short[target] = refused
        if not refused.scope.startswith(("provider:", "model:")):
            self._spent = refused

    def refusal_of(self, bound_nusd: NanoUsd) -> BudgetExceededError | None:
        """Return what refuses an amount: a budget that refused another target has no room for it either.

        None where it has to be asked, as where money comes back that others hold. Each question is a
        transaction of the ledger, and a spent budget would be asked for every target.
        """
        spent = self._spent
        if spent is None or bound_nusd <= spent.left + spent.held:
            return None
        return spent if bound_nusd >= spent.needed else spent.needing(bound_nusd)

    @property
    def may_come(self) -> bool:
        """Return whether it is waited for, and money that others hold keeps a target from being asked."""
        return self.place is not None and bool(self._short)

    def is_short(self, target: str) -> bool:
        """Return whether only money that others hold keeps a target from being asked."""
        return target in self._short

    async def turn(self, fit: Collection[str], *, left_s: float, clock: Clock) -> bool:
        """Wait until it is worth asking one of `fit` again; False when that is in vain or takes too long."""
        refusals = [refused for target, refused in self._short.items() if target in fit]
        if self.place is None or not refusals:
            return False
        began_s = clock.monotonic_s()
        try:
            return await self.place.turn(refusals, left_s=min(left_s, self._left_s), clock=clock)
        finally:
            self._left_s -= clock.monotonic_s() - began_s

    def leave(self) -> None:
        """Let the next one have its turn."""
        if self.place is not None:
            self.place.leave()
