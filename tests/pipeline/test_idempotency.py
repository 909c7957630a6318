"""One key, one request, one charge: whoever repeats it, wherever, and whatever happened in between."""

import asyncio
import json
import logging
import sqlite3
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator import CacheState, CacheUse, ChatReply, ChatRequest, Orchestrator
from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import (
    BudgetExceededError,
    DeadlineExceededError,
    IdempotencyConflictError,
    InvalidRequestError,
    OrchestratorError,
    ReplyLostError,
    StateError,
)
from orchestrator.ledger.process_identity import own_process
from orchestrator.ledger.reader import LedgerReader
from orchestrator.ledger.verify import verify
from orchestrator.pipeline.idempotency import _hash_of
from orchestrator.practice import Fault, PracticeServer

if TYPE_CHECKING:
    from warm import Warm

KEY = "order-17"
TOOL = {
    "type": "function",
    "function": {
        "name": "find_order",
        "parameters": {
            "type": "object",
            "properties": {"order_id": {"type": "string"}},
            "required": ["order_id"],
        },
    },
}

IN_FLIGHT = 4
MANY = """
import asyncio, datetime, json, sys
from orchestrator import Orchestrator, load_config
orchestrator = Orchestrator(load_config({path!r}, today=datetime.date(2026, 11, 23)))
orchestrator.warm_up()
print("ready", flush=True)
sys.stdin.readline()
async def ask(numbers):
    for number in numbers:
        key = f"k{{number}}"
        reply = await orchestrator.acomplete(f"Câu hỏi {{number}}", idempotency_key=key, cache="off")
        print(json.dumps([key, reply.request_id, reply.text]), flush=True)
async def all_of_them():
    numbers = iter(range(100000))
    await asyncio.gather(*(ask(numbers) for _ in range({in_flight})))
asyncio.run(all_of_them())
"""

CHILD = """
import datetime, json, sys
from orchestrator import Orchestrator, load_config
orchestrator = Orchestrator(load_config({path!r}, today=datetime.date(2026, 11, 23)))
orchestrator.warm_up()
print("ready", flush=True)
sys.stdin.readline()
reply = orchestrator.complete({prompt!r}, idempotency_key="order-17", cache="off")
print(json.dumps([reply.request_id, reply.text, reply.cost_nusd, reply.cached, list(reply.notices)]), flush=True)
orchestrator.close()
"""


@pytest.fixture
def run_child(make_config, environment: dict[str, str], warm) -> Callable[..., "Warm"]:
    """Start processes with the configuration of the test; they say `ready` and wait for a line."""

    def run(program: str, **given: object) -> "Warm":
        text = textwrap.dedent(program).format(path=str(make_config().path), **given)
        return warm(text, environment=environment)

    return run


@pytest.fixture
def start(run_child) -> Callable[[], "Warm"]:
    """Start processes that ask once under one key."""
    return lambda: run_child(CHILD, prompt="Xin chào")


@pytest.fixture
def start_many(run_child) -> Callable[[], "Warm"]:
    """Start a process that asks under one key after the other, several at a time."""
    return lambda: run_child(MANY, in_flight=IN_FLIGHT)


def spent(orchestrator: Orchestrator) -> tuple[int, int]:
    """Spent and held of all today."""
    found = [one for one in orchestrator.standings() if one.scope == "all" and one.window == "day"]
    return (found[0].spent, found[0].held) if found else (0, 0)


def rows(orchestrator: Orchestrator, query: str) -> list[Any]:
    with closing(sqlite3.connect(orchestrator.config.settings.ledger.path)) as connection:
        return connection.execute(query).fetchall()


def booked(orchestrator: Orchestrator) -> tuple[int, int]:
    """How many requests and how many sends the ledger has."""
    return rows(orchestrator, "SELECT (SELECT COUNT(*) FROM operations), (SELECT COUNT(*) FROM attempts)")[0]


def same(first: ChatReply, again: ChatReply) -> bool:
    """Whether a reply is the first one once more, and free."""
    expected = replace(
        first,
        cached=CacheState.REPLAYED,
        cost_nusd=0,
        attempts=(),
        plan=None,
        latency_s=again.latency_s,
        queued_s=again.queued_s,
    )
    return again == expected


