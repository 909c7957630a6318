"""On a disk that is full or fails nothing acknowledged is lost, and nothing is sent that was not booked.

libfiu lets the system calls of SQLite fail, in the real processes that book. That it really did is
counted and asserted: a proof without a fault would prove nothing.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import booking
import failing_disk

ROOT = Path(__file__).parents[2]


def test_system_calls_that_fail_lose_nothing_and_every_error_says_what_to_do(fiu_run, tmp_path):
    """What errors say is judged by the program, at each of them; a child with another error fails it."""
    done = subprocess.run(
        [fiu_run, "-x", "-f", "", sys.executable, str(ROOT / "tests/proof/failing_disk.py"), str(tmp_path), "5"],
        capture_output=True, text=True, check=False, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    injected = json.loads(done.stdout)
    assert injected["posix/io/rw/pwrite"] > 200, injected
    assert injected["posix/io/rw/pwrite/reduce"] > 200, injected
    assert injected.get("posix/io/sync/fdatasync", 0) + injected.get("posix/io/sync/fsync", 0) > 4, injected
    assert min(injected[kind] for kind in ("failed full", "failed broken", "died dead")) > 20, injected

    path, diary = tmp_path / "ledger.sqlite3", tmp_path / "diary"
    assert len(booking.Diary.read(diary, "error")) > 200
    booking.assert_balanced(path)
    booking.assert_kept(path, diary)
    # A send is there, as an attempt or still held, and nothing is there that was not sent: the hold of a
    # send that failed was undone, but for that of a process that died before it could note its own.
    sent = {name for name, _ in booking.Diary.read(diary, "sent")}
    found = {
        name
        for (name,) in booking.rows(
            path, "SELECT operation_id FROM holds UNION SELECT operation_id FROM attempts"
        )
    }
    assert sent <= found
    assert {name for name in found - sent if not name.startswith("dead-")} == set()
    booking.assert_orphans_settle_once(path, failing_disk.LIMITS)
