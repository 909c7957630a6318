"""What one turn of an event loop writes is one transaction, in which nobody meets another's fault."""

import asyncio
import os
import sqlite3
from contextlib import closing

import pytest

from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import LedgerError
from orchestrator.ledger.sqlite.connection import LedgerFile


class Notes:
    """A file of texts, and what it ran."""

    def __init__(self, path):
        self.alerts, self.statements = [], []
        self.file = LedgerFile(
            path, lock_timeout_s=60, clock=SystemClock(), on_late=lambda *alert: self.alerts.append(alert)
        )
        self.file.write(lambda connection: connection.execute("CREATE TABLE notes (text TEXT UNIQUE)"))
        self.connection = self.file._connection
        self.connection.set_trace_callback(self.statements.append)

    @property
    def commits(self):
        return self.statements.count("COMMIT")

    @property
    def texts(self):
        return [text for (text,) in self.connection.execute("SELECT text FROM notes ORDER BY rowid")]


@pytest.fixture
def notes(tmp_path):
    made = Notes(tmp_path / "ledger.sqlite3")
    with closing(made.file):
        yield made


def note(text):
    return lambda connection: connection.execute("INSERT INTO notes VALUES (?)", (text,)).rowcount


def erase(text):
    return lambda connection, _: connection.execute("DELETE FROM notes WHERE text = ?", (text,))


async def write(notes, text):
    return await notes.file.group().write(note(text), undo=erase(text))


async def book(notes, operation_id, text):
    notes.file.group().book(operation_id, note(text))
    await notes.file.group().written(operation_id)


async def test_one_turn_is_one_transaction_with_bookings_before_claims(notes):
    claims = (write(notes, f"claimed-{number}") for number in range(50))
    assert await asyncio.gather(*claims, book(notes, "a", "booked")) == [*[1] * 50, None]
    assert notes.texts == ["booked", *(f"claimed-{number}" for number in range(50))]
    assert notes.commits == 1


async def test_nothing_to_write_costs_no_transaction_and_no_turn(notes):
    await notes.file.group().written("a")
    assert notes.commits == 0


async def test_who_breaks_a_transaction_meets_its_own_error_and_nobody_else_does(notes):
    outcomes = await asyncio.gather(
        *(book(notes, name, text) for name, text in (("first", "x"), ("twice", "x"), ("other", "y"))),
        *(write(notes, text) for text in ("x", "z")),
        return_exceptions=True,
    )
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "NoneType", "LedgerError", "NoneType", "LedgerError", "int",
    ]  # fmt: skip
    assert notes.texts == ["x", "y", "z"]


async def test_a_mistake_of_the_program_is_raised_to_its_own_caller(notes):
    def mistake(_):
        raise OverflowError

    claimed = notes.file.group().write(mistake, undo=erase("x"))
    outcomes = await asyncio.gather(claimed, write(notes, "y"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [OverflowError, int]
    assert notes.texts == ["y"]


async def test_while_others_have_the_file_claims_wait_aside_and_are_written_together(notes):
    with closing(sqlite3.connect(notes.file.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = [asyncio.create_task(write(notes, f"{number}")) for number in range(10)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert not any(task.done() for task in writing)
        writing[3].cancel()
        # Who hears of it only after the file is free may have been written, and is taken out in a second one.
        await asyncio.wait([writing[3]])
        other.execute("COMMIT")
        await asyncio.gather(*writing, return_exceptions=True)
    assert writing[3].cancelled()
    assert notes.texts == [f"{number}" for number in range(10) if number != 3]
    assert notes.commits == 1


async def test_a_full_disk_keeps_bookings_and_raises_the_alarm_for_requests_that_are_gone(notes):
    (pages,) = notes.connection.execute("PRAGMA page_count").fetchone()
    notes.connection.execute(f"PRAGMA max_page_count = {pages}")
    group = notes.file.group()
    group.book("a", note("x" * 9000))
    with pytest.raises(LedgerError, match="full"):
        await group.written("a")
    assert [waiting for waiting, _ in notes.alerts] == [1]
    notes.connection.execute(f"PRAGMA max_page_count = {pages + 9}")
    assert await write(notes, "next") == 1
    assert notes.texts == ["x" * 9000, "next"]


async def test_what_was_committed_for_a_caller_who_left_is_taken_back(notes):
    loop = asyncio.get_running_loop()
    staying = asyncio.create_task(write(notes, "stays"))
    loop.call_soon(lambda: loop.call_soon(leaving.cancel))
    leaving = asyncio.create_task(write(notes, "leaves"))
    await asyncio.wait({staying, leaving})
    assert leaving.cancelled()
    await notes.file.group().written("any")
    assert notes.texts == ["stays"]
    assert notes.commits == 2


def test_what_a_loop_left_behind_is_written_with_the_next_transaction_or_the_close(tmp_path):
    notes = Notes(tmp_path / "ledger.sqlite3")

    def book(text):
        loop = asyncio.new_event_loop()
        loop.call_soon(lambda: notes.file.group().book("a", note(text)))
        # It stops before the turn in which it would be written.
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()

    book("first")
    book("second")
    assert notes.texts == []
    notes.file.close()
    with closing(sqlite3.connect(notes.file.path)) as reading:
        assert reading.execute("SELECT text FROM notes ORDER BY rowid").fetchall() == [
            ("first",),
            ("second",),
        ]


def test_a_forked_child_leaves_to_its_parent_what_the_parent_has_not_written(notes):
    loop = asyncio.new_event_loop()
    loop.call_soon(lambda: notes.file.group().book("a", note("the parent's")))
    loop.call_soon(loop.stop)
    loop.run_forever()
    process = os.fork()
    if not process:
        notes.file.write(note("the child's"))
        notes.file.close()
        os._exit(0)
    assert os.waitpid(process, 0)[1] == 0
    with closing(sqlite3.connect(notes.file.path)) as reading:
        assert reading.execute("SELECT text FROM notes").fetchall() == [("the child's",)]
    notes.file.close()
    loop.close()
    with closing(sqlite3.connect(notes.file.path)) as reading:
        assert len(reading.execute("SELECT text FROM notes").fetchall()) == 2


async def test_an_interruption_loses_no_booking(notes, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    group = notes.file.group()
    group.book("a", note("booked"))
    with monkeypatch.context() as patch:
        patch.setattr(notes.file, "write_at_once", interrupted)
        with pytest.raises(KeyboardInterrupt):
            group._end_turn()
    assert await write(notes, "next") == 1
    assert notes.texts == ["booked", "next"]
