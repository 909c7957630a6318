"""Days, months and years end, and clocks are put forward and back, while money is held.

Real processes under libfaketime. The file notes at each admission what its counters then say, so the
limit of the old day and of the new one are judged hold by hold.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import booking
import edge_of_time
import pytest

from orchestrator.ledger.budgets import period_of

ROOT = Path(__file__).parents[2]
HO_CHI_MINH, BERLIN, NEW_YORK = "Asia/Ho_Chi_Minh", "Europe/Berlin", "America/New_York"
EDGES = {
    "month-end": (HO_CHI_MINH, ["2026-10-31 16:59:58"], ["2026-10-31", "2026-11-01"]),
    "year-end": (HO_CHI_MINH, ["2026-12-31 16:59:58"], ["2026-12-31", "2027-01-01"]),
    "end-of-a-day-of-25-hours": (BERLIN, ["2026-10-25 22:59:58"], ["2026-10-25", "2026-10-26"]),
    "end-of-a-day-of-23-hours": (BERLIN, ["2026-03-29 21:59:58"], ["2026-03-29", "2026-03-30"]),
    "clocks-put-back": (NEW_YORK, ["2026-11-01 05:59:58"], ["2026-11-01"]),
    "clocks-put-forward": (NEW_YORK, ["2026-03-08 06:59:58"], ["2026-03-08"]),
    "jumps": (
        HO_CHI_MINH,
        ["2026-11-30 16:59:58", "2026-11-30 10:00:00", "2027-02-28 16:59:58"],
        ["2026-11-30", "2026-12-01", "2027-02-28", "2027-03-01"],
    ),
}
"""By name: the zone, the moments the clock is set to (UTC), and the days in which then must be held."""


@pytest.fixture(scope="module")
def clocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list["subprocess.Popen[str]"]]:
    """Two processes, each with a clock of its own, that book in one ledger after another."""
    folder = tmp_path_factory.mktemp("clocks")
    processes = [start(folder, name) for name in ("one", "two")]
    yield processes
    for process in processes:
        process.communicate(timeout=300)


def start(folder: Path, name: str) -> "subprocess.Popen[str]":
    """Start a process with a clock of its own."""
    spec = find_spec("libfaketime")
    assert spec is not None
    assert spec.origin is not None
    library = Path(spec.origin).parent / "vendor/libfaketime/src/libfaketime.so.1"
    clock = folder / f"clock-{name}"
    clock.write_text("@2026-01-15 12:00:00\n")
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tests/proof/edge_of_time.py"), name],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={
            **os.environ, "PYTHONPATH": str(ROOT), "TZ": "UTC", "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        },
    )  # fmt: skip


@pytest.mark.parametrize("edge", EDGES)
def test_the_limits_of_both_days_hold_and_each_booking_is_in_the_day_of_its_hold(edge, tmp_path, clocked):
    zone, moments, days = EDGES[edge]
    path, diary, limits = tmp_path / "ledger.sqlite3", tmp_path / "diary", edge_of_time.limits_in(zone)
    booking.open_ledger(path, limits).check_writable()
    booking.audit(path)
    order = json.dumps({"folder": str(tmp_path), "zone": zone, "moments": moments})
    for process in clocked:
        process.stdin.write(f"{order}\n")
        process.stdin.flush()
    for process in clocked:
        answer = process.stdout.readline()
        assert answer == "booked\n", answer + process.communicate(timeout=300)[0]
    held = booking.Diary.read(diary, "held")
    assert sorted({day for _, day, _ in held}) == days, "no hold on one side of the edge"
    assert booking.Diary.read(diary, "refused"), "no limit was reached"
    assert booking.over_limit(path, limits) == []
    booking.assert_balanced(path)
    booking.assert_kept(path, diary)
    # The windows are those of the moment of the hold, whenever it was settled.
    booked = booking.rows(path, "SELECT operation_id, day, month, started_at FROM attempts")
    assert {(name, day, month) for name, day, month, _ in booked} == set(held)
    wrong = [one for one in booked if period_of(datetime.fromisoformat(one[3]), zone).day != one[1]]
    assert wrong == []
