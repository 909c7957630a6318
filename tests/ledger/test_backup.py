"""A backup is whole while others book, and is put back only where nobody books and nothing of before comes along."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.core.errors import LedgerError
from orchestrator.ledger.backup import back_up, restore
from orchestrator.ledger.opening import LedgerSettings
from orchestrator.ledger.reader import LedgerReader
from tests.support.filled_book import Book, Outcome
from tests.support.unprivileged import NOBODY

NOW = datetime(2026, 11, 28, 5, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "books" / "ledger.sqlite3"


@pytest.fixture
def settings(path: Path) -> LedgerSettings:
    return LedgerSettings(path=str(path))


@pytest.fixture
def book(path: Path):
    book = Book(path)
    book.request(("m", Outcome.SUCCEEDED, 100))
    yield book
    book.ledger.close()


def requests_in(path: Path) -> int:
    with LedgerReader(path) as view:
        return view.row_counts()["operations"]


def test_a_backup_of_a_ledger_in_use_holds_all_that_is_booked(book, settings, tmp_path):
    """The newest rows are in the log alone, and a copy of the file would miss them."""
    book.request(("m", Outcome.SUCCEEDED, 200))
    backup = back_up(settings, tmp_path / "copies" / "b.sqlite3", now=NOW)
    assert requests_in(backup.path) == 2
    assert backup.verification is not None
    assert backup.verification.counters_are_right
    assert [file.name for file in sorted(backup.path.parent.iterdir())] == ["b.sqlite3", "b.sqlite3.sha256"]
    assert backup.path.stat().st_mode & 0o077 == 0
    book.request(("m", Outcome.SUCCEEDED, 300))
    assert requests_in(settings_path(settings)) == 3, "the ledger goes on"


def settings_path(settings: LedgerSettings) -> Path:
    return Path(settings.path)


def test_the_checksum_is_what_sha256sum_reads(book, settings, tmp_path):
    back_up(settings, tmp_path / "b.sqlite3", now=NOW)
    checked = subprocess.run(
        ["sha256sum", "--check", "b.sqlite3.sha256"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.stdout == "b.sqlite3: OK\n"


@pytest.mark.skipif(os.name == "nt", reason="there are no such rights")
def test_a_backup_and_its_checksum_are_their_owners_alone(book, settings, tmp_path):
    """Whoever may write both can change the books."""
    before = os.umask(0)
    try:
        back_up(settings, tmp_path / "ledger.bak", now=NOW)
    finally:
        os.umask(before)
    files = [path for path in tmp_path.rglob("*.bak*") if path.is_file()]
    assert len(files) == 2
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_backup_replaces_no_file(book, settings, tmp_path):
    (tmp_path / "b").write_text("mine")
    with pytest.raises(LedgerError, match="is there already"):
        back_up(settings, tmp_path / "b", now=NOW)
    with pytest.raises(LedgerError, match="is there already"):
        back_up(settings, settings_path(settings), now=NOW)
    assert (tmp_path / "b").read_text() == "mine"


def test_a_restored_ledger_holds_what_the_backup_held(book, settings, path, tmp_path):
    backup = back_up(settings, tmp_path / "b", now=NOW)
    book.request(("m", Outcome.SUCCEEDED, 200))
    book.ledger.close()
    restored = restore(settings, backup.path, now=NOW)
    assert requests_in(path) == 1
    assert restored.former is not None
    assert requests_in(restored.former) == 2
    assert path.stat().st_mode & 0o077 == 0
    again = Book(path)
    again._count = 10
    again.request(("m", Outcome.SUCCEEDED, 1), with_operation=False)
    again.ledger.close()


def test_an_old_log_brings_no_row_back(book, settings, path, tmp_path):
    """As after a crash: the file was lost or damaged, and its log and the index of that still stand there."""
    backup = back_up(settings, tmp_path / "b", now=NOW)
    book.request(("m", Outcome.SUCCEEDED, 200))
    beside = [path.with_name(f"{path.name}{ending}") for ending in ("-wal", "-shm")]
    left = [each.read_bytes() for each in beside]
    assert all(left)
    book.ledger.close()
    for is_there in (True, False):
        for each, content in zip(beside, left, strict=True):
            each.write_bytes(content)
        if not is_there:
            path.unlink()
        restored = restore(settings, backup.path, now=NOW)
        assert not any(each.exists() for each in beside)
        assert restored.verification.counters_are_right
        assert requests_in(path) == 1
        assert (restored.former is not None) is is_there


def test_a_damaged_ledger_can_be_restored(book, settings, path, tmp_path):
    backup = back_up(settings, tmp_path / "b", now=NOW)
    book.ledger.close()
    path.write_bytes(b"rubbish" * 1000)
    assert restore(settings, backup.path, now=NOW).verification.counters_are_right
    assert requests_in(path) == 1


@pytest.mark.skipif(os.name != "posix", reason="Windows lets nobody replace an open file")
@pytest.mark.parametrize("healthy", [True, False])
def test_nothing_is_restored_while_a_process_has_the_ledger_open(book, settings, path, tmp_path, healthy):
    backup = back_up(settings, tmp_path / "b", now=NOW)
    book.ledger.close()
    holding = (
        "import sqlite3, sys\n"
        "ledger = sqlite3.connect(sys.argv[1])\n"
        "ledger.execute('SELECT count(*) FROM holds').fetchall()\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        if not healthy:
            with path.open("r+b") as file:
                file.write(b"rubbish" * 100)
        before = path.read_bytes()
        with pytest.raises(LedgerError, match="a process has the ledger .* open: stop every process"):
            restore(settings, backup.path, now=NOW)
        assert path.read_bytes() == before
        other.communicate()
    assert restore(settings, backup.path, now=NOW).open_holds == 0


def test_a_backup_that_is_not_what_was_written_is_refused(book, settings, path, tmp_path):
    backup = back_up(settings, tmp_path / "b", now=NOW)
    book.ledger.close()
    whole = backup.path.read_bytes()
    before = path.read_bytes()
    backup.path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(LedgerError, match="SHA-256 differs"):
        restore(settings, backup.path, now=NOW)
    (tmp_path / "b.sha256").unlink()
    other = {"half": whole[: len(whole) // 2], "text": b"no database at all", "empty": b""}
    for name, content in other.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(LedgerError, match="damaged|no ledger"):
            restore(settings, tmp_path / name, now=NOW)
    with pytest.raises(LedgerError, match="there is no file"):
        restore(settings, tmp_path / "nobody", now=NOW)
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["ledger.sqlite3"]


def test_another_programs_database_is_no_backup(settings, tmp_path):
    with closing(sqlite3.connect(tmp_path / "other")) as other:
        other.execute("CREATE TABLE t (x)")
        other.execute("PRAGMA user_version = 3")
    with pytest.raises(LedgerError, match="is no ledger that this program knows"):
        restore(settings, tmp_path / "other", now=NOW)
    assert not settings_path(settings).exists()


@pytest.mark.parametrize("folder", [".", "..", "/"])
def test_a_folder_is_no_backup(settings, folder):
    with pytest.raises(LedgerError, match="there is no file"):
        restore(settings, Path(folder), now=NOW)


def test_holds_that_were_open_are_counted(book, settings, path, tmp_path):
    book.ledger.hold(book._claim("under-way", 1, "m", 1000, "acme", "customer_service"))
    backup = back_up(settings, tmp_path / "b", now=NOW)
    book.ledger.close()
    assert restore(settings, backup.path, now=NOW).open_holds == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives a file to another user")
def test_no_backup_is_put_back_that_another_user_has_put_there(book, settings, path, tmp_path):
    """It would say what is spent."""
    backup = back_up(settings, tmp_path / "b", now=NOW)
    book.ledger.close()
    os.chown(backup.path, NOBODY, NOBODY)
    backup.path.parent.chmod(0o1777)
    with pytest.raises(LedgerError, match="another user of this machine has put"):
        restore(settings, backup.path, now=NOW)
    backup.path.parent.chmod(0o755)
    assert restore(settings, backup.path, now=NOW).former is not None
