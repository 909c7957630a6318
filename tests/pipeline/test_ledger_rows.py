"""What the ledger says of every way a request can end, column by column, as it was written down once.

A change of these rows is a change of the books: reports, invoices and reconciliation read them.
"""

import asyncio
import re
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator import CacheUse, Orchestrator
from orchestrator.core.errors import BudgetExceededError, UnavailableError
from orchestrator.ledger import records
from orchestrator.practice import Fault, PracticeServer

EXPECTED = Path(__file__).with_suffix(".txt")
PRICE = {"input": 2, "output": 10, "source": "this test", "date": "2026-11-01"}
PRIMARY, FALLBACK = "openrouter/gpt-6.1-sol", "openai/gpt-6.1-sol"
CHANGES = {
    "local_model": {"enabled": False},
    "budgets": {"limits": [{"scope": "tenant:broke", "day": 0.000001}]},
    "deployments": {name: {"price": {"__replace__": True, **PRICE}} for name in (PRIMARY, FALLBACK)},
    "retry_profiles": {
        "interactive": {"retry_on": [], "jitter": 0, "max_recovery_wait_s": 0, "fallback_delays_s": [0.25]}
    },
    "use_cases": {
        "customer_service": {
            "primary": {"deployment": PRIMARY, "reason": "First."},
            "fallbacks": [{"deployment": FALLBACK, "reason": "Second."}],
        }
    },
}
SELECTS = ("SELECT * FROM operations ORDER BY id", "SELECT * FROM attempts ORDER BY operation_id, number")
PROVIDERS_IDS = re.compile(r"\b(gen|chatcmpl)-[0-9a-f]{8}([0-9a-f]{8})\b")
"""Practice providers begin their ids with a number of the run, which is left out of the comparison."""
QUESTION = "Cửa hàng mở cửa lúc mấy giờ?"


@pytest.fixture
def orchestrator(make_config, make_orchestrator, clock, monkeypatch: pytest.MonkeyPatch) -> Orchestrator:
    """An orchestrator of two deployments, whose ids are counted and whose time passes when the test says so."""
    numbers = count(1)
    monkeypatch.setattr(records, "secrets", SimpleNamespace(randbits=lambda _: next(numbers)))
    others = make_config().catalog.deployments.keys() - {PRIMARY, FALLBACK}
    deployments = {name: {"enabled": False} for name in others} | CHANGES["deployments"]
    orchestrator = make_orchestrator({**CHANGES, "deployments": deployments}, clock=clock)
    orchestrator.warm_up()
    return orchestrator


def rows(orchestrator: Orchestrator) -> str:
    """Return every row of every request, a line each."""
    lines = []
    with closing(sqlite3.connect(Path(orchestrator.config.settings.ledger.path))) as connection:
        for select in SELECTS:
            cursor = connection.execute(select)
            lines.append("|".join(column[0] for column in cursor.description))
            lines += ["|".join("-" if value is None else str(value) for value in row) for row in cursor]
    return PROVIDERS_IDS.sub(r"\1-\2", "\n".join(lines)) + "\n"


async def joined(orchestrator: Orchestrator) -> list[str]:
    wanted = {"tenant": "joining", "tags": ["b", "a", "b"]}
    replies = await asyncio.gather(*(orchestrator.acomplete(QUESTION, user=name, **wanted) for name in "xy"))
    return [reply.cached.value for reply in replies]


async def left(orchestrator: Orchestrator, practice: PracticeServer) -> None:
    """Ask, and go away while the provider is silent."""
    sent = len(practice.requests)
    asking = asyncio.create_task(orchestrator.acomplete("Ai đó?", tenant="leaving"))
    while len(practice.requests) == sent:  # noqa: ASYNC110 -- it changes in another thread
        await asyncio.sleep(0.001)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


def test_every_end_of_a_request_has_the_rows_that_were_written_down(
    orchestrator: Orchestrator, practice: PracticeServer, clock
) -> None:
    ends = []

    def ask(prompt: str = QUESTION, **fields) -> None:
        clock.advance(60)
        try:
            ends.append(orchestrator.complete(prompt, **{"tenant": "acme", **fields}).cached.value)
        except (UnavailableError, BudgetExceededError) as error:
            ends.append(type(error).__name__)

    ask(user="lan", tags=["trial"])
    ask(user="mai")
    ask("Giao hàng khi nào?", idempotency_key="order-17", cache=CacheUse.OFF)
    ask("Giao hàng khi nào?", idempotency_key="order-17", cache=CacheUse.OFF)
    ask(tenant="broke")
    clock.advance(60)
    ends.extend(asyncio.run(joined(orchestrator)))
    clock.advance(60)
    stream = orchestrator.stream("Đổi trả thế nào?", tenant="acme")
    assert "".join(delta.text for delta in stream) == stream.reply.text
    practice.faults.add(Fault.parse("openrouter:status=503,times=1"))
    ask("Bảo hành bao lâu?")
    practice.faults.add(Fault.parse("*:status=503"))
    ask("Có ai không?", graceful=True)
    clock.advance(3600)
    ask()
    clock.advance(3600)
    practice.faults.clear()
    practice.faults.add(Fault.parse("*:silence"))
    ask("Còn ai không?", deadline_s=0.3)
    ask(deadline_s=0.3)
    clock.advance(60)
    asyncio.run(left(orchestrator, practice))
    assert ends == [
        *("miss", "hit", "miss", "replayed", "BudgetExceededError", "miss", "joined", "miss", "miss"),
        *("stale", "DeadlineExceededError", "stale"),
    ]
    assert rows(orchestrator) == EXPECTED.read_text(encoding="utf-8")
