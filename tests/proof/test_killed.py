"""A process may be killed at any moment: what the ledger acknowledged is in it, and its sums are right."""

import json
import os
import subprocess
import sys
from pathlib import Path

import booking
import commit_edges
import kill_storm

ROOT = Path(__file__).parents[2]
KILLS = 1000


def run(program: str, *arguments: object) -> dict[str, int]:
    """Run one of the programs beside this file, light and alone, and return what it counted."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "proof" / program), *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=800, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_thousand_kills_at_random_moments_lose_nothing_and_pass_no_limit(tmp_path):
    """Four processes at a time book on one file, now and then one reconciles, and each is killed."""
    killed = run("kill_storm.py", tmp_path, KILLS, 3)
    assert sum(killed.values()) >= KILLS
    assert killed["reconciler"] > KILLS // 50
    path, diary = tmp_path / "ledger.sqlite3", tmp_path / "diary"
    acknowledged = {kind: len(booking.Diary.read(diary, kind)) for kind in ("held", "settled", "reconciled")}
    assert min(acknowledged.values()) > KILLS // 20, acknowledged
    booking.assert_balanced(path)
    booking.assert_kept(path, diary)
    assert booking.rows(path, "SELECT COUNT(*) > 1000 FROM admissions") == [(1,)]
    assert booking.over_limit(path, kill_storm.LIMITS) == []
    booking.assert_runs_are_kept(path)
    assert booking.assert_orphans_settle_once(path, kill_storm.LIMITS) > 0
    booking.assert_kept(path, diary)


def test_death_right_before_or_after_any_statement_leaves_a_verb_done_or_not_begun(tmp_path):
    """Judged after every death by the program itself; in the end by what the other process had booked."""
    deaths = run("commit_edges.py", tmp_path)
    assert set(deaths) == {verb.__name__ for verb in commit_edges.VERBS}
    # BEGIN, at least one statement and COMMIT, each with two edges.
    assert min(deaths.values()) >= 6, deaths
    assert sum(deaths.values()) > 150, deaths
    path, diary = tmp_path / "ledger.sqlite3", tmp_path / "diary"
    assert len(booking.Diary.read(diary, "settled")) > 100
    booking.assert_kept(path, diary)
    assert booking.over_limit(path, commit_edges.LIMITS) == []
    booking.assert_orphans_settle_once(path, commit_edges.LIMITS)
