"""Runs are found by their name, and forgotten a few at a time."""

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

from orchestrator.core.clock import SystemClock
from orchestrator.ledger.sqlite import runs
from orchestrator.ledger.sqlite.store import SqliteStore
from tests.ledger.store_contract import NOON, in_run, stands


def opened(path):
    return closing(SqliteStore(path, lock_timeout_s=60, clock=SystemClock(), on_late=lambda *_: None))


def test_a_run_is_found_by_its_key_however_many_there_are(tmp_path):
    with opened(tmp_path / "ledger.sqlite3") as store:
        plan = store.file.read(
            lambda connection: connection.execute(
                f"EXPLAIN QUERY PLAN {runs._STANDING}", ("a", "r")
            ).fetchall()
        )
    assert "USING INDEX" in plan[0][3]


def test_of_many_runs_that_nobody_uses_a_few_are_forgotten_with_each_that_begins(tmp_path):
    with opened(tmp_path / "ledger.sqlite3") as store:
        for number in range(runs._FORGOTTEN_MAX + 5):
            store.hold(in_run(f"old-{number}", operation=f"{number}", bound=0))
        later = NOON + runs.RUN_KEPT_FOR + timedelta(seconds=1)
        for number in range(2):
            store.hold(in_run(f"new-{number}", operation=f"new-{number}", moment=later, bound=1))
            left = sum(stands(store, f"old-{old}") is not None for old in range(runs._FORGOTTEN_MAX + 5))
            assert left == (5, 0)[number]
        assert stands(store, "new-0") == (None, 0, 1)


def test_a_run_keeps_its_number_and_another_of_its_name_has_a_new_one(tmp_path):
    with opened(tmp_path / "ledger.sqlite3") as store:
        first = store.hold(in_run("r", operation="first", bound=0))
        again = store.hold(in_run("r/part", operation="again", bound=0))
        later = NOON + runs.RUN_KEPT_FOR + timedelta(seconds=1)
        store.hold(in_run("other", operation="other", moment=later, bound=0))
        anew = store.hold(in_run("r", operation="anew", moment=later, bound=0))
    assert first.runs == again.runs[:1]
    assert anew.runs[0] > max(again.runs)
    assert replace(anew.request, run=None) != anew.request
