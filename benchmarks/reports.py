"""Reports: their time beside a raw sum of the same rows, how right forecasts are, and what waste they name.

python -m benchmarks.reports [--rows 1000000] [--rounds 3] [--worlds 200]
"""

import argparse
import multiprocessing
import random
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from benchmarks.ledger import fill, made
from orchestrator.ledger.reader import LedgerReader
from orchestrator.reports.forecast import forecasts
from orchestrator.reports.prompt_sums import read_prompt_sums
from orchestrator.reports.recommendations import recommendations
from orchestrator.reports.span import Span
from orchestrator.reports.usage_report import EVERYBODY, usage_report
from orchestrator.reports.usage_sums import read_sums
from tests.support.planted_traffic import SUBJECTS, TODAY, Traffic, configured


def timed_s(act: Callable[[], object]) -> float:
    """Return how long a call took."""
    began_s = time.perf_counter()
    act()
    return time.perf_counter() - began_s


def filled(path: Path, rows: int) -> None:
    """Write a year of requests, each with the fingerprints of a prompt of its own."""
    made(path).close()
    fill(path, rows, random_ids=False)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO prompts SELECT id, randomblob(8), randomblob(8), 12288, 0 FROM operations ORDER BY id"
        )


def whole_report(path: Path, span: Span, today: date) -> None:
    """Count all that a report shows."""
    view = LedgerReader(path)
    usage_report(view, span, today=today)
    with view:
        read_prompt_sums(view, EVERYBODY.over(span))


def report_beside_a_raw_sum(path: Path, rounds: int) -> None:
    """Print the time of a year's report, of which every row is read, and its ratio to a raw sum."""
    today = datetime.now(UTC).date()
    span = Span(today - timedelta(days=366), today)
    ratios, taken_s = [], []
    for _ in range(rounds):
        with closing(sqlite3.connect(path)) as connection:
            raw_s = timed_s(
                lambda c=connection: c.execute(
                    "SELECT SUM(cost_nusd), SUM(latency_ms) FROM attempts"
                ).fetchall()
            )
        taken_s.append(timed_s(lambda: whole_report(path, span, today)))
        ratios.append(taken_s[-1] / raw_s)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"  report: {statistics.median(taken_s):.1f} s, {statistics.median(ratios):.0f} times a raw sum "
        f"({min(ratios):.0f}..{max(ratios):.0f}), peak memory {peak_mb:.0f} MB",
        flush=True,
    )


def coverage(worlds: int) -> None:
    """Print how often the truth of a held-out day and month lay in the 90 % interval."""
    today, inside = date(2026, 11, 18), {"day": 0, "month": 0}
    for seed in range(worlds):
        chance = random.Random(seed)  # noqa: S311 -- invented days
        noise, trend = chance.choice((0.05, 0.15, 0.4)), chance.uniform(-0.005, 0.005)
        days = [date(2026, 11, 30) - timedelta(days=back) for back in range(75)]
        world = {
            day: round(
                1e9 * (0.33 if day.weekday() > 4 else 1) * (1 + trend) ** (day - today).days
                * chance.lognormvariate(0, noise)
            )
            for day in days
        }  # fmt: skip
        day, month = forecasts({when: cost for when, cost in world.items() if when < today}, today)
        whole = sum(cost for when, cost in world.items() if when.month == today.month)
        inside["day"] += day.interval.low <= world[today] <= day.interval.high
        inside["month"] += month.interval.low <= whole <= month.interval.high
    shares = ", ".join(f"{name} {count / worlds:.3f}" for name, count in inside.items())
    print(f"  forecast, coverage of the 90 % interval over {worlds} worlds: {shares}", flush=True)


def precision_and_recall(folder: Path, ledgers: int) -> None:
    """Print how much of the planted waste is named, and how much of what is named was planted."""
    span = Span.of_month("2026-11")
    days = [str(day) for day in span.until(TODAY).days()]
    named = planted = right = 0
    for seed in range(ledgers):
        chance = random.Random(seed)  # noqa: S311 -- invented waste
        # Every third ledger is clean.
        wastes = frozenset(
            (kind, chance.choice(names))
            for kind, names in SUBJECTS.items()
            if seed % 3 and chance.random() < 0.7
        )
        path = folder / f"planted{seed}.sqlite3"
        Traffic(path, seed, wastes).write()
        with LedgerReader(path) as view:
            sums = read_sums(view, EVERYBODY.over(span), durations=False)
            prompts = read_prompt_sums(view, EVERYBODY.over(span))
        changes = recommendations(sums, prompts, configured(wastes), days)
        shown = {(change.kind.value, change.subject) for change in changes}
        named, planted, right = named + len(shown), planted + len(wastes), right + len(shown & wastes)
    print(
        f"  recommendations over {ledgers} ledgers: {planted} wastes planted, {named} named, {right} rightly; "
        f"precision {right / max(1, named):.3f}, recall {right / max(1, planted):.3f}"
    )


def main() -> int:
    """Measure and print; return 0 whatever the numbers are, for they are read by people."""
    parser = argparse.ArgumentParser(description="reports: time, coverage, precision and recall")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--ledgers", type=int, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.sqlite3"
        # In a process of its own: what filling takes is no memory of a report.
        filling = multiprocessing.get_context("spawn").Process(target=filled, args=(path, options.rows))
        filling.start()
        filling.join()
        print(f"{options.rows:,} requests of one send each, in a year", flush=True)
        report_beside_a_raw_sum(path, options.rounds)
        coverage(options.worlds)
        precision_and_recall(Path(folder), options.ledgers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
