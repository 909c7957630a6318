"""Processes that wait for money under a key, killed (-9) at any moment, and what the next caller gets."""

import textwrap
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator import CacheState, Orchestrator
from orchestrator.core.errors import BudgetExceededError
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Attempt, CostSource, Outcome, Usage
from orchestrator.ledger.ledger import Hold, HoldRequest
from orchestrator.practice import Fault, PracticeServer

if TYPE_CHECKING:
    from warm import Warm

QUESTION = "Ai đang chờ tiền?"
BOUND_NUSD = 100_000
"""Above what a question is held with, and below two times that."""
PROGRAM = """
import datetime, sys, threading
from orchestrator import Orchestrator, load_config
orchestrator = Orchestrator(load_config({path!r}, today=datetime.date(2026, 11, 23)))
orchestrator.warm_up()
queue = orchestrator._services.ledger.queue
def watch():
    while not queue.waiting:
        threading.Event().wait(0.005)
    print("waits", flush=True)
print("ready", flush=True)
sys.stdin.readline()
threading.Thread(target=watch, daemon=True).start()
reply = orchestrator.complete(
    {question!r}, tenant={tenant!r}, idempotency_key="k", cache="off", deadline_s=200, max_tokens=100
)
print(reply.request_id, flush=True)
"""
CHANGES: dict[str, Any] = {
    "budgets": {"limits": [{"scope": "tenant:*", "day": BOUND_NUSD / 1e9}], "tiers": []},
    "local_model": {"enabled": False},
    "use_cases": {
        "customer_service": {
            "primary": {"deployment": "openrouter/gpt-6-luna", "reason": "a test"},
            "fallbacks": [],
            "on_limit": {"wait_s": 150},
        }
    },
}
Start = Callable[[str], "Warm"]


@pytest.fixture
def start(make_config, environment: dict[str, str], warm) -> Start:
    """Start a process that asks once under a key; it says when it waits for money."""
    path = str(make_config(CHANGES).path)

    def run(tenant: str) -> "Warm":
        program = textwrap.dedent(PROGRAM).format(path=path, question=QUESTION, tenant=tenant)
        child = warm(program, environment=environment)
        assert child.told() == "ready"
        child.go()
        return child

    return run


def hold_rest(orchestrator: Orchestrator, tenant: str) -> Hold:
    """Hold all that is left of a tenant's limit, as another request of this process would."""
    rest = NanoUsd(BOUND_NUSD - sum(standing(orchestrator, tenant)))
    request = HoldRequest("others", 1, "p/m", "p", "m", ("all", f"tenant:{tenant}"), rest, "book")
    return orchestrator._services.ledger.hold(request)


def free(orchestrator: Orchestrator, hold: Hold) -> None:
    free_of_charge = Attempt(1, "p/m", "p", "m", Outcome.SUCCEEDED, usage=Usage(1, 1), cost_nusd=NanoUsd(0),
                             cost_source=CostSource.PRICE_BOOK)  # fmt: skip
    orchestrator._services.ledger.settle(hold, free_of_charge)


def standing(orchestrator: Orchestrator, tenant: str) -> tuple[int, int]:
    """Spent and held of a tenant today."""
    scope = f"tenant:{tenant}"
    found = [one for one in orchestrator.standings() if (one.scope, one.window) == (scope, "day")]
    return (found[0].spent, found[0].held) if found else (0, 0)


def ask(orchestrator: Orchestrator, tenant: str, **wanted: Any):
    return orchestrator.complete(
        QUESTION, tenant=tenant, idempotency_key="k", cache="off", max_tokens=100, **wanted
    )


