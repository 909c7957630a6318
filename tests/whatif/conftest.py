"""RecordedShare traffic: requests that really passed the pipeline, in front of practice providers in memory."""

from collections import Counter
from datetime import timedelta

import pytest

from orchestrator.core.errors import BudgetExceededError
from orchestrator.core.reply import ChatReply
from orchestrator.core.virtual_time import run_virtually
from orchestrator.practice import Scripted
from orchestrator.providers.in_memory import InMemoryTransport
from orchestrator.whatif.whatif import TimeRange
from tests.support.traffic import TEXT, ByChance, traffic
from tests.support.virtual_time import BEGAN

SPAN = TimeRange(BEGAN - timedelta(days=1), BEGAN + timedelta(days=1))
"""A range with all of the traffic in it."""


@pytest.fixture
def record(listed_prices):
    """Let real requests pass a configuration, so that its ledger has them; says what became of them."""

    def made(config, *, count=120, every_s=5.0, share=0.0, **fields):
        async def main(clock):
            with traffic(config, clock) as run:
                run.transport = InMemoryTransport(
                    clock=clock,
                    answerer=Scripted(matched={"": TEXT}),
                    faults=ByChance("*:status=503", share=share),
                    prices=listed_prices,
                    latency_s=0.5,
                )
                return await run.ask_many(count, every_s=every_s, **fields)

        results = run_virtually(main, began=BEGAN)
        replies = [each for each in results if isinstance(each, ChatReply)]
        kinds = Counter(
            degraded=sum(reply.degraded is not None for reply in replies),
            answered=len(replies),
            refused=sum(isinstance(each, BudgetExceededError) for each in results),
        )
        return kinds, sum(reply.cost_nusd for reply in replies)

    return made
