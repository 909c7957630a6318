"""A ledger's file that gets other or older contents is noticed before the next hold."""

import itertools
import os
import resource
import sqlite3
import subprocess
import threading
from contextlib import closing
from dataclasses import replace

import pytest

from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import LedgerError
from orchestrator.ledger.budgets import BudgetSettings, Limits
from orchestrator.ledger.opening import LedgerSettings, open_ledger
from orchestrator.ledger.sqlite import file_contents
from orchestrator.ledger.store import LedgerBusyError

NO_HOLD = (
    "while this process had it open.*'orchestrator ledger restore'.*Nothing is sent that cannot be booked"
)


@pytest.fixture
def used(books, tmp_path):
    """A ledger that was checkpointed twice, with a copy of its files from before the second time."""
    books.send("first", 300)
    checkpoint(books.path)
    books.send("before", 300)
    (tmp_path / "older").mkdir()
    cp(*books.path.parent.glob(f"{books.path.name}*"), tmp_path / "older")
    with (
        closing(sqlite3.connect(books.path)) as source,
        closing(sqlite3.connect(tmp_path / "backup")) as copy,
    ):
        source.backup(copy)
    books.send("after", 300)
    checkpoint(books.path)
    books.send("last", 300)
    checkpoint(books.path)
    books.send("in the log", 300)
    return books


def checkpoint(path):
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[0] == 0


def cp(*paths):
    """Copy as people do, in a process of its own: to close a file here drops the locks that SQLite has on it."""
    subprocess.run(["cp", *paths], check=True)


def another_ledger(path):
    other = open_ledger(
        LedgerSettings(path=str(path.with_name("other"))),
        limits=Limits(BudgetSettings()),
        clock=SystemClock(),
    )
    other.check_writable()
    other.close()
    cp(path.with_name("other"), path)


def its_older_self(path):
    cp(path.parent / "older" / path.name, path)


def its_backup(path):
    cp(path.with_name("backup"), path)


def all_files_of_its_older_self(path):
    older = path.parent / "older" / path.name
    cp(older, older.with_name(f"{path.name}-wal"), path.parent)


def another_database(path):
    with closing(sqlite3.connect(path.with_name("other"))) as other:
        other.execute("CREATE TABLE customers (name TEXT)")
    cp(path.with_name("other"), path)


