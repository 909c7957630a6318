"""The proof of the one property that no peer has: spent + held never exceeds a limit.

Practice providers fail in every way while callers ask in every way and give up in every way. A
watcher reads the counters now and then, as another process would; in one process the file itself notes at
every hold what they say. In the end the books are compared with themselves and with the providers' own bill.
"""

import asyncio
import os
import random
import signal
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import booking
import pytest
import spender

from orchestrator import Orchestrator
from orchestrator.core.money import nano_usd
from orchestrator.practice import Fault, PracticeServer
from orchestrator.practice.bill import Delivered

LIMIT = nano_usd("0.05")
_LOOK_S = 0.01
CHANGES = {
    "budgets": {"limits": [{"scope": "tenant:acme", "day": 0.05}, {"scope": "all", "day": 10}], "tiers": []},
    "local_model": {"enabled": False},
    "circuit_breaker": {"failures": 1000},
    "retry_profiles": {"interactive": {"fallback_delays_s": [0]}},
}
FAULTS = (
    "status=500",
    "status=503",
    "status=429",
    "reset",
    "cut_stream,after_chunks=2",
    "empty_content",
    "malformed_body",
)


class Watcher:
    """Looks at the tenant's counter again and again, from a connection of its own."""

    def __init__(self, path: Path) -> None:
        self.highest = 0
        self.looks = 0
        self._path = path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._path.exists():
            if self._stop.wait(0.001):
                return
        highest = "SELECT MAX(spent_nusd + held_nusd) FROM counters WHERE scope = 'tenant:acme'"
        # One connection for all looks: opening one takes longer than a look.
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=300)) as connection:
            while not self._stop.wait(_LOOK_S):
                try:
                    found = connection.execute(highest).fetchone()
                except sqlite3.OperationalError as exc:
                    if "no such table" not in str(exc):
                        raise
                    continue
                self.highest = max(self.highest, found[0] or 0)
                self.looks += 1


def rows(path: Path, query: str) -> list[tuple]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=300)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def assert_the_books_are_right(path: Path) -> None:
    """Every counter is the sum of its rows, and no limit was passed."""
    counted = {(s, p): (spent, held) for s, p, spent, held in rows(path, "SELECT * FROM counters")}
    summed: dict[tuple[str, str], list[int]] = {}
    unnested = "SELECT value, {window}, {money} FROM {table}, json_each(scopes)"
    for window in ("hour", "day", "month"):
        for place, (table, money) in enumerate((("attempts", "cost_nusd"), ("holds", "held_nusd"))):
            for scope, period, amount in rows(path, unnested.format(window=window, money=money, table=table)):
                summed.setdefault((scope, period), [0, 0])[place] += amount
    weeks = {key: counted.pop(key) for key in list(counted) if "-W" in key[1]}
    assert {key: tuple(value) for key, value in summed.items()} == counted
    assert sum(spent + held for spent, held in weeks.values()) == sum(
        spent + held for (_, period), (spent, held) in counted.items() if len(period) == len("2026-11-23")
    )
    for spent, held in (value for (scope, period), value in counted.items() if scope == "tenant:acme"):
        assert spent + held <= LIMIT


@contextmanager
def trouble(practice: PracticeServer, *, seed: int) -> Iterator[None]:
    """Let the providers fail now and then, in every way, until the block is left."""
    chance = random.Random(seed)  # noqa: S311 -- repeatable, no secret
    stop = threading.Event()

    def make() -> None:
        while not stop.wait(0.02):
            if len(practice.faults) > 2:
                continue  # with one request at a time they would pile up until nothing is answered
            # A fault that waits for a provider which nothing asks would keep the others from coming.
            provider = chance.choice(("openrouter", "*"))
            practice.faults.add(Fault.parse(f"{provider}:{chance.choice(FAULTS)},times=1"))

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        practice.faults.clear()


@pytest.mark.parametrize("in_flight", [1, 20, 100, 500])
def test_in_one_process_at_any_concurrency(
    make_orchestrator, practice: PracticeServer, in_flight: int
) -> None:
    orchestrator: Orchestrator = make_orchestrator(CHANGES)
    orchestrator.warm_up()
    path, ledger = Path(orchestrator.config.settings.ledger.path), orchestrator._services.ledger
    ledger.check_writable()
    booking.audit(path)
    with Watcher(path) as watcher, trouble(practice, seed=in_flight):
        calls = max(in_flight, 120)
        asyncio.run(spender.spend(orchestrator, seed=in_flight, calls=calls, in_flight=in_flight))
    orchestrator.close()
    assert watcher.looks > 10
    assert 0 < watcher.highest <= LIMIT
    assert booking.rows(path, "SELECT COUNT(*) > 100 FROM admissions") == [(1,)]
    assert booking.over_limit(path, ledger.limits) == []
    assert rows(path, "SELECT COUNT(*) FROM holds") == [(0,)]
    assert_the_books_are_right(path)
    assert_nothing_is_missing_from_the_books(path, practice)


