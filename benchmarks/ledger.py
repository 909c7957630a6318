"""What a booking costs beside a full ledger: hold, settle and close, empty and with many rows.

Two ledger files on the same disk, one empty and one filled with old requests, are booked into in
turn, so that a busy machine is busy for both; the ratio of each round is taken, and its median
and range printed. The reckoning of every counter is timed once.

    python -m benchmarks.ledger [--rows 200000] [--calls 500] [--rounds 9] [--random-ids]
"""

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.calls import Attempt, CacheState, CostSource, Outcome, Usage
from orchestrator.clock import SystemClock
from orchestrator.money import NanoUsd
from orchestrator.policy.budgets import BudgetSettings, Limits
from orchestrator.state.ledger import Claim, Ledger, LedgerSettings, Operation
from orchestrator.state.ledger_read import LedgerReader
from orchestrator.state.ledger_records import new_operation_id
from orchestrator.state.ledger_verify import verify

AIM_RATIO = 1.2
USERS = 1000
BOUND, COST = 2_000_000, 300_000
LIMITS = [
    {"scope": "all", "request": 1, "day": 1_000_000, "month": 10_000_000},
    {"scope": "tenant:*", "day": 1_000_000},
]


NewId = Callable[[datetime], str]


def scopes_of(number: int) -> tuple[str, ...]:
    """Return the five scopes of a call, as the orchestrator names them."""
    return ("all", f"tenant:t{number % 20}", "use_case:bulk", f"user:{number % USERS}", "provider:openai")


def made(path: Path) -> Ledger:
    """Return a ledger at `path`, its file made."""
    ledger = Ledger(
        LedgerSettings(path=str(path)),
        limits=Limits(BudgetSettings.model_validate({"limits": LIMITS})),
        clock=SystemClock(),
    )
    ledger.check_writable()
    return ledger


def fill(path: Path, rows: int, new_id: NewId) -> None:
    """Write `rows` requests of one attempt each over the last year, with their counters."""
    today = datetime.now(UTC)
    days = [today - timedelta(days=back) for back in range(1, 366)]
    texts = ['["' + '","'.join(scopes_of(number)) + '"]' for number in range(USERS)]

    def requests() -> Iterator[tuple[str, str, str, str, str]]:
        for number in range(rows):
            moment = days[number % len(days)]
            yield (
                new_id(moment),
                moment.isoformat(),
                f"{moment:%Y-%m-%d}",
                f"{moment:%Y-%m}",
                texts[number % USERS],
            )

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -262144")
        connection.execute("BEGIN")
        connection.execute("CREATE TEMP TABLE made (id, at, day, month, scopes)")
        connection.executemany("INSERT INTO made VALUES (?,?,?,?,?)", requests())
        # In the order of their keys: the file grows as it would, and the filling takes minutes less.
        connection.execute(
            "INSERT INTO attempts SELECT id, 1, day, month, scopes, 'openai/m', 'openai', 'm', 'succeeded', NULL, NULL,"
            " at, 900, NULL, 120, 80, 0, 0, 0, 0, ?, ?, 'price_book', 'book@2026-11-09',"
            " 'chatcmpl-' || id FROM made ORDER BY id",
            (BOUND, COST),
        )
        connection.execute(
            "INSERT INTO operations SELECT id, at, day, month, 't1', 'bulk', NULL, '[]', 'succeeded', NULL, 'miss', NULL,"
            " 'openai/m', 'openai', 'm', 1, 120, 80, ?, 950 FROM made ORDER BY id",
            (COST,),
        )
        connection.execute(
            "INSERT INTO counters SELECT value, period, SUM(cost), 0 FROM"
            " (SELECT scopes, day AS period, COUNT(*) * :cost AS cost FROM made GROUP BY 1, 2"
            " UNION ALL SELECT scopes, month, COUNT(*) * :cost FROM made GROUP BY 1, 2), json_each(scopes)"
            " GROUP BY value, period",
            {"cost": COST},
        )
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def call(ledger: Ledger, number: int, new_id: NewId) -> None:
    """Hold, settle and close one request."""
    identity = new_id(datetime.now(UTC))
    claim = Claim(
        identity, 1, "openai/m", "openai", "m", scopes_of(number), NanoUsd(BOUND), "book@2026-11-09"
    )
    hold = ledger.hold(claim)
    usage = Usage(120, 80)
    ledger.settle(
        hold,
        Attempt(
            1, "openai/m", "openai", "m", Outcome.SUCCEEDED, usage=usage, cost_nusd=NanoUsd(COST),
            cost_source=CostSource.PRICE_BOOK, upstream_id=f"chatcmpl-{identity}",
        ),
    )  # fmt: skip
    ledger.close_operation(
        Operation(
            identity, hold.held_at, f"t{number % 20}", "bulk", None, (), Outcome.SUCCEEDED, None, CacheState.MISS,
            None, "openai/m", "openai", "m", 1, usage, NanoUsd(COST), 0.95,
        )
    )  # fmt: skip


