"""Reserve and settle pairs a second, beside raw SQLite doing the least that could be right.

The reference is what a careful programmer would write by hand for this one table: in one immediate
transaction raise the counters of three scopes for the day and the month and insert a hold, in another
lower them, delete the hold and insert a row. It checks no limit. Both write to files on the same disk, in turns, in the same run. Then four processes book at once
into one file: their pairs a second together, and how long the slowest in a hundred waited.

    python -m benchmarks.bookings [--pairs 1000] [--rounds 9] [--processes 4] [--profile]
"""

import argparse
import cProfile
import os
import pstats
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.stage import Child, answer_orders
from orchestrator.core.clock import SystemClock
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Attempt, CostSource, Outcome, Usage
from orchestrator.ledger.budgets import BudgetSettings, Limits
from orchestrator.ledger.ledger import HoldRequest
from orchestrator.ledger.opening import LedgerSettings, open_ledger
from orchestrator.ledger.records import new_operation_id

AIM_RATIO = 2.0
AIM_P99 = 3.0
PAUSE_S = 0.01
BOUND, COST = 2_000_000, 300_000
SCOPES = ("all", "tenant:acme", "provider:openai")
LIMITS = [
    {"scope": "all", "request": 1, "day": 1_000_000, "month": 10_000_000},
    {"scope": "tenant:*", "day": 1_000_000},
]
SCHEMA = """
CREATE TABLE IF NOT EXISTS counters (period TEXT, scope TEXT, spent INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (period, scope)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holds (id INTEGER PRIMARY KEY, operation TEXT, held INTEGER);
CREATE TABLE IF NOT EXISTS attempts (operation TEXT, number INTEGER, cost INTEGER,
    PRIMARY KEY (operation, number)) WITHOUT ROWID;
"""

Pair = Callable[[], None]
"""Holds and settles once."""


def ours(path: Path) -> Pair:
    """Return a pair of the ledger's."""
    ledger = open_ledger(
        LedgerSettings(path=str(path), lock_timeout_s=30),
        limits=Limits(BudgetSettings.model_validate({"limits": LIMITS})),
        clock=SystemClock(),
    )
    ledger.check_writable()
    usage = Usage(120, 80)
    attempt = Attempt(
        1, "openai/m", "openai", "m", Outcome.SUCCEEDED, usage=usage, cost_nusd=NanoUsd(COST),
        cost_source=CostSource.PRICE_BOOK, upstream_id="chatcmpl-1",
    )  # fmt: skip

    def pair() -> None:
        claim = HoldRequest(
            new_operation_id(datetime.now(UTC)), 1, "openai/m", "openai", "m", SCOPES, NanoUsd(BOUND), "book@2026-11-09"
        )  # fmt: skip
        ledger.settle(ledger.hold(claim), attempt)

    return pair


