"""The SQLite store passes what every back end must, and a lookup in its file uses an index."""

import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import pytest

from orchestrator.core.clock import SystemClock
from orchestrator.ledger.sqlite import queries
from orchestrator.ledger.sqlite.store import SqliteStore
from tests.ledger.crash_contract import CrashContract
from tests.ledger.store_contract import StoreContract
from tests.support import mortal_sqlite


class SqliteBackend:
    """A ledger file, and another program that has it open."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, *, lock_timeout_s: float = 60.0) -> SqliteStore:
        return SqliteStore(
            self.path, lock_timeout_s=lock_timeout_s, clock=SystemClock(), on_late=lambda *_: None
        )

    def copied(self) -> "SqliteBackend":
        folder = Path(tempfile.mkdtemp(dir=self.path.parent.parent))
        shutil.copy(self.path, folder)
        return SqliteBackend(folder / self.path.name)

    @contextmanager
    def busy(self):
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("COMMIT")

    async def deferred_are_written(self, store: SqliteStore) -> None:
        if store.file.writing is not None:
            await store.file.writing

    def add_to_counter(self, scope: str, period: str, amount_nusd: int) -> None:
        with closing(sqlite3.connect(self.path)) as other, other:
            change = "UPDATE counters SET spent_nusd = spent_nusd + ? WHERE scope = ? AND period = ?"
            assert other.execute(change, (amount_nusd, scope, period)).rowcount == 1

    def install_death(self) -> None:
        mortal_sqlite.install()

    def arm_death(self, *, at: int, after: bool) -> None:
        mortal_sqlite.arm(at=at, after=after)


class OnFiles:
    @pytest.fixture
    def new_backend(self, tmp_path):
        numbers = count()
        return lambda: SqliteBackend(tmp_path / f"{next(numbers)}" / "ledger.sqlite3")


class TestSqliteStore(OnFiles, StoreContract):
    pass


class TestSqliteStoreDying(OnFiles, CrashContract):
    pass


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (queries.COUNTER, ("2026-11-23", "all")),
        (queries.counters_sql(2), ("2026-11-23", "2026-11")),
    ],
)
def test_counters_are_found_by_their_key_however_many_there_are(tmp_path, query, values):
    with closing(SqliteBackend(tmp_path / "ledger.sqlite3").open()) as store:
        (_, _, _, step), *_ = store.file.read(
            lambda connection: connection.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall()
        )
    assert step.startswith("SEARCH counters USING PRIMARY KEY")
