"""A booking is late when it waited all the time, and then the alert says that it is kept."""

import sqlite3
from contextlib import closing

import pytest

from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import LedgerError
from orchestrator.ledger.sqlite.connection import LedgerFile


def note(text):
    return lambda connection: connection.execute("INSERT INTO notes VALUES (?)", (text,)).rowcount


async def test_late_is_a_booking_that_waited_all_the_time_and_the_alert_says_that_it_is_kept(tmp_path):
    alerts = []
    file = LedgerFile(
        tmp_path / "ledger.sqlite3",
        lock_timeout_s=0.05,
        clock=SystemClock(),
        on_late=lambda *alert: alerts.append(alert),
    )
    file.write(lambda connection: connection.execute("CREATE TABLE notes (text TEXT UNIQUE)"))
    with closing(file), closing(sqlite3.connect(file.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="others use the ledger .* at this moment. The booking is kept"):
            file.write_or_defer(note("first"), on_loop=True)
        other.execute("COMMIT")
        file.write(note("another's, and the first along with it"))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError):
            file.write_or_defer(note("second"), on_loop=True)
        await file.writing
        other.execute("COMMIT")
    ((waiting, error),) = alerts
    assert waiting == 1
    assert str(error).endswith("what was held for it stays counted.")
    assert "Nothing is sent" not in str(error)


async def test_a_row_that_the_ledger_has_already_is_no_matter_of_rights_and_is_kept_by_nobody(tmp_path):
    file = LedgerFile(
        tmp_path / "ledger.sqlite3", lock_timeout_s=60, clock=SystemClock(), on_late=lambda *_: None
    )
    with closing(file):
        file.write(lambda connection: connection.execute("CREATE TABLE notes (text TEXT UNIQUE)"))
        file.write(note("twice"))
        for write in (file.write, file.write_or_defer):
            with pytest.raises(LedgerError, match="UNIQUE.*'orchestrator ledger verify'") as raised:
                write(note("twice"))
            assert "writable" not in str(raised.value)
        assert file.deferred == []
