"""Reports: their time beside a raw sum of the same rows, how right forecasts are, and what waste they name.

python -m benchmarks.reports [--rows 10000000] [--rounds 3] [--worlds 200] [--folder DIR]
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

from benchmarks.ledger import made
from orchestrator.core.clock import SystemClock
from orchestrator.ledger.closed_days import sum_closed_days
from orchestrator.ledger.reader import LedgerReader
from orchestrator.ledger.sqlite.store import SqliteStore
from orchestrator.reports.forecast import forecasts
from orchestrator.reports.prompt_sums import read_prompt_sums
from orchestrator.reports.recommendations import recommendations
from orchestrator.reports.span import Span
from orchestrator.reports.usage_report import EVERYBODY, Filter, usage_report
from orchestrator.reports.usage_sums import read_sums
from tests.support.planted_traffic import SUBJECTS, TODAY, Traffic, configured

DAYS = 30
COLD_ROWS_MAX = 1_000_000
"""With more rows, reading all of them for one report is left out: it takes some 70 us for each."""


def cpu_s(act: Callable[[], object]) -> float:
    """Return how many seconds of a processor a call took: a busy machine makes no difference."""
    began_s = time.process_time()
    act()
    return time.process_time() - began_s


_MOMENTS = [datetime.now(UTC) - timedelta(days=back) for back in range(DAYS)]
_NUMBERS = "WITH RECURSIVE numbers (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < ?)"
_TRAFFIC = (
    f"CREATE TEMP TABLE traffic AS {_NUMBERS} SELECT days.*, i, abs(random()) % 20 AS tenant,"  # noqa: S608 -- our own text
    " abs(random()) % 12 AS use_case, abs(random()) % 50 AS user, abs(random()) % 16 AS model, (i % 37 = 0) AS failed,"
    " 80 + abs(random()) % 400 * (1 + abs(random()) % 40) AS ms,"
    " stamp || printf('%06x', i) || '78' || substr(hex(randomblob(6)), 1, 12) AS id"
    f" FROM numbers CROSS JOIN days ON days.number = i / (? / {DAYS} + 1)"
)
_ATTEMPTS = (
    'INSERT INTO attempts SELECT id, 1, day, month, \'["all","tenant:t\' || tenant || \'","use_case:u\' || use_case ||'
    " '\",\"user:' || tenant || '-' || user || '\",\"provider:p' || (model % 4) || '\"]', 'p' || (model % 4) || '/m' || model, 'p' || (model % 4),"
    " 'm' || model, CASE WHEN failed THEN 'failed' ELSE 'succeeded' END, NULL, NULL, at, ms, ms / 3, 120 + user, 80, 0, 0, 0, 0,"
    " 2000000, 300000 + user, 'price_book', 'book@2026-11-09', 'chatcmpl-' || id, 0, '', '', '[]' FROM traffic ORDER BY id"
)
_OPERATIONS = (
    "INSERT INTO operations SELECT id, at, day, month, 't' || tenant, 'u' || use_case, tenant || '-' || user, '[]',"
    " CASE WHEN failed THEN 'failed' ELSE 'succeeded' END, NULL, 'miss', NULL, 'p' || (model % 4) || '/m' || model,"
    " 'p' || (model % 4), 'm' || model, 1, 120 + user, 80, 300000 + user, ms + 5 FROM traffic ORDER BY id"
)
_PROMPTS = "INSERT INTO prompts SELECT id, randomblob(8), randomblob(8), 12288, 0 FROM traffic ORDER BY id"


def filled(path: Path, rows: int) -> None:
    """Write a month of requests of one send each: 20 tenants, 12 use cases, 16 models, 1,000 users."""
    made(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -262144")
        connection.execute("BEGIN")
        connection.execute("CREATE TEMP TABLE days (number INTEGER PRIMARY KEY, stamp, at, day, month)")
        connection.executemany(
            "INSERT INTO days VALUES (?,?,?,?,?)",
            (
                (number, f"{int(moment.timestamp() * 1000):012x}", moment.isoformat(), f"{moment:%Y-%m-%d}", f"{moment:%Y-%m}")
                for number, moment in enumerate(_MOMENTS)
            ),
        )  # fmt: skip
        connection.execute(_TRAFFIC, (rows, rows))
        for statement in (_ATTEMPTS, _OPERATIONS, _PROMPTS):
            connection.execute(statement)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def whole_report(path: Path, today: date, of: Filter) -> None:
    """Count all that a report of a month shows; today is in it, and read from its rows."""
    view, span = LedgerReader(path), Span(today - timedelta(days=DAYS - 1), today)
    usage_report(view, span, of=of, today=today)
    with view:
        read_prompt_sums(view, of.over(span))


def summed(path: Path) -> None:
    """Sum the days that are over, as a server does after midnight and a report before it reads."""
    store = SqliteStore(path, lock_timeout_s=5, clock=SystemClock(), on_late=lambda *_: None)
    with closing(store):
        sum_closed_days(store, now=datetime.now(UTC), time_zone="UTC")


def print_report(path: Path, what: str, rounds: int, of: Filter = EVERYBODY) -> None:
    """Print the seconds of a processor that a month's report takes, and their ratio to a raw sum of the rows."""
    ratios, taken_s = [], []
    for _ in range(rounds):
        with closing(sqlite3.connect(path)) as connection:
            raw_s = cpu_s(
                lambda c=connection: c.execute(
                    "SELECT SUM(cost_nusd), SUM(latency_ms) FROM attempts"
                ).fetchall()
            )
        taken_s.append(cpu_s(lambda: whole_report(path, datetime.now(UTC).date(), of)))
        ratios.append(taken_s[-1] / raw_s)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"  {what}: {statistics.median(taken_s):.2f} s of a processor, {statistics.median(ratios):.2f} times a raw "
        f"sum ({min(ratios):.2f}..{max(ratios):.2f}), peak memory {peak_mb:.0f} MB",
        flush=True,
    )


def print_summing(path: Path) -> None:
    """Print what summing the closed days takes, once."""
    taken_s = cpu_s(lambda: summed(path))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"  summing the days that are over, once: {taken_s:.1f} s, peak memory {peak_mb:.0f} MB", flush=True
    )


def apart(act: Callable[..., None], *arguments: object) -> None:
    """Do something in a process of its own, whose memory is its own."""
    process = multiprocessing.get_context("spawn").Process(target=act, args=arguments)
    process.start()
    process.join()


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
    parser.add_argument("--rows", type=int, default=300_000, help="requests of a month; 0.8 GB a million")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--ledgers", type=int, default=12)
    parser.add_argument("--folder", type=Path, default=None, help="where the file is made, a local disk")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "many.sqlite3"
        apart(filled, path, options.rows)
        print(f"{options.rows:,} requests of one send each, in {DAYS} days", flush=True)
        if options.rows <= COLD_ROWS_MAX:
            apart(print_report, path, "a month's report, every day from its rows", 1)
        apart(print_summing, path)
        apart(print_report, path, "a month's report", options.rounds)
        apart(print_report, path, "a month's report of a tenant", options.rounds, Filter(tenant="t7"))
        coverage(options.worlds)
        precision_and_recall(Path(folder), options.ledgers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