def timed(ledger: Ledger, new_id: NewId, *, calls: int) -> tuple[float, float]:
    """Return the median and the mean of `calls` calls, in microseconds; the mean has the checkpoints in it."""
    taken_s = []
    for number in range(calls):
        began_s = time.perf_counter()
        call(ledger, number, new_id)
        taken_s.append(time.perf_counter() - began_s)
    return 1e6 * statistics.median(taken_s), 1e6 * statistics.fmean(taken_s)


def compare(empty: Ledger, full: Ledger, new_id: NewId, *, calls: int, rounds: int) -> None:
    """Book into both in turn and print what it cost; the first round warms up and is not counted."""
    taken: dict[str, list[tuple[float, float]]] = {"empty": [], "full": []}
    for round_number in range(rounds + 1):
        order = [("empty", empty), ("full", full)]
        for name, ledger in order if round_number % 2 else reversed(order):
            measured = timed(ledger, new_id, calls=calls)
            if round_number:
                taken[name].append(measured)
    for name, rounds_taken in taken.items():
        median, mean = (statistics.median(column) for column in zip(*rounds_taken, strict=True))
        print(f"  {name:6} median {median:8.1f} us a call, mean with checkpoints {mean:8.1f} us")
    for place, what in enumerate(("median", "mean")):
        ratios = sorted(f[place] / e[place] for e, f in zip(taken["empty"], taken["full"], strict=True))
        print(f"  ratio of {what}s {statistics.median(ratios):.3f} ({ratios[0]:.3f}..{ratios[-1]:.3f})")


def main() -> int:
    """Measure and print; return 0 whatever the numbers are, for they are read by people."""
    parser = argparse.ArgumentParser(description="hold, settle and close in an empty and in a full ledger")
    parser.add_argument("--rows", type=int, default=200_000, help="up to 10000000")
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--folder", type=Path, default=None, help="where the files are made, a local disk")
    parser.add_argument("--random-ids", action="store_true", help="ids as they should not be, to compare")
    options = parser.parse_args()
    new_id: NewId = (lambda _: uuid.uuid4().hex) if options.random_ids else new_operation_id
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        empty, full = made(Path(folder) / "empty.sqlite3"), made(Path(folder) / "full.sqlite3")
        full.close()
        began_s = time.perf_counter()
        fill(full.path, options.rows, new_id)
        print(
            f"{options.rows:,} requests, {full.path.stat().st_size / 1e6:,.0f} MB, "
            f"filled in {time.perf_counter() - began_s:.0f} s; {options.calls} calls a round, {options.rounds} rounds"
        )
        compare(empty, full, new_id, calls=options.calls, rounds=options.rounds)
        began_s = time.perf_counter()
        with LedgerReader(full.path) as reader:
            found = verify(reader, now=datetime.now(UTC))
        print(
            f"  verify: {time.perf_counter() - began_s:.1f} s, counters right: {found.counters_are_right}, "
            f"unequal requests: {len(found.unequal_operations)}"
        )
        empty.close()
        full.close()
    print(f"aim: a ratio of at most {AIM_RATIO}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