def test_the_same_request_gets_the_same_reply_and_is_charged_once(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """Text, model, usage and id as first told; the ledger has one request, one send, and verifies."""
    first, second, third = (
        practised.complete("Xin chào", tenant="acme", idempotency_key=KEY) for _ in range(3)
    )
    assert first.cached is CacheState.MISS
    assert first.cost_nusd > 0
    assert same(first, second)
    assert same(first, third)
    assert second.usage.input_tokens > 0
    assert practice.bill.count() == 1
    assert practice.bill.total_nusd() == first.cost_nusd == spent(practised)[0]
    assert booked(practised) == (1, 1)
    with LedgerReader(Path(practised.config.settings.ledger.path)) as reader:
        found = verify(reader, now=SystemClock().now())
    assert found.counters_are_right
    assert not found.unequal_operations
    assert not found.unclaimed_attempts


@pytest.mark.parametrize("changes", [{"cache": {"enabled": False}}, {}])
def test_a_key_needs_no_cache(make_orchestrator, practice: PracticeServer, changes: dict[str, Any]) -> None:
    orchestrator = make_orchestrator(changes)
    first, again = (
        orchestrator.complete("Xin chào", idempotency_key=KEY, cache=CacheUse.OFF) for _ in range(2)
    )
    assert same(first, again)
    assert len(practice.requests) == 1


def test_patience_and_the_cache_may_differ_from_try_to_try(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    first = practised.complete("Xin chào", idempotency_key=KEY, tags=("a", "b"))
    again = practised.complete(
        "Xin chào", idempotency_key=KEY, tags=("b", "a"), deadline_s=3, profile="background", cache="refresh"
    )
    assert same(first, again)
    assert len(practice.requests) == 1


def test_a_key_after_the_cache_repeats_what_the_cache_said(practised: Orchestrator) -> None:
    """The first reply under a key may be a hit; its repetition leaves no row either."""
    practised.complete("Xin chào")
    first = practised.complete("Xin chào", idempotency_key=KEY)
    again = practised.complete("Xin chào", idempotency_key=KEY)
    assert first.cached is CacheState.HIT
    assert same(first, again)
    assert booked(practised) == (2, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "Tạm biệt, bí mật"},
        {"model": "gpt-6-luna"},
        {"max_tokens": 17},
        {"use_case": "data_analysis"},
        {"temperature": 0.1},
        {"user": "lan"},
        {"tags": ("trial",)},
    ],
)
def test_another_request_under_the_same_key_is_an_error(
    practised: Orchestrator, practice: PracticeServer, other: dict[str, Any]
) -> None:
    """It says what to do, holds no prompt, and leaves the first reply as it is."""
    first = practised.complete("Xin chào", idempotency_key=KEY)
    with pytest.raises(IdempotencyConflictError, match="use a new key for a new request") as caught:
        practised.complete(other.get("prompt", "Xin chào"), idempotency_key=KEY, **_without(other, "prompt"))
    assert "bí mật" not in str(caught.value)
    assert caught.value.request_id == first.request_id
    assert len(practice.requests) == 1
    assert same(first, practised.complete("Xin chào", idempotency_key=KEY))