@pytest.mark.parametrize(("processes", "kill"), [(8, False), (4, True)])
def test_in_several_processes_on_one_ledger(
    make_config, environment: dict[str, str], practice: PracticeServer, warm, processes: int, kill: bool
) -> None:
    """With `kill`, half of them die by SIGKILL in the middle; what they held stays counted, in full."""
    config = make_config(CHANGES)
    path = Path(config.settings.ledger.path)
    program = Path(spender.__file__).read_text(encoding="utf-8")
    seeds = [str(seed) for seed in range(1, processes + 1)]
    spenders = warm(program, str(config.path), "60", *seeds, environment=environment)
    children = [int(spenders.told().removeprefix("ready ")) for _ in seeds]
    with Watcher(path) as watcher, trouble(practice, seed=processes):
        spenders.go()
        if kill:
            for child in children[::2]:
                threading.Event().wait(0.15)
                os.kill(child, signal.SIGKILL)
        assert spenders.wait(300) == 0
    practice.wait_idle(timeout_s=300)
    assert 0 < watcher.highest <= LIMIT
    assert_the_books_are_right(path)
    assert_nothing_is_missing_from_the_books(path, practice)
    if not kill:
        assert rows(path, "SELECT COUNT(*) FROM holds") == [(0,)]


def test_a_limit_that_a_reload_lowers_holds_from_the_next_admission_on(
    make_orchestrator, make_config, practice: PracticeServer
) -> None:
    """Every hold is noted by the file itself, in its own transaction, with what the counters then say."""
    first, lowered = (_with_limit(dollars) for dollars in (0.05, 0.035))
    orchestrator: Orchestrator = make_orchestrator(first)
    orchestrator.warm_up()
    path = Path(orchestrator.config.settings.ledger.path)
    orchestrator._services.ledger.check_writable()
    booking.audit(path)
    before = orchestrator._services.ledger.limits
    lower = make_config(lowered)
    with ThreadPoolExecutor(1) as pool, trouble(practice, seed=7):
        spending = pool.submit(asyncio.run, spender.spend(orchestrator, seed=7, calls=400, in_flight=40))
        while booking.rows(path, "SELECT COUNT(DISTINCT operation_id) < 30 FROM admissions")[0][0]:
            assert not spending.done()
            threading.Event().wait(0.005)
        in_flight = booking.rows(path, "SELECT COUNT(*) FROM holds")[0][0]
        orchestrator.reload(lower)
        since = datetime.now(UTC).isoformat()
        spending.result(300)
    after = orchestrator._services.ledger.limits
    orchestrator.close()
    assert in_flight > 0, "nothing was under way"
    assert booking.rows(path, "SELECT COUNT(*) > 0 FROM admissions WHERE held_at > ?", since) == [(1,)]
    assert booking.over_limit(path, before) == []
    assert booking.over_limit(path, after, since=since) == []
    booking.assert_balanced(path)


def _with_limit(dollars: float) -> dict:
    limits = [{"scope": "tenant:acme", "day": dollars}, {"scope": "all", "day": 10}]
    return {**CHANGES, "budgets": {"limits": limits, "tiers": []}}


def assert_nothing_is_missing_from_the_books(path: Path, practice: PracticeServer) -> None:
    """Whatever the providers charged is in the ledger, as spent or as held.

    To the nano-dollar for whole answers that we saw whole, and at least that much where nobody could say.
    """
    practice.wait_idle(timeout_s=300)
    billed = practice.bill.total_nusd()
    booked = rows(path, "SELECT COALESCE(SUM(cost_nusd), 0) FROM attempts")[0][0]
    held = rows(path, "SELECT COALESCE(SUM(held_nusd), 0) FROM holds")[0][0]
    assert billed <= booked + held
    whole = {
        charge.request_id: charge.cost_nusd
        for charge in practice.bill.charges
        if charge.delivered is Delivered.WHOLE
    }
    exact = rows(
        path,
        "SELECT upstream_id, cost_nusd FROM attempts WHERE outcome = 'succeeded' AND cost_source IN ('provider', 'price_book')",
    )
    matched = [(cost, whole[upstream]) for upstream, cost in exact if upstream in whole]
    assert matched
    assert all(cost == charge for cost, charge in matched)
