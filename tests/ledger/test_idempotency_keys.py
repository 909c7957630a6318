"""A key has one holder at any moment, of whatever process, and is free again when its time is over."""

import asyncio
import json
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import LedgerError
from orchestrator.ledger.budgets import BudgetSettings, Limits
from orchestrator.ledger.idempotency_keys import ExpiredKey, KeyClaim, KeyState
from orchestrator.ledger.opening import LedgerSettings, open_ledger
from orchestrator.ledger.process_identity import own_process

ROOT = Path(__file__).parents[2]
KEEP_S = 3600.0

CLAIMANT = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
sys.path.insert(0, {root!r})
from orchestrator.core.clock import SystemClock
from orchestrator.ledger.budgets import BudgetSettings, Limits
from orchestrator.ledger.opening import LedgerSettings, open_ledger
from orchestrator.ledger.idempotency_keys import KeyClaim
ledger = open_ledger(LedgerSettings(path={path!r}, lock_timeout_s=60), limits=Limits(BudgetSettings()), clock=SystemClock())
until = datetime(2026, 11, 23, 10, tzinfo=UTC)
print("ready", flush=True)
sys.stdin.readline()
got = [n for n in range({count}) if asyncio.run(ledger.store.claim_key(KeyClaim("acme", f"k{{n}}", "h", f"{name}-{{n}}", until))) is None]
print(got, flush=True)
sys.stdin.readline()
"""


def claim_key(ledger, claim):
    return asyncio.run(ledger.store.claim_key(claim))


def take_over(ledger, claim, *, over):
    return asyncio.run(ledger.store.take_over_key(claim, over=over))


def finish_key(ledger, claim, **reply):
    ledger.store.finish_key(claim, **reply)


def free_key(ledger, claim):
    ledger.store.free_key(claim)


def expired_keys(ledger, *, now, keep_s):
    abandoned = now - timedelta(seconds=keep_s)
    return asyncio.run(ledger.store.expired_keys(done_until=now, running_until=abandoned, limit=500))


def forget_keys(ledger, keys):
    asyncio.run(ledger.store.forget_keys(keys))


@pytest.fixture
def claim(clock):
    """Make claims on the key `order-17` of the tenant acme."""

    def make(operation="op-1", *, tenant="acme", key="order-17", request_hash="h", minutes=2):
        return KeyClaim(tenant, key, request_hash, operation, clock.now() + timedelta(minutes=minutes))

    return make


def a_claimant(path: Path, *, name: str = "other", count: int = 1) -> subprocess.Popen[str]:
    """Start a process that claims keys when it is told to."""
    program = textwrap.dedent(CLAIMANT).format(root=str(ROOT), path=str(path), name=name, count=count)
    return subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def go(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


def told(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def test_a_free_key_is_taken_and_a_taken_one_tells_who_has_it(books, claim):
    assert claim_key(books.ledger, claim()) is None
    holder = claim_key(books.ledger, claim("op-2", request_hash="other"))
    assert holder is not None
    assert (holder.operation_id, holder.request_hash, holder.state) == ("op-1", "h", KeyState.RUNNING)
    assert holder.process == own_process()
    assert holder.until == claim().until
    assert not holder.is_dead(books.clock.now() + timedelta(days=9)), "its process lives"


def test_two_tenants_may_have_the_same_key(books, claim):
    assert claim_key(books.ledger, claim("op-1")) is None
    assert claim_key(books.ledger, claim("op-2", tenant="globex")) is None


def test_a_key_that_is_done_stays_with_its_request_until_its_time_is_over(books, claim, clock):
    claim_key(books.ledger, claim())
    finish_key(books.ledger, claim(), operation_id="op-1", until=clock.now() + timedelta(seconds=KEEP_S))
    free_key(books.ledger, claim())
    holder = claim_key(books.ledger, claim("op-2"))
    assert holder is not None
    assert holder.state is KeyState.DONE
    assert not holder.is_expired(clock.now() + timedelta(seconds=KEEP_S - 1))
    assert holder.is_expired(clock.now() + timedelta(seconds=KEEP_S))
    assert not holder.is_dead(clock.now() + timedelta(days=9)), "an answer needs no process"


def test_a_request_that_failed_frees_its_key_and_no_other(books, claim):
    claim_key(books.ledger, claim())
    free_key(books.ledger, claim("op-2"))
    assert claim_key(books.ledger, claim("op-2")) is not None
    free_key(books.ledger, claim())
    assert claim_key(books.ledger, claim("op-2")) is None


def test_of_several_that_take_a_key_over_one_gets_it(books, claim):
    claim_key(books.ledger, claim())
    over = claim_key(books.ledger, claim("op-2"))
    assert [take_over(books.ledger, claim(f"op-{n}"), over=over) for n in (2, 3)] == [True, False]
    finish_key(books.ledger, claim(), operation_id="op-1", until=books.clock.now())
    holder = claim_key(books.ledger, claim("op-4"))
    assert (holder.operation_id, holder.state) == ("op-2", KeyState.RUNNING), "a late word changes nothing"


def test_a_request_that_was_answered_meanwhile_is_not_taken_over(books, claim, clock):
    """Else an answer that came between the look and the step would be charged twice."""
    claim_key(books.ledger, claim())
    over = claim_key(books.ledger, claim("op-2"))
    finish_key(books.ledger, claim(), operation_id="op-1", until=clock.now() + timedelta(hours=1))
    assert not take_over(books.ledger, claim("op-2"), over=over)


def test_a_killed_process_is_dead_and_one_elsewhere_only_after_its_time(books, claim, clock):
    with a_claimant(books.path) as child:
        assert told(child) == "ready"
        go(child)
        assert told(child) == "[0]"
        alive = claim_key(books.ledger, claim(key="k0"))
        assert alive is not None
        assert not alive.is_dead(clock.now() + timedelta(days=9))
        child.send_signal(signal.SIGKILL)
    dead = claim_key(books.ledger, claim(key="k0"))
    assert dead is not None
    assert dead.is_dead(clock.now())
    books.write("UPDATE idempotency SET process = 'another-host:7:boot.1.2'")
    elsewhere = claim_key(books.ledger, claim(key="k0"))
    assert elsewhere is not None
    assert not elsewhere.is_dead(elsewhere.until - timedelta(seconds=1))
    assert elsewhere.is_dead(elsewhere.until)


def test_of_threads_and_processes_that_claim_at_once_each_key_goes_to_one(books, claim):
    """Four processes and eight threads race for fifty keys."""
    children = [a_claimant(books.path, name=f"child{n}", count=50) for n in range(4)]
    try:
        assert [told(child) for child in children] == ["ready"] * 4
        for child in children:
            go(child)

        def race(number: int) -> list[int]:
            wanted = (claim(f"thread{number}-{n}", key=f"k{n}") for n in range(50))
            return [n for n, one in enumerate(wanted) if claim_key(books.ledger, one) is None]

        with ThreadPoolExecutor(8) as pool:
            got = [n for mine in pool.map(race, range(8)) for n in mine]
        got += [n for child in children for n in json.loads(told(child))]
    finally:
        for child in children:
            child.kill()
            child.communicate()
    assert sorted(got) == list(range(50))


def test_what_is_over_is_found_and_forgotten_and_nothing_else(books, claim, clock):
    now = clock.now()
    for name, minutes in (("old", 1), ("fresh", 30)):
        claim_key(books.ledger, claim(name, key=name))
        finish_key(books.ledger, claim(key=name), operation_id=name, until=now + timedelta(minutes=minutes))
    claim_key(books.ledger, claim("runs", key="runs", minutes=1))
    found = expired_keys(books.ledger, now=now + timedelta(minutes=2), keep_s=KEEP_S)
    assert found == (ExpiredKey("acme", "old", "old"),)
    # A request of a dead process keeps its place as long as a reply would: whoever comes back is told of it.
    later = now + timedelta(minutes=1, seconds=KEEP_S)
    found = expired_keys(books.ledger, now=later, keep_s=KEEP_S)
    assert {one.operation_id for one in found} == {"old", "fresh", "runs"}
    forget_keys(books.ledger, [one for one in found if one.operation_id == "old"])
    assert books.rows("SELECT operation_id FROM idempotency ORDER BY 1") == [("fresh",), ("runs",)]


def test_a_key_that_changed_hands_is_not_forgotten(books, claim, clock):
    claim_key(books.ledger, claim())
    over = claim_key(books.ledger, claim("op-2"))
    take_over(books.ledger, claim("op-2"), over=over)
    forget_keys(books.ledger, [ExpiredKey("acme", "order-17", "op-1")])
    assert claim_key(books.ledger, claim("op-3")) is not None


async def test_a_claim_that_cannot_be_freed_now_is_free_before_the_next_one(tmp_path, claim):
    """A ledger on a full or locked disk must not keep a key for ever."""
    folder = tmp_path / "ledger"
    path = folder / "books.sqlite3"
    ledger = open_ledger(
        LedgerSettings(path=str(path), lock_timeout_s=0), limits=Limits(BudgetSettings()), clock=SystemClock()
    )
    blocker = open_ledger(
        LedgerSettings(path=str(path)), limits=Limits(BudgetSettings()), clock=SystemClock()
    )
    await ledger.store.claim_key(claim())

    def while_locked(_):
        with pytest.raises(LedgerError, match="others use the ledger"):
            free_key(ledger, claim())

    blocker.store.file.write(while_locked)
    assert await ledger.store.claim_key(claim("op-2")) is None
    ledger.close()
    blocker.close()


def test_books_with_keys_verify_and_a_lookup_uses_an_index(books, claim):
    books.request("op-1", 300)
    claim_key(books.ledger, claim())
    assert books.verified().counters_are_right
    plans = [
        books.rows(f"EXPLAIN QUERY PLAN SELECT * FROM idempotency WHERE {where}")[0][3]  # noqa: S608 -- fixed words
        for where in ("tenant = 'a' AND key = 'b'", "state = 'done' AND until <= 'x'")
    ]
    assert all("SEARCH" in plan for plan in plans), plans