def test_another_request_is_refused_also_while_the_first_is_under_way(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    practised.warm_up()
    practice.faults.add(Fault.parse("openrouter:slow_first_token=1,times=1"))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(practised.complete, "Xin chào", idempotency_key=KEY)
        _until(lambda: len(practice.requests) == 1)
        with pytest.raises(IdempotencyConflictError):
            practised.complete("Tạm biệt", idempotency_key=KEY)
        assert first.result(300).text
    assert len(practice.requests) == 1


def test_two_tenants_may_use_the_same_key_and_never_meet(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    first = practised.complete("Xin chào", tenant="acme", idempotency_key=KEY)
    other = practised.complete("Tạm biệt", tenant="globex", idempotency_key=KEY)
    assert other.cached is CacheState.MISS
    assert other.request_id != first.request_id
    assert len(practice.requests) == 2


def test_fifty_callers_at_once_make_one_charge(practised: Orchestrator, practice: PracticeServer) -> None:
    """Whole replies and streams together: one is charged, all have its text and its id."""
    with ThreadPoolExecutor(50) as pool:

        def ask(number: int) -> ChatReply:
            if number % 5:
                return practised.complete("Xin chào", idempotency_key=KEY, cache=CacheUse.OFF)
            stream = practised.stream("Xin chào", idempotency_key=KEY, cache=CacheUse.OFF)
            assert "".join(delta.text for delta in stream) == stream.reply.text
            return stream.reply

        found = list(pool.map(ask, range(50)))
    assert practice.bill.count() == 1
    assert len({(reply.request_id, reply.text, reply.usage) for reply in found}) == 1
    assert sorted(reply.cached for reply in found) == [CacheState.MISS] + [CacheState.REPLAYED] * 49
    assert sum(reply.cost_nusd for reply in found) == practice.bill.total_nusd() == spent(practised)[0]
    assert booked(practised) == (1, 1)


def test_four_processes_at_once_make_one_charge(
    start, practised: Orchestrator, practice: PracticeServer
) -> None:
    """The others wait for the one that has the claim, and tell its reply."""
    practice.faults.add(Fault.parse("openrouter:slow_first_token=1,times=1"))
    children = [start() for _ in range(4)]
    assert [child.told() for child in children] == ["ready"] * 4
    for child in children:
        child.go()
    found = [json.loads(child.told()) for child in children]
    assert practice.bill.count() == 1
    assert len({(one[0], one[1]) for one in found}) == 1
    assert sorted(one[3] for one in found) == ["miss", "replayed", "replayed", "replayed"]
    assert sum(one[2] for one in found) == practice.bill.total_nusd() == spent(practised)[0]
    assert booked(practised) == (1, 1)


def test_the_reply_outlives_the_process(make_orchestrator, practice: PracticeServer) -> None:
    before = make_orchestrator()
    first = before.complete("Xin chào", idempotency_key=KEY, tools=[TOOL])
    before.close()
    assert same(first, make_orchestrator().complete("Xin chào", idempotency_key=KEY, tools=[TOOL]))
    assert len(practice.requests) == 1


def test_a_stream_is_replayed_in_pieces_with_its_tool_calls(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """Of a first telling in pieces or whole, for readers of either kind."""
    wanted = {"idempotency_key": KEY, "tools": [TOOL], "tool_choice": "required"}
    prompt = "Find order DH1001"
    first = practised.stream(prompt, **wanted)
    assert [delta for delta in first if delta.tool_calls]
    assert first.reply.tool_calls[0].name == "find_order"
    again = practised.stream(prompt, **wanted)
    calls = [call for delta in again for call in delta.tool_calls]
    assert [(call.id, call.name, call.arguments) for call in calls] == [
        (call.id, call.name, call.arguments) for call in first.reply.tool_calls
    ]
    assert same(first.reply, again.reply)
    assert same(first.reply, practised.complete(prompt, **wanted))
    assert len(practice.requests) == 1


def test_a_replayed_stream_comes_in_several_pieces(practised: Orchestrator) -> None:
    first = practised.complete("Xin chào", idempotency_key=KEY)
    stream = practised.stream("Xin chào", idempotency_key=KEY)
    pieces = [delta.text for delta in stream]
    assert len(pieces) > 1
    assert "".join(pieces) == first.text


def test_a_request_that_failed_frees_its_key(make_orchestrator, practice: PracticeServer) -> None:
    """What failed is booked as ever, and the next try is a request of its own, kept as the first would have been."""
    orchestrator = make_orchestrator({"local_model": {"enabled": False}})
    practice.faults.add(Fault.parse("openai:status=400,times=1"))
    with pytest.raises(OrchestratorError) as caught:
        orchestrator.complete("Xin chào", idempotency_key=KEY, model="openai/gpt-6-luna")
    assert rows(orchestrator, "SELECT COUNT(*) FROM idempotency") == [(0,)]
    reply = orchestrator.complete("Xin chào", idempotency_key=KEY, model="openai/gpt-6-luna")
    assert reply.cached is CacheState.MISS
    assert reply.request_id != caught.value.request_id
    assert same(reply, orchestrator.complete("Xin chào", idempotency_key=KEY, model="openai/gpt-6-luna"))
    assert booked(orchestrator) == (2, 2)


def test_a_request_that_a_budget_refused_is_tried_afresh(make_orchestrator, make_config) -> None:
    refusing = {"budgets": {"limits": [{"scope": "all", "day": 0.0000001}]}}
    orchestrator = make_orchestrator(refusing)
    with pytest.raises(BudgetExceededError):
        orchestrator.complete("Xin chào", idempotency_key=KEY, model="gpt-6-luna")
    orchestrator.reload(make_config({"budgets": {"limits": [{"scope": "all", "day": 10}]}}))
    assert orchestrator.complete("Xin chào", idempotency_key=KEY, model="gpt-6-luna").cost_nusd > 0


def test_callers_who_joined_a_request_share_its_failure(make_orchestrator, practice: PracticeServer) -> None:
    """One request has one end: twenty callers are no reason for twenty sends."""
    orchestrator = make_orchestrator({"local_model": {"enabled": False}})
    orchestrator.warm_up()
    practice.faults.add(Fault.parse("*:status=400"))

    async def ask_all() -> list[Any]:
        asked = (
            orchestrator.acomplete("Xin chào", idempotency_key=KEY, model="openai/gpt-6-luna")
            for _ in range(20)
        )
        return await asyncio.gather(*asked, return_exceptions=True)

    failed = asyncio.run(ask_all())
    assert all(isinstance(one, OrchestratorError) for one in failed)
    assert len({one.request_id for one in failed}) == 1
    assert len(practice.requests) == 1


def test_whoever_joined_asks_itself_when_the_first_caller_had_less_time(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """A deadline is one caller's own, and no end of the request."""
    practised.warm_up()
    practice.faults.add(Fault.parse("openrouter:silence,times=1"))

    async def both() -> list[Any]:
        hasty = practised.acomplete("Xin chào", idempotency_key=KEY, cache="off", deadline_s=0.5)
        patient = practised.acomplete("Xin chào", idempotency_key=KEY, cache="off", deadline_s=60)
        return await asyncio.gather(hasty, patient, return_exceptions=True)

    hasty, patient = asyncio.run(both())
    assert isinstance(hasty, DeadlineExceededError)
    assert patient.cached is CacheState.MISS
    assert patient.request_id != hasty.request_id
    assert same(patient, practised.complete("Xin chào", idempotency_key=KEY))


def test_a_caller_who_leaves_does_not_take_the_reply_from_those_who_joined(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    practised.warm_up()
    practice.faults.add(Fault.parse("openrouter:slow_first_token=0.5,times=1"))

    async def both() -> ChatReply:
        first = asyncio.ensure_future(practised.acomplete("Xin chào", idempotency_key=KEY, cache="off"))
        second = asyncio.ensure_future(practised.acomplete("Xin chào", idempotency_key=KEY, cache="off"))
        while not practice.requests:  # noqa: ASYNC110 -- the server is another thread
            await asyncio.sleep(0.01)
        first.cancel()
        return await second

    reply = asyncio.run(both())
    assert reply.text
    assert practice.bill.count() == 1
    assert booked(practised) == (1, 1)


def test_whoever_joined_waits_no_longer_than_its_own_deadline(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    practised.warm_up()
    practice.faults.add(Fault.parse("openrouter:slow_first_token=3,times=1"))

    async def both() -> list[Any]:
        patient = practised.acomplete("Xin chào", idempotency_key=KEY, cache="off", deadline_s=60)
        hasty = practised.acomplete("Xin chào", idempotency_key=KEY, cache="off", deadline_s=0.3)
        return await asyncio.gather(patient, hasty, return_exceptions=True)

    patient, hasty = asyncio.run(both())
    assert isinstance(hasty, DeadlineExceededError)
    assert patient.cached is CacheState.MISS
    assert practice.bill.count() == 1


def test_what_was_waited_for_another_process_is_taken_off_the_deadline(
    make_orchestrator, practice: PracticeServer, clock
) -> None:
    """59 of 60 seconds are over when the other one gives up; the silent provider gets one, and not fifteen."""
    request = ChatRequest.of("Xin chào", use_case="customer_service", idempotency_key=KEY, cache="off")

    class Freeing(type(clock)):
        async def sleep(self, duration_s: float) -> None:
            await super().sleep(59 - sum(self.slept_s))
            change("DELETE FROM idempotency")

    orchestrator = make_orchestrator(clock=Freeing())
    orchestrator.warm_up()
    orchestrator._services.ledger.check_writable()

    def change(statement: str, *values: str) -> None:
        path = orchestrator.config.settings.ledger.path
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement, values)

    change(
        "INSERT INTO idempotency VALUES ('default', ?, ?, 'another', ?, 'running', '2026-11-23T12:00:00+00:00')",
        KEY, _hash_of(request), own_process(),
    )  # fmt: skip
    practice.faults.add(Fault.parse("*:silence"))
    with pytest.raises(DeadlineExceededError, match="no answer within 60 s"):
        orchestrator.complete(replace(request, deadline_s=60))
    assert len(practice.requests) == 1


def test_a_stream_that_is_left_frees_its_key(practised: Orchestrator, practice: PracticeServer) -> None:
    """What arrived is booked; nobody has the whole reply, so the next caller asks."""
    practice.faults.add(Fault.parse("openrouter:stall_stream=6,times=1"))
    with practised.stream("Xin chào", idempotency_key=KEY, cache="off") as stream:
        next(iter(stream))
    left_nusd, held_nusd = spent(practised)
    assert (left_nusd > 0, held_nusd) == (True, 0)
    reply = practised.complete("Xin chào", idempotency_key=KEY, cache="off")
    assert reply.cached is CacheState.MISS
    assert spent(practised) == (left_nusd + reply.cost_nusd, 0)
    assert booked(practised) == (2, 2)


def test_a_key_is_free_again_when_its_time_is_over(
    make_orchestrator, practice: PracticeServer, clock
) -> None:
    """Until then it stands for its request; then for any other, and the old reply is gone from the disk."""
    orchestrator = make_orchestrator({"idempotency": {"keep_s": 3600}}, clock=clock)
    first = orchestrator.complete("Xin chào", idempotency_key=KEY)
    clock.advance(3599)
    assert same(first, orchestrator.complete("Xin chào", idempotency_key=KEY))
    clock.advance(2)
    other = orchestrator.complete("Tạm biệt", idempotency_key=KEY, cache="off")
    assert other.cached is CacheState.MISS
    assert len(practice.requests) == 2
    assert orchestrator._services.kept_replies.get(first.request_id) is None
    assert orchestrator._services.kept_replies.get(other.request_id) is not None


def test_keys_and_replies_whose_time_is_over_are_swept_now_and_then(make_orchestrator, clock) -> None:
    """Also those of keys that nobody uses again."""
    orchestrator = make_orchestrator({"idempotency": {"keep_s": 60}}, clock=clock)
    old = [orchestrator.complete("Xin chào", idempotency_key=f"k{n}") for n in range(3)]
    clock.advance(61)
    for number in range(100):
        orchestrator.complete("Xin chào", idempotency_key=f"n{number}")
    assert rows(orchestrator, "SELECT key FROM idempotency WHERE key LIKE 'k%'") == []
    assert [orchestrator._services.kept_replies.get(one.request_id) for one in old] == [None] * 3
    assert rows(orchestrator, "SELECT COUNT(*) FROM idempotency") == [(100,)]


def test_a_process_killed_in_flight_is_taken_over_and_the_reply_says_so(
    start, practised: Orchestrator, practice: PracticeServer
) -> None:
    """Kill -9 after the send: its hold stays counted in full, and one more send is made and booked."""
    practice.faults.add(Fault.parse("openrouter:silence,times=1"))
    child = start()
    assert child.told() == "ready"
    child.go()
    _until(lambda: len(practice.requests) == 1)
    child.kill()
    child.wait()
    bound = practised.estimate("Xin chào").bound_nusd
    assert spent(practised) == (0, bound)
    [(dead,)] = rows(practised, "SELECT operation_id FROM holds")
    reply = practised.complete("Xin chào", idempotency_key=KEY, cache="off")
    assert reply.cached is CacheState.MISS
    assert reply.notices[0] == (
        f"an earlier try with this idempotency key (request {dead}) ended with its process; it may have been billed"
    )
    assert spent(practised) == (reply.cost_nusd, bound)
    assert same(reply, practised.complete("Xin chào", idempotency_key=KEY, cache="off"))
    assert len(practice.requests) == 2


def test_a_process_that_waits_takes_over_from_one_that_is_killed(
    start, practised: Orchestrator, practice: PracticeServer
) -> None:
    practice.faults.add(Fault.parse("openrouter:silence,times=1"))
    child = start()
    assert child.told() == "ready"
    child.go()
    _until(lambda: len(practice.requests) == 1)
    practised.warm_up()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(practised.complete, "Xin chào", idempotency_key=KEY, cache="off")
        threading.Event().wait(0.3)
        assert len(practice.requests) == 1
        child.kill()
        child.wait()
        assert "may have been billed" in waiting.result(300).notices[0]
    assert len(practice.requests) == 2


def test_a_reply_that_was_stored_before_its_process_died_is_not_asked_for_again(
    start, practised: Orchestrator, practice: PracticeServer
) -> None:
    """Killed between the stored reply and the finished claim: the reply is there, and it is the one."""
    child = start()
    assert child.told() == "ready"
    child.go()
    first = json.loads(child.told())
    child.wait()
    with closing(sqlite3.connect(practised.config.settings.ledger.path)) as connection, connection:
        connection.execute("UPDATE idempotency SET state = 'running'")
    reply = practised.complete("Xin chào", idempotency_key=KEY, cache="off")
    assert (reply.request_id, reply.text, reply.cached, reply.notices) == (
        *first[:2],
        CacheState.REPLAYED,
        (),
    )
    assert len(practice.requests) == 1
    assert rows(practised, "SELECT state FROM idempotency") == [("done",)]


def test_a_process_killed_at_any_moment_of_many_leaves_no_wrong_reply_and_no_second_booking(
    start_many, practised: Orchestrator, practice: PracticeServer
) -> None:
    """Kill -9 among hundreds of keys at work: what was acknowledged is replayed, the rest is asked once more."""
    child = start_many()
    assert child.told() == "ready"
    child.go()
    first = {}
    for _ in range(40):
        key, request_id, text = json.loads(child.told())
        first[key] = (request_id, text)
    child.kill()
    for line in child.stdout.read().splitlines(keepends=True):
        if line.endswith("\n"):
            key, request_id, text = json.loads(line)
            first[key] = (request_id, text)
    child.wait()
    killed_at = practice.bill.count()
    for number in range(len(first) + 20):
        reply = practised.complete(f"Câu hỏi {number}", idempotency_key=f"k{number}", cache="off")
        if f"k{number}" in first:
            assert (reply.request_id, reply.text) == first[f"k{number}"]
            assert reply.cached is CacheState.REPLAYED
    found = rows(practised, "SELECT COUNT(*) FROM attempts GROUP BY operation_id")
    assert all(count == (1,) for count in found)
    holds = rows(practised, "SELECT COUNT(*) FROM holds")[0][0]
    assert holds <= IN_FLIGHT
    assert len(first) <= killed_at <= len(first) + 20
    # Every charge of the providers is in the books, as a send or as the hold of one that was killed.
    assert len(found) <= practice.bill.count() <= len(found) + holds
    assert rows(practised, "SELECT COUNT(*) FROM idempotency WHERE state = 'running'") == [(0,)]


def test_whoever_waits_for_another_process_in_vain_is_told_before_its_deadline(
    start, make_orchestrator, practice: PracticeServer
) -> None:
    practice.faults.add(Fault.parse("openrouter:silence,times=1"))
    child = start()
    assert child.told() == "ready"
    child.go()
    _until(lambda: len(practice.requests) == 1)
    orchestrator = make_orchestrator()
    with pytest.raises(DeadlineExceededError, match="ask again with the same key"):
        orchestrator.complete("Xin chào", idempotency_key=KEY, cache="off", deadline_s=0.5)
    assert len(practice.requests) == 1
    assert booked(orchestrator) == (0, 0)


@pytest.mark.parametrize("damage", ["DELETE FROM Cache", "UPDATE Cache SET value = x'00'"])
def test_a_reply_that_is_gone_is_an_error_and_no_second_charge(
    practised: Orchestrator, practice: PracticeServer, damage: str
) -> None:
    first = practised.complete("Xin chào", idempotency_key=KEY)
    folder = Path(practised.config.settings.idempotency.path)
    with closing(sqlite3.connect(folder / "cache.db")) as connection, connection:
        connection.execute(damage)
    with pytest.raises(ReplyLostError, match="Use another key to ask anew") as caught:
        practised.complete("Xin chào", idempotency_key=KEY)
    assert caught.value.request_id == first.request_id
    assert len(practice.requests) == 1


def test_where_replies_cannot_be_kept_nothing_is_sent(
    make_orchestrator, practice: PracticeServer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    orchestrator = make_orchestrator({"idempotency": {"path": str(tmp_path / "file" / "replies")}})
    with pytest.raises(StateError, match=r"set idempotency\.path in config\.yaml"):
        orchestrator.complete("Xin chào", idempotency_key=KEY)
    assert practice.requests == ()
    assert orchestrator.complete("Xin chào").text, "without a key it is not needed"


def test_a_reply_that_cannot_be_stored_goes_to_its_caller_and_is_never_charged_again(
    practised: Orchestrator, practice: PracticeServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk of the replies fills up after the send."""
    kept = practised._services.kept_replies
    kept.check()
    with closing(sqlite3.connect(kept.path / "cache.db")) as connection, connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON Cache BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    with caplog.at_level(logging.ERROR, logger="orchestrator.idempotency"):
        reply = practised.complete("Xin chào bí mật", idempotency_key=KEY)
    assert reply.text
    assert any("could not be kept" in notice for notice in reply.notices)
    assert any("is lost" in record.message for record in caplog.records)
    assert "bí mật" not in caplog.text
    with pytest.raises(ReplyLostError):
        practised.complete("Xin chào bí mật", idempotency_key=KEY)
    assert len(practice.requests) == 1


def test_the_ledger_holds_no_text(practised: Orchestrator) -> None:
    """Neither of the prompt nor of the reply, keys or none."""
    reply = practised.complete("bí mật của khách hàng", idempotency_key=KEY)
    practised.close()
    for path in Path(practised.config.settings.ledger.path).parent.glob("ledger.sqlite3*"):
        stored = path.read_bytes()
        assert "bí mật".encode() not in stored
        assert reply.text[:20].encode() not in stored


@pytest.mark.parametrize("key", ["", "  ", "a\nb", "x" * 256, 17, "\ud800"])
def test_a_key_is_a_name_of_at_most_255_characters(key: Any) -> None:
    with pytest.raises(InvalidRequestError, match="idempotency_key"):
        ChatRequest.of("Xin chào", use_case="customer_service", idempotency_key=key)


def test_the_longest_key_and_a_vietnamese_one_are_taken() -> None:
    for key in ("x" * 255, "đơn hàng 17 — lần 1"):
        assert ChatRequest.of("Xin chào", use_case="u", idempotency_key=key).idempotency_key == key


def test_a_langchain_call_takes_a_key(practised: Orchestrator, practice: PracticeServer) -> None:
    chat = practised.chat_model("customer_service", tenant="acme", cache="off")
    first, again = (chat.invoke("Xin chào", idempotency_key=KEY) for _ in range(2))
    streamed = list(chat.stream("Xin chào", idempotency_key=KEY))
    assert again.text == first.text == "".join(str(chunk.text) for chunk in streamed)
    assert again.response_metadata["cached"] == "replayed"
    assert again.response_metadata["request_id"] == first.response_metadata["request_id"]
    assert again.usage_metadata == first.usage_metadata
    assert len(practice.requests) == 1


def test_a_chain_takes_no_key_and_says_why(practised: Orchestrator) -> None:
    """Its repair and its next model are requests of their own."""
    from chains import customer_service

    with pytest.raises(InvalidRequestError, match="several requests"):
        customer_service(practised, tenant="acme", idempotency_key=KEY)


def _without(given: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key != name}


def _until(true: Callable[[], bool], *, patience_s: float = 300.0) -> None:
    give_up = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < give_up, "it did not come about"
        threading.Event().wait(0.02)