def raw(path: Path) -> Pair:
    """Return a pair of plain SQLite, with the settings and the way of waiting that the ledger has."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    patiently(lambda: connection.execute("PRAGMA journal_mode = WAL"))
    connection.execute("PRAGMA synchronous = NORMAL")
    patiently(lambda: connection.executescript(SCHEMA))
    windows = (f"{datetime.now(UTC):%Y-%m-%d}", f"{datetime.now(UTC):%Y-%m}")

    def pair() -> None:
        operation = new_operation_id(datetime.now(UTC))
        patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
        connection.execute(
            "INSERT INTO counters (period, scope, held) VALUES"
            " (?1,?3,?6),(?1,?4,?6),(?1,?5,?6),(?2,?3,?6),(?2,?4,?6),(?2,?5,?6)"
            " ON CONFLICT DO UPDATE SET held = held + excluded.held",
            (*windows, *SCOPES, BOUND),
        )
        hold = connection.execute(
            "INSERT INTO holds (operation, held) VALUES (?,?)", (operation, BOUND)
        ).lastrowid
        connection.execute("COMMIT")
        patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
        connection.execute(
            "UPDATE counters SET held = held - ?, spent = spent + ? WHERE period IN (?,?) AND scope IN (?,?,?)",
            (BOUND, COST, *windows, *SCOPES),
        )
        connection.execute("DELETE FROM holds WHERE id = ?", (hold,))
        connection.execute("INSERT INTO attempts VALUES (?,1,?)", (operation, COST))
        connection.execute("COMMIT")

    return pair


SUBJECTS: dict[str, Callable[[Path], Pair]] = {"raw": raw, "ours": ours}


def patiently(work: Callable[[], object]) -> None:
    """Do `work` again and again while another process holds the file."""
    while True:
        try:
            work()
            return
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(random.uniform(0.0001, 0.002))  # noqa: S311 -- no secret


def timed(pair: Pair, pairs: int, pause_s: float = 0.0) -> list[float]:
    """Return how long each of `pairs` pairs took, in microseconds; pauses between them are random."""
    taken_us = []
    for _ in range(pairs):
        if pause_s:
            time.sleep(random.expovariate(1 / pause_s))
        began_s = time.perf_counter()
        pair()
        taken_us.append(1e6 * (time.perf_counter() - began_s))
    return taken_us


def alone(folder: Path, *, pairs: int, rounds: int) -> float:
    """Compare one process of each, in turns; return the median of ours in microseconds."""
    subjects = {name: make(folder / f"{name}.sqlite3") for name, make in SUBJECTS.items()}
    taken: dict[str, list[list[float]]] = {name: [] for name in subjects}
    for number in range(rounds + 1):
        order = list(subjects) if number % 2 else list(reversed(subjects))
        for name in order:
            measured = timed(subjects[name], pairs)
            if number:  # the first warms up
                taken[name].append(measured)
    print("1 process            pairs a second   median us     p99 us")
    for name, measured in taken.items():
        tell(name, [one for each in measured for one in each], processes=1)
    ratios = sorted(
        statistics.median(o) / statistics.median(r) for o, r in zip(taken["ours"], taken["raw"], strict=True)
    )
    ratio = statistics.median(ratios)
    print(f"  ratio of medians {ratio:.2f} ({ratios[0]:.2f}..{ratios[-1]:.2f}); aim at most {AIM_RATIO:g}\n")
    return statistics.median(one for each in taken["ours"] for one in each)


def together(folder: Path, *, processes: int, pairs: int, rounds: int, alone_us: float) -> None:
    """Have several processes book into one file, ours and raw in turns: as fast as they can, then at a pace."""
    with ExitStack() as running:
        children = {
            name: [
                running.enter_context(
                    Child("benchmarks.bookings", "--subject", name, "--folder", str(folder))
                )
                for _ in range(processes)
            ]
            for name in SUBJECTS
        }
        for each in children.values():
            for child in each:
                child.wait_ready()
        for each in children.values():
            booked(each, pairs, pause_s=0.0)  # warms up
        for pause_s in (0.0, PAUSE_S):
            taken: dict[str, list[float]] = {name: [] for name in children}
            for _ in range(rounds):
                for name, each in children.items():
                    taken[name] += booked(each, pairs, pause_s=pause_s)
            pace = f"about {processes / pause_s:,.0f} pairs a second" if pause_s else "as fast as they can"
            tell_waits(f"{processes} processes, {pace}", taken, alone_us)


def tell_waits(title: str, taken: dict[str, list[float]], alone_us: float) -> None:
    """Print what several processes at once took."""
    print(f"{title:42} median us     p99 us   p99 / median of one process of ours")
    slowest = {name: percentile(measured, 0.99) for name, measured in taken.items()}
    for name, measured in taken.items():
        print(
            f"  {name:40} {statistics.median(measured):9.1f} {slowest[name]:10.1f} {slowest[name] / alone_us:10.1f}"
        )
    print(f"  p99 of ours / p99 of raw SQLite {slowest['ours'] / slowest['raw']:.2f}", flush=True)


def booked(children: list[Child], pairs: int, *, pause_s: float) -> list[float]:
    """Return how long each pair of all processes took, in microseconds."""
    for child in children:
        child.send((pairs, pause_s))
    return [one for child in children for one in child.receive()]


def tell(name: str, taken_us: list[float], *, processes: int) -> None:
    """Print one line."""
    rate = processes * 1e6 / statistics.fmean(taken_us)
    print(
        f"  {name:17} {rate:15,.0f} {statistics.median(taken_us):11.1f} {percentile(taken_us, 0.99):10.1f}",
        flush=True,
    )


def percentile(values: list[float], part: float) -> float:
    """Return the value that `part` of all are not above."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def profiled(folder: Path, pairs: int) -> None:
    """Print where the time of ours goes."""
    pair = ours(folder / "ours.sqlite3")
    timed(pair, pairs)
    profile = cProfile.Profile()
    profile.runcall(timed, pair, pairs)
    pstats.Stats(profile).sort_stats("tottime").print_stats(22)


def main() -> int:
    """Measure and print; return 0 whatever the numbers are, for they are read by people."""
    parser = argparse.ArgumentParser(description="hold and settle beside raw SQLite")
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--profile", action="store_true", help="say where the time of ours goes instead")
    parser.add_argument("--folder", type=Path, default=None, help="where the files are made, a local disk")
    parser.add_argument("--subject", choices=SUBJECTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.subject:
        pair = SUBJECTS[options.subject](options.folder / f"{options.subject}-shared.sqlite3")
        answer_orders(lambda order: timed(pair, *order))
        return 0
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        if options.profile:
            profiled(Path(folder), options.pairs)
            return 0
        alone_us = alone(Path(folder), pairs=options.pairs, rounds=options.rounds)
        together(
            Path(folder), processes=options.processes, pairs=options.pairs // 4, rounds=options.rounds, alone_us=alone_us
        )  # fmt: skip
    print(f"aim: p99 / median of one process at most {AIM_P99:g}; {os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