def test_who_is_killed_while_it_waits_holds_nothing_and_the_next_caller_is_answered(
    start: Start, make_orchestrator, practice: PracticeServer
) -> None:
    orchestrator = make_orchestrator(CHANGES)
    hold = hold_rest(orchestrator, "acme")
    child = start("acme")
    assert child.told() == "waits"
    child.kill()
    child.wait()
    assert standing(orchestrator, "acme") == (0, BOUND_NUSD), "of the others alone"
    assert not practice.requests
    free(orchestrator, hold)
    reply = ask(orchestrator, "acme")
    assert (len(practice.requests), reply.cached) == (1, CacheState.MISS)
    assert standing(orchestrator, "acme") == (reply.cost_nusd, 0)
    assert ask(orchestrator, "acme").cached is CacheState.REPLAYED
    assert len(practice.requests) == 1


@pytest.mark.parametrize("after_s", [0, 0.02, 0.04, 0.07, 0.12, 0.3])
def test_killed_while_the_money_becomes_free_nothing_is_lost_and_nothing_spent_twice(
    start: Start, make_orchestrator, practice: PracticeServer, after_s: float
) -> None:
    """Between the settlement, the look of who waits, its hold, its send and its reply, wherever that falls."""
    practice.faults.add(Fault.parse("openrouter:slow_first_token,delay_s=0.1,times=1"))
    orchestrator = make_orchestrator(CHANGES)
    hold = hold_rest(orchestrator, "acme")
    child = start("acme")
    assert child.told() == "waits"
    free(orchestrator, hold)
    threading.Event().wait(after_s)
    child.kill()
    child.wait()
    spent, held = standing(orchestrator, "acme")
    assert spent + held <= BOUND_NUSD
    sent = practice.bill.count()
    assert sent <= 1
    assert not sent or spent + held > 0, "what was billed is in the books"
    try:
        reply = ask(orchestrator, "acme", deadline_s=5)
    except BudgetExceededError as exc:
        assert exc.held > 0, "the killed one's hold is in the way, and nothing else"
        assert "hold" in str(exc) or "held" in str(exc)
    else:
        assert reply.text
        assert practice.bill.count() == 1
        assert standing(orchestrator, "acme")[0] > 0
    assert sum(standing(orchestrator, "acme")) <= BOUND_NUSD


def test_who_waits_for_a_holder_that_is_killed_is_told_within_its_deadline(
    start: Start, make_orchestrator, practice: PracticeServer
) -> None:
    """Nobody knows what the dead one's send costs, so its hold stays until it is reconciled."""
    practice.faults.add(Fault.parse("openrouter:silence,times=1"))
    orchestrator = make_orchestrator(CHANGES)
    orchestrator.warm_up()
    child = start("acme")
    _until(lambda: len(practice.requests) == 1)
    child.kill()
    child.wait()
    began_s = time.monotonic()
    with pytest.raises(BudgetExceededError) as caught:
        orchestrator.complete("Câu khác", tenant="acme", cache="off", max_tokens=100, deadline_s=3)
    assert time.monotonic() - began_s < 60
    assert caught.value.held > 0
    assert len(practice.requests) == 1


def test_a_key_that_is_answered_is_replayed_though_nothing_is_left(
    make_orchestrator, practice: PracticeServer
) -> None:
    orchestrator = make_orchestrator(CHANGES)
    first = ask(orchestrator, "acme")
    hold = hold_rest(orchestrator, "acme")
    again = ask(orchestrator, "acme")
    assert (again.text, again.cached, again.cost_nusd) == (first.text, CacheState.REPLAYED, 0)
    streamed = orchestrator.stream(QUESTION, tenant="acme", idempotency_key="k", cache="off", max_tokens=100)
    assert "".join(delta.text for delta in streamed) == first.text
    with pytest.raises(BudgetExceededError):
        orchestrator.complete("Câu khác", tenant="acme", cache="off", max_tokens=100, deadline_s=1)
    assert len(practice.requests) == 1
    free(orchestrator, hold)


def _until(true: Callable[[], bool], *, patience_s: float = 300.0) -> None:
    give_up = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < give_up, "it did not come about"
        threading.Event().wait(0.02)
