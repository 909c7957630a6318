"""What a budget check costs beside a full ledger: a booking and a refusal, with few and with many rows.

A booking is hold, settle and close of one request, a refusal a hold that passes a limit. Two ledger
files on the same disk, one with few old requests and one with many, are asked in turn, so that a busy
machine is busy for both; the ratio of each round is taken, and its median and range printed. The
reckoning of every counter is timed once.

    python -m benchmarks.ledger [--few 1000] [--rows 5000000] [--calls 500] [--rounds 9] [--random-ids]
"""

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import BudgetExceededError
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Attempt, CacheState, CostSource, Outcome, Usage
from orchestrator.ledger.budgets import BudgetSettings, Limits
from orchestrator.ledger.ledger import HoldRequest, Ledger, RequestRecord
from orchestrator.ledger.opening import LedgerSettings, open_ledger
from orchestrator.ledger.reader import LedgerReader
from orchestrator.ledger.records import new_operation_id
from orchestrator.ledger.verify import verify

AIM_RATIO = 1.2
USERS = 1000
BOUND, COST = 2_000_000, 300_000
LIMITS = [
    {"scope": "all", "request": 1, "day": 1_000_000, "month": 10_000_000},
    {"scope": "tenant:*", "day": 1_000_000},
    {"scope": "tenant:poor", "day": 0.0001},
]

NewId = Callable[[datetime], str]
Act = Callable[[Ledger, int, NewId], None]


def scopes_of(number: int, tenant: str | None = None) -> tuple[str, ...]:
    """Return the five scopes of a call, as the orchestrator names them."""
    tenant = tenant or f"t{number % 20}"
    return ("all", f"tenant:{tenant}", "use_case:bulk", f"user:{number % USERS}", "provider:openai")


def made(path: Path) -> Ledger:
    """Return a ledger at `path`, its file made."""
    ledger = open_ledger(
        LedgerSettings(path=str(path)),
        limits=Limits(BudgetSettings.model_validate({"limits": LIMITS})),
        clock=SystemClock(),
    )
    ledger.check_writable()
    return ledger


def fill(path: Path, rows: int, *, random_ids: bool) -> None:
    """Write `rows` requests of one attempt each over the last year, with their counters."""
    moments = [datetime.now(UTC) - timedelta(days=back) for back in range(1, 366)]
    # As `new_operation_id` makes them, in SQL, where millions take seconds.
    new_id = "ms || '7' || substr(hex(randomblob(2)), 2) || '8' || substr(hex(randomblob(8)), 2)"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -262144")
        connection.execute("BEGIN")
        connection.execute("CREATE TEMP TABLE days (number INTEGER PRIMARY KEY, ms, at, day, month)")
        connection.executemany(
            "INSERT INTO days VALUES (?,?,?,?,?)",
            (
                (number, f"{int(one.timestamp() * 1000):012x}", one.isoformat(), f"{one:%Y-%m-%d}", f"{one:%Y-%m}")
                for number, one in enumerate(moments)
            ),
        )  # fmt: skip
        connection.execute("CREATE TEMP TABLE callers (number INTEGER PRIMARY KEY, scopes)")
        connection.executemany(
            "INSERT INTO callers VALUES (?,?)",
            ((number, '["' + '","'.join(scopes_of(number)) + '"]') for number in range(USERS)),
        )
        connection.execute(
            "CREATE TEMP TABLE made AS WITH RECURSIVE numbers (i) AS"  # noqa: S608 -- our own text
            " (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < ?)"
            f" SELECT lower({'hex(randomblob(16))' if random_ids else new_id}) AS id, at, day, month, scopes"
            " FROM numbers CROSS JOIN days ON days.number = i % 365"
            f" CROSS JOIN callers ON callers.number = i % {USERS}",
            (rows,),
        )
        # In the order of their keys: the file grows as it would, and the filling takes minutes less.
        connection.execute(
            "INSERT INTO attempts (operation_id, number, day, month, scopes, deployment, provider, model, outcome,"
            " failure, status, started_at, latency_ms, first_token_ms, input_tokens, output_tokens,"
            " cached_input_tokens, cache_write_tokens, reasoning_tokens, tokens_estimated, held_nusd, cost_nusd,"
            " cost_source, price_version, upstream_id) SELECT id, 1, day, month, scopes, 'openai/m', 'openai', 'm', 'succeeded', NULL, NULL,"
            " at, 900, NULL, 120, 80, 0, 0, 0, 0, ?, ?, 'price_book', 'book@2026-11-09',"
            " 'chatcmpl-' || id FROM made ORDER BY id",
            (BOUND, COST),
        )
        connection.execute(
            "INSERT INTO operations (id, started_at, day, month, tenant, use_case, user, tags, outcome, error, cached,"
            " degraded, deployment, provider, model, attempts, input_tokens, output_tokens, cost_nusd, latency_ms)"
            " SELECT id, at, day, month, 't1', 'bulk', NULL, '[]', 'succeeded', NULL, 'miss', NULL,"
            " 'openai/m', 'openai', 'm', 1, 120, 80, ?, 950 FROM made ORDER BY id",
            (COST,),
        )
        connection.execute(
            "INSERT INTO counters (scope, period, spent_nusd, held_nusd) SELECT value, period, SUM(cost), 0 FROM"
            " (SELECT scopes, day AS period, COUNT(*) * :cost AS cost FROM made GROUP BY 1, 2"
            " UNION ALL SELECT scopes, month, COUNT(*) * :cost FROM made GROUP BY 1, 2), json_each(scopes)"
            " GROUP BY value, period",
            {"cost": COST},
        )
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def claim_of(identity: str, scopes: tuple[str, ...]) -> HoldRequest:
    """Return the claim of one send."""
    return HoldRequest(identity, 1, "openai/m", "openai", "m", scopes, NanoUsd(BOUND), "book@2026-11-09")