def an_empty_database(path):
    with closing(sqlite3.connect(path.with_name("other"), isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
    cp(path.with_name("other"), path)


def a_page_of_html(path):
    path.with_name("other").write_text("<html>" * 9000)
    cp(path.with_name("other"), path)


def nothing_at_all(path):
    os.truncate(path, 0)


def its_first_half(path):
    os.truncate(path, path.stat().st_size // 2)


def no_log(path):
    os.truncate(path.with_name(f"{path.name}-wal"), 0)


def most_of_its_log(path):
    log = path.with_name(f"{path.name}-wal")
    os.truncate(log, 5000)


@pytest.mark.parametrize(
    "put",
    [
        another_ledger, its_older_self, its_backup, all_files_of_its_older_self, another_database,
        an_empty_database, a_page_of_html, nothing_at_all, its_first_half,
    ],
)  # fmt: skip
async def test_other_contents_are_noticed_before_the_next_hold_and_stay_noticed(used, put):
    put(used.path)
    for _ in range(2):
        with pytest.raises(LedgerError, match=NO_HOLD):
            used.ledger.hold(used.claim("next"))
        with pytest.raises(LedgerError, match=NO_HOLD):
            await used.ledger.ahold(used.claim("next"))


@pytest.mark.parametrize("cut", [no_log, most_of_its_log])
def test_a_log_that_was_cut_is_noticed_before_the_next_hold(used, cut):
    cut(used.path)
    for _ in range(2):
        with pytest.raises(LedgerError, match="its log was cut"):
            used.ledger.hold(used.claim("next"))


def test_a_log_that_others_emptied_was_not_cut_where_a_full_disk_has_no_room_for_a_checkpoint(used):
    with closing(sqlite3.connect(used.path, isolation_level=None)) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
        other.execute("CREATE TABLE notes AS SELECT hex(randomblob(9000)) AS note")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No file may grow beyond this one: the log is shorter, and what it has to bring needs more pages.
    resource.setrlimit(resource.RLIMIT_FSIZE, (used.path.stat().st_size, unlimited[1]))
    try:
        used.send("next", 5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    no_log(used.path)
    with pytest.raises(LedgerError, match="its log was cut"):
        used.ledger.hold(used.claim("after"))


def test_the_same_contents_put_back_are_used_again(used):
    cp(used.path, used.path.with_name("same"))
    a_page_of_html(used.path)
    with pytest.raises(LedgerError, match=NO_HOLD):
        used.ledger.hold(used.claim("next"))
    cp(used.path.with_name("same"), used.path)
    used.send("next", 5)
    assert used.counter() == (1505, 0)
    assert used.verified().counters_are_right


def test_a_log_that_does_not_belong_to_its_file_is_noticed_by_a_process_that_opens_them(used, clock):
    """Where a process was killed, its log lies beside what was copied over the file since."""
    log = used.path.with_name(f"{used.path.name}-wal")
    kept = used.path.with_name("kept-log")
    cp(log, kept)
    used.ledger.close()
    its_older_self(used.path)
    cp(kept, log)
    opened = open_ledger(LedgerSettings(path=str(used.path)), limits=Limits(BudgetSettings()), clock=clock)
    with pytest.raises(LedgerError, match="contents were copied over it"):
        opened.hold(used.claim("next"))


def test_processes_that_checkpoint_at_every_booking_never_doubt_each_other(books, clock):
    """Two connections stand for two processes: each sees the file changed by the other's checkpoints."""
    faults = []

    def book(name):
        ledger = open_ledger(
            LedgerSettings(path=str(books.path), lock_timeout_s=60),
            limits=Limits(BudgetSettings()),
            clock=clock,
        )
        try:
            ledger.store.file.read(lambda connection: connection.execute("PRAGMA wal_autocheckpoint = 1"))
            for number in range(40):
                ledger.settle(ledger.hold(books.claim(f"{name}-{number}")), books.attempt(1))
            ledger.close()
        except LedgerError as exc:
            faults.append(exc)

    threads = [threading.Thread(target=book, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert books.counter() == (80, 0)
    (generation,) = books.rows("SELECT value FROM about WHERE key = 'generation'")[0]
    assert int(generation) > 10


def test_looks_that_others_overtook_prove_nothing(books, monkeypatch):
    """The log is of one moment and the file of a later one, again and again where two take turns."""
    books.send("first", 300)
    file, real, looks = books.ledger.store.file, file_contents._read, itertools.count()

    def read(connection):
        found = real(connection)
        return replace(found, generation=found.generation + 7 * next(looks))

    monkeypatch.setattr(file_contents, "_read", read)
    file._contents._seen = None
    with closing(sqlite3.connect(books.path)) as connection:
        for _ in range(2 * file_contents._LOOKS_MAX):
            with pytest.raises(LedgerBusyError, match="is being written"):
                file._contents.check(connection, file._identity.check())


def test_older_files_of_which_no_checkpoint_came_since_are_noticed_by_what_was_booked_last(books):
    books.send("first", 300)
    log, index = (books.path.with_name(f"{books.path.name}{part}") for part in ("-wal", "-shm"))
    cp(log, log.with_name("older-log"))
    cp(index, log.with_name("older-index"))
    books.send("after", 300)
    cp(log.with_name("older-log"), log)
    # SQLite has it mapped: to cut it, as cp does, would end this process.
    subprocess.run(
        ["dd", f"if={log.with_name('older-index')}", f"of={index}", "conv=notrunc", "status=none"], check=True
    )
    books.ledger.store.file._contents._log_bytes = 0  # a log that is used again is as long as its longest
    with pytest.raises(LedgerError, match="what this process booked last is gone"):
        books.ledger.hold(books.claim("next"))


def test_a_log_that_grew_since_it_was_looked_at_was_not_cut(used):
    """Between the look and the answer of SQLite another process may book."""
    file = used.ledger.store.file
    earlier = file._identity.check()
    for number in range(40):
        used.send(f"{'x' * 500}-{number}", 5)
    assert file._contents._log_bytes > earlier.log.st_size
    file._contents.check(file._connection, earlier)


def test_half_a_checkpoint_is_no_fault(used):
    """A process that dies in it leaves a first page that counts pages which are in the log alone."""
    page_bytes, size = 4096, used.path.stat().st_size
    for number in range(40):
        used.send(f"{'x' * 500}-{number}", 5)
    assert used.path.stat().st_size == size
    ended = used.path.parent / "ended"
    ended.mkdir()
    cp(*used.path.parent.glob(f"{used.path.name}*"), ended)
    checkpoint(ended / used.path.name)
    assert (ended / used.path.name).stat().st_size > size
    subprocess.run(
        ["dd", f"if={ended / used.path.name}", f"of={used.path}", f"bs={page_bytes}", "count=1", "conv=notrunc"],
        check=True, capture_output=True,
    )  # fmt: skip
    for number in range(30):
        used.send(f"half-{number}", 5)
    checkpoint(used.path)
    used.send("whole", 5)
    a_page_of_html(used.path)
    with pytest.raises(LedgerError, match=NO_HOLD):
        used.ledger.hold(used.claim("next"))
