"""Whether a file is the one that running processes book into is told from outside, while they run."""

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.ledger.sqlite.strays import strays_of


@pytest.fixture
def used(books, tmp_path):
    """A ledger that a process, this one, has open, and a backup of it from before the last booking."""
    books.send("before", 300)
    with (
        closing(sqlite3.connect(books.path)) as source,
        closing(sqlite3.connect(tmp_path / "backup")) as copy,
    ):
        source.backup(copy)
    for name in ("after", "checkpointed", "last"):
        books.send(name, 300)
        with closing(sqlite3.connect(books.path)) as other:
            other.execute("PRAGMA wal_checkpoint(PASSIVE)")
    books.send("in the log", 300)
    return books


def test_nothing_speaks_against_a_ledger_in_use_nor_against_one_that_was_closed(used, clock):
    assert strays_of(used.path, clock=clock) == ()
    used.ledger.close()
    assert strays_of(used.path, clock=clock) == ()


def test_an_older_copy_over_a_ledger_in_use_is_told(used, tmp_path, clock):
    # In a process of its own: to close a file here drops the locks that SQLite has on it.
    subprocess.run(["cp", tmp_path / "backup", used.path], check=True)
    (doubt,) = strays_of(used.path, clock=clock)
    assert "an older copy, or another ledger, was copied over it" in doubt
    assert "ledger restore" in doubt


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="Linux alone shows what others have open")
def test_processes_that_book_into_a_replaced_file_are_named(used, tmp_path, clock):
    (tmp_path / "backup").replace(used.path)
    told = "\n".join(strays_of(used.path, clock=clock))
    assert f"process {os.getpid()} opened one of this name that was deleted or replaced" in told


def test_where_no_processes_can_be_seen_nothing_is_told_of_them(used, tmp_path, clock):
    used.ledger.close()
    used.path.unlink()
    (tmp_path / "backup").replace(used.path)
    assert strays_of(used.path, clock=clock, processes=tmp_path / "nowhere") == ()