def book(ledger: Ledger, number: int, new_id: NewId) -> None:
    """Hold, settle and close one request."""
    identity = new_id(datetime.now(UTC))
    hold = ledger.hold(claim_of(identity, scopes_of(number)))
    usage = Usage(120, 80)
    ledger.settle(
        hold,
        Attempt(
            1, "openai/m", "openai", "m", Outcome.SUCCEEDED, usage=usage, cost_nusd=NanoUsd(COST),
            cost_source=CostSource.PRICE_BOOK, upstream_id=f"chatcmpl-{identity}",
        ),
    )  # fmt: skip
    ledger.record_request(
        RequestRecord(
            identity, hold.held_at, f"t{number % 20}", "bulk", None, (), Outcome.SUCCEEDED, None, CacheState.MISS,
            None, "openai/m", "openai", "m", 1, usage, NanoUsd(COST), 0.95,
        )
    )  # fmt: skip


def refuse(ledger: Ledger, number: int, new_id: NewId) -> None:
    """Ask for more than a tenant has."""
    try:
        ledger.hold(claim_of(new_id(datetime.now(UTC)), scopes_of(number, "poor")))
    except BudgetExceededError:
        return
    raise AssertionError("a hold above its limit was not refused")


ACTS: dict[str, Act] = {"booking": book, "refusal": refuse}


def timed(act: Act, ledger: Ledger, new_id: NewId, *, calls: int) -> tuple[float, float]:
    """Return the median and the mean of `calls` calls, in microseconds; the mean has the checkpoints in it."""
    taken_s = []
    for number in range(calls):
        began_s = time.perf_counter()
        act(ledger, number, new_id)
        taken_s.append(time.perf_counter() - began_s)
    return 1e6 * statistics.median(taken_s), 1e6 * statistics.fmean(taken_s)


def compare(what: str, few: Ledger, many: Ledger, new_id: NewId, *, calls: int, rounds: int) -> None:
    """Ask both in turn and print what it cost; the first round warms up and is not counted."""
    taken: dict[str, list[tuple[float, float]]] = {"few": [], "many": []}
    for round_number in range(rounds + 1):
        order = [("few", few), ("many", many)]
        for name, ledger in order if round_number % 2 else reversed(order):
            measured = timed(ACTS[what], ledger, new_id, calls=calls)
            if round_number:
                taken[name].append(measured)
    for name, rounds_taken in taken.items():
        median, mean = (statistics.median(column) for column in zip(*rounds_taken, strict=True))
        print(f"  {what}, {name:4} rows: median {median:7.1f} us, mean with checkpoints {mean:7.1f} us")
    for place, measure in enumerate(("median", "mean")):
        ratios = sorted(m[place] / f[place] for f, m in zip(taken["few"], taken["many"], strict=True))
        print(
            f"  {what}, ratio of {measure}s {statistics.median(ratios):.3f} ({ratios[0]:.3f}..{ratios[-1]:.3f})",
            flush=True,
        )


def main() -> int:
    """Measure and print; return 0 whatever the numbers are, for they are read by people."""
    parser = argparse.ArgumentParser(description="a booking and a refusal beside few and many rows")
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=5_000_000, help="up to 10000000; 0.6 GB a million")
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--folder", type=Path, default=None, help="where the files are made, a local disk")
    parser.add_argument("--random-ids", action="store_true", help="ids as they should not be, to compare")
    options = parser.parse_args()
    new_id: NewId = (lambda _: uuid.uuid4().hex) if options.random_ids else new_operation_id
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        few, many = made(Path(folder) / "few.sqlite3"), made(Path(folder) / "many.sqlite3")
        began_s = time.perf_counter()
        for ledger, rows in ((few, options.few), (many, options.rows)):
            ledger.close()
            fill(Path(ledger.location), rows, random_ids=options.random_ids)
        print(
            f"{options.few:,} and {options.rows:,} requests, {Path(many.location).stat().st_size / 1e6:,.0f} MB, "
            f"filled in {time.perf_counter() - began_s:.0f} s; {options.calls} calls a round, {options.rounds} rounds",
            flush=True,
        )
        for what in ACTS:
            compare(what, few, many, new_id, calls=options.calls, rounds=options.rounds)
        began_s = time.perf_counter()
        with LedgerReader(Path(many.location)) as reader:
            found = verify(reader, now=datetime.now(UTC))
        print(
            f"  verify: {time.perf_counter() - began_s:.1f} s, counters right: {found.counters_are_right}, "
            f"unequal requests: {len(found.unequal_operations)}"
        )
        few.close()
        many.close()
    print(f"aim: a ratio of at most {AIM_RATIO}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
