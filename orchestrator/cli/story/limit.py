"""Act 3: a small budget and many calls at once; the limit holds at every moment."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from orchestrator.cli.story.act import Act, CheckedClaim, Grid
from orchestrator.cli.story.stage import SMALL_TENANT, DemoStage
from orchestrator.core.errors import BudgetExceededError
from orchestrator.core.money import ZERO_NUSD, format_usd
from orchestrator.core.reply import ChatReply
from orchestrator.ledger.budgets import Window
from orchestrator.ledger.ledger import BudgetStatus

_CALLS = 12
_MODEL = "gpt-6.1-sol"
_LOOK_S = 0.002


class _Watch:
    """The highest sum of spent and held money, over many looks."""

    def __init__(self) -> None:
        self.highest_nusd = 0
        self.looks = 0


@dataclass(frozen=True, slots=True)
class _Rush:
    """How many calls at once ended."""

    answered: int
    refused: int
    upstream: int
    """How often a provider was asked."""
    billed_nusd: int
    spent_nusd: int
    highest_nusd: int
    """The highest sum of spent and held money, over all looks."""
    looks: int
    limit_nusd: int


def play(stage: DemoStage) -> Act:
    """Send more calls at once than the tenant's day allows."""
    rush = _rush(stage)
    numbers = ("answered", "refused", "spent", "highest spent + held", "limit")
    amounts = (rush.spent_nusd, rush.highest_nusd, rush.limit_nusd)
    row = (str(rush.answered), str(rush.refused), *(format_usd(amount) for amount in amounts))
    return Act(
        title=f"A budget that holds: {format_usd(rush.limit_nusd)} a day, {_CALLS} calls at once",
        intro=(
            f"Tenant {SMALL_TENANT} wants {_MODEL} for all of them. "
            "The most each can cost is held before it is sent."
        ),
        parts=(Grid(numbers, (row,), numbers=numbers),),
        claims=_claims(rush),
        facts=asdict(rush),
    )


def _rush(stage: DemoStage) -> _Rush:
    billed, upstream = stage.billed_nusd(), stage.upstream_count()
    with _watched(stage) as watch:
        results = asyncio.run(_send_all(stage))
    standing = _standing(stage)
    return _Rush(
        answered=sum(isinstance(result, ChatReply) for result in results),
        refused=sum(isinstance(result, BudgetExceededError) for result in results),
        upstream=stage.upstream_count() - upstream,
        billed_nusd=stage.billed_nusd() - billed,
        spent_nusd=standing.spent,
        highest_nusd=watch.highest_nusd,
        looks=watch.looks,
        limit_nusd=standing.limit or 0,
    )


def _claims(rush: _Rush) -> tuple[CheckedClaim, ...]:
    whole = rush.answered + rush.refused == _CALLS
    billed = format_usd(rush.billed_nusd)
    return (
        CheckedClaim(
            f"spent + held never passed the limit, in {rush.looks:,} looks while it ran",
            0 < rush.highest_nusd <= rush.limit_nusd,
        ),
        CheckedClaim(
            f"{rush.answered} were answered, {rush.refused} refused, and the refused ones sent nothing",
            whole and rush.refused > 0 and rush.upstream == rush.answered > 0,
        ),
        CheckedClaim(
            f"the providers billed {billed}, the ledger says the same", rush.billed_nusd == rush.spent_nusd
        ),
    )


async def _send_all(stage: DemoStage) -> list[ChatReply | BudgetExceededError]:
    async def send(number: int) -> ChatReply | BudgetExceededError:
        try:
            return await stage.orchestrator.acomplete(
                f"Greet customer number {number} in five words.",
                tenant=SMALL_TENANT,
                model=_MODEL,
                max_tokens=24,
            )
        except BudgetExceededError as error:
            return error

    return list(await asyncio.gather(*(send(number) for number in range(_CALLS))))


@contextmanager
def _watched(stage: DemoStage) -> Iterator[_Watch]:
    """Watch the tenant's budget from another thread while the block runs."""
    watch, stop = _Watch(), threading.Event()

    def look() -> None:
        while not stop.wait(_LOOK_S):
            standing = _standing(stage)
            watch.highest_nusd = max(watch.highest_nusd, standing.spent + standing.held)
            watch.looks += 1

    thread = threading.Thread(target=look, name="demo-watch", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        stop.set()
        thread.join()


def _standing(stage: DemoStage) -> BudgetStatus:
    scope = f"tenant:{SMALL_TENANT}"
    matches = [
        budget
        for budget in stage.orchestrator.standings()
        if budget.scope == scope and budget.window is Window.DAY
    ]
    if matches:
        return matches[0]
    day = next((budget for budget in stage.orchestrator.standings() if budget.window is Window.DAY), None)
    resets_at = day.resets_at if day is not None else stage.clock.now()
    return BudgetStatus(scope, Window.DAY, "", None, ZERO_NUSD, ZERO_NUSD, resets_at, resets_at)
