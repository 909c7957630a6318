"""A ledger's file that is gone or replaced is noticed before the next hold, and nobody else may read it."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from orchestrator.core.alerts import Alerts
from orchestrator.core.errors import LedgerError
from orchestrator.ledger.budgets import BudgetSettings, Limits
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.opening import LedgerSettings, open_ledger, open_view
from orchestrator.ledger.sqlite.file_identity import FileIdentity, make_file, take_rights_of_others
from orchestrator.ledger.sqlite.whole_copies import take_copy
from tests.support.unprivileged import NOBODY

NO_HOLD = "while this process had it open.*Nothing is sent that cannot be booked"


@pytest.fixture
def used(books):
    """A ledger with one settled send and one under way."""
    books.send("before", 300)
    books.under_way = books.ledger.hold(books.claim("under-way"))
    return books


def delete(path):
    path.unlink()


def move_away(path):
    path.rename(path.with_name("away"))


def replace_by_an_empty_one(path):
    new = path.with_name("new")
    new.touch()
    new.replace(path)


def replace_by_its_copy(path):
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(path.with_name("copy"))) as copy:
        source.backup(copy)
    path.with_name("copy").replace(path)


def delete_all_of_it(path):
    for part in path.parent.glob(f"{path.name}*"):
        part.unlink()


def delete_its_log(path):
    path.with_name(f"{path.name}-wal").unlink()


def delete_its_folder(path):
    shutil.rmtree(path.parent)


def lead_its_name_elsewhere(path):
    path.rename(path.with_name("away"))
    path.with_name("elsewhere").touch()
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize(
    "loss",
    [
        delete, move_away, replace_by_an_empty_one, replace_by_its_copy, delete_all_of_it, delete_its_log,
        delete_its_folder, lead_its_name_elsewhere,
    ],
)  # fmt: skip
async def test_a_lost_file_is_noticed_before_the_next_hold_and_stays_lost(used, loss):
    loss(used.path)
    left = sorted(used.path.parent.glob("*")) if used.path.parent.exists() else None
    for _ in range(2):
        with pytest.raises(LedgerError, match=NO_HOLD):
            used.ledger.hold(used.claim("after"))
        with pytest.raises(LedgerError, match=NO_HOLD):
            await used.ledger.ahold(used.claim("after"))
    with pytest.raises(LedgerError, match=NO_HOLD):
        used.ledger.check_writable()
    now = sorted(used.path.parent.glob("*")) if used.path.parent.exists() else None
    assert now == left, "no file is made in the place of the lost one"


def test_what_was_under_way_is_booked_late_and_written_when_the_file_is_back(used, clock):
    alerts, messages = Alerts(), []
    alerts.subscribe(lambda alert: messages.append(alert.message))
    ledger = Ledger(used.ledger.store, limits=used.ledger.limits, clock=clock, alerts=alerts)
    move_away(used.path)
    with pytest.raises(LedgerError, match="while this process had it open.*The booking is kept"):
        ledger.settle(used.under_way, used.attempt(70))
    assert [message.partition(": ")[0] for message in messages] == [f"cannot use the ledger {used.path}"]
    used.path.with_name("away").rename(used.path)
    used.ledger.settle(used.ledger.hold(used.claim("after")), used.attempt(5))
    assert used.counter() == (375, 0)
    assert used.verified().counters_are_right


@pytest.mark.parametrize("loss", [delete, replace_by_an_empty_one, replace_by_its_copy, delete_its_folder])
def test_closing_after_a_loss_says_what_is_not_booked_and_raises_nothing(tmp_path, clock, loss):
    alerts, messages = Alerts(), []
    alerts.subscribe(lambda alert: messages.append(alert.message))
    path = tmp_path / "folder" / "ledger.sqlite3"
    ledger = open_ledger(
        LedgerSettings(path=str(path)), limits=Limits(BudgetSettings()), clock=clock, alerts=alerts
    )
    ledger.check_writable()
    loss(path)
    ledger.store.file.deferred.append(lambda connection: connection.execute("SELECT 1"))
    ledger.close()
    assert [message.partition(": ")[0] for message in messages] == ["1 bookings are not written"]
    ledger.close()
    assert len(messages) == 1


def test_a_file_that_is_lost_while_it_is_closed_for_a_fork_is_not_made_anew(used):
    store = used.ledger.store.file
    store.before_fork()
    used.path.unlink()
    store.after_fork()
    with pytest.raises(LedgerError, match=NO_HOLD):
        used.ledger.hold(used.claim("after"))
    assert not used.path.exists()


def test_a_file_that_was_closed_and_is_the_same_is_opened_again(used):
    used.ledger.settle(used.under_way, used.attempt(70))
    used.ledger.close()
    assert not used.path.with_name(f"{used.path.name}-wal").exists(), (
        "the last one to close takes the log along"
    )
    used.send("after", 5)
    assert used.counter() == (375, 0)


def test_to_compress_the_file_under_way_is_no_loss(used):
    with closing(sqlite3.connect(used.path)) as other:
        other.execute("VACUUM")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    used.send("after", 5)
    assert used.counter() == (305, 1000)


def test_before_the_first_opening_there_is_nothing_to_miss(tmp_path):
    FileIdentity(tmp_path / "ledger.sqlite3").check()


# ---- what is no file of ours


def a_pipe(path):
    os.mkfifo(path)


def a_folder(path):
    path.mkdir()


def a_linked_log(path):
    path.with_name(f"{path.name}-wal").symlink_to(path.with_name("elsewhere"))


def linked_shared_memory(path):
    path.with_name(f"{path.name}-shm").symlink_to(path.with_name("elsewhere"))


def a_linked_log_beside_a_linked_file(path):
    away = path.with_name("away")
    away.touch()
    path.symlink_to(away)
    a_linked_log(away)


LINKS = [a_linked_log, linked_shared_memory, a_linked_log_beside_a_linked_file]


@pytest.mark.parametrize("trap", [a_pipe, a_folder, *LINKS])
def test_what_is_no_plain_file_is_no_ledger_and_nothing_is_followed(tmp_path, clock, trap):
    path = tmp_path / "ledger.sqlite3"
    trap(path)
    settings = LedgerSettings(path=str(path))
    ledger = open_ledger(settings, limits=Limits(BudgetSettings()), clock=clock)
    with pytest.raises(LedgerError, match=r"no plain file"):
        ledger.check_writable()
    ledger.close()
    with pytest.raises(LedgerError, match=r"no plain file"), open_view(settings):
        pass
    assert not path.with_name("elsewhere").exists()


@pytest.mark.parametrize("trap", LINKS)
def test_no_copy_is_taken_along_a_link_beside_the_ledger(tmp_path, clock, trap):
    path = tmp_path / "ledger.sqlite3"
    trap(path)
    path.touch()
    with pytest.raises(LedgerError, match="is a link"):
        take_copy(path, tmp_path / "copy")


def test_a_link_to_the_ledger_itself_is_the_ledger(tmp_path, clock):
    path = tmp_path / "ledger.sqlite3"
    path.symlink_to(tmp_path / "elsewhere")
    ledger = open_ledger(LedgerSettings(path=str(path)), limits=Limits(BudgetSettings()), clock=clock)
    ledger.check_writable()
    ledger.close()
    assert (tmp_path / "elsewhere").stat().st_size


# ---- who may read it


def modes(path):
    return {part.name: oct(part.stat().st_mode & 0o777) for part in path.parent.glob(f"{path.name}*")}


PRIVATE = dict.fromkeys(("ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm"), "0o600")


@pytest.mark.parametrize("folder_mode", [0o777, 0o755, 0o700])
@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_only_the_owner_may_read_a_new_ledger_whatever_its_folder_is(tmp_path, clock, folder_mode, umask):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(folder_mode)
    before = os.umask(umask)
    ledger = open_ledger(
        LedgerSettings(path=str(folder / "ledger.sqlite3")), limits=Limits(BudgetSettings()), clock=clock
    )
    try:
        ledger.check_writable()
        assert modes(folder / "ledger.sqlite3") == PRIVATE
        assert oct(folder.stat().st_mode & 0o777) == oct(folder_mode), "the folder may be for other things"
    finally:
        os.umask(before)
        ledger.close()
    assert [part.name for part in folder.iterdir()] == ["ledger.sqlite3"], "nothing else is left there"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives a file to another user")
@pytest.mark.parametrize("name", ["ledger.sqlite3", "ledger.sqlite3-wal"])
def test_no_ledger_is_taken_that_another_user_has_put_where_everybody_may_write(tmp_path, clock, name):
    """They would read what is booked, and say what is spent."""
    (tmp_path / name).touch(mode=0o666)
    os.chown(tmp_path / name, NOBODY, NOBODY)
    ledger = open_ledger(
        LedgerSettings(path=str(tmp_path / "ledger.sqlite3")), limits=Limits(BudgetSettings()), clock=clock
    )
    tmp_path.chmod(0o1777)
    with pytest.raises(LedgerError, match=f"another user of this machine has put .*{name} there"):
        ledger.check_writable()
    tmp_path.chmod(0o755)
    ledger.check_writable()
    ledger.close()


def test_an_older_ledger_that_others_may_read_is_closed_to_them_with_its_log(tmp_path, clock):
    path = tmp_path / "ledger.sqlite3"
    # Another program has it open, so that its log is there.
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("CREATE TABLE something (x)")
        for part in tmp_path.iterdir():
            part.chmod(0o666)
        ledger = open_ledger(LedgerSettings(path=str(path)), limits=Limits(BudgetSettings()), clock=clock)
        ledger.check_writable()
        assert modes(path) == PRIVATE
        ledger.close()


def test_the_locks_of_another_connection_of_this_process_are_kept(tmp_path):
    """POSIX drops every lock that a process has on a file when it closes the file once, anywhere."""
    path = tmp_path / "ledger.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as own:
        own.execute("BEGIN IMMEDIATE")
        own.execute("CREATE TABLE something (x)")
        make_file(path)
        take_rights_of_others(path)
        program = "import sqlite3,sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
        other = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, check=False)
        assert b"database is locked" in other.stderr


def test_a_file_that_another_process_made_meanwhile_is_left_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "ledger.sqlite3"
    monkeypatch.setattr(type(path), "exists", lambda _: path.write_text("theirs") == 0)
    make_file(path)
    assert path.read_text() == "theirs"
    assert [part.name for part in tmp_path.iterdir()] == ["ledger.sqlite3"]
