"""Prompts and replies in a file beside the ledger: its owner's alone; what is deleted is overwritten."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.core.clock import Clock
from orchestrator.core.errors import LedgerError
from orchestrator.ledger.contents import KeptContent
from orchestrator.ledger.sqlite.connection import LedgerFile

_DEFERRED_MAX = 64
"""Of so many requests at most the content waits in memory while the file cannot be written."""
_KEPT_BETWEEN_SWEEPS = 100
_SWEPT_AT_ONCE = 500
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS contents (
        operation_id TEXT PRIMARY KEY, tenant TEXT NOT NULL, kept_at TEXT NOT NULL, until TEXT NOT NULL,
        messages TEXT NOT NULL, reply TEXT, corrected TEXT)""",
    "CREATE INDEX IF NOT EXISTS contents_by_until ON contents (until)",
    "CREATE INDEX IF NOT EXISTS contents_by_tenant ON contents (tenant)",
)
_KEEP = "INSERT INTO contents VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"
_FIND = "SELECT * FROM contents WHERE operation_id = ? AND until > ?"
_CORRECT = "UPDATE contents SET corrected = ? WHERE operation_id = ?"
_SWEEP = (
    "DELETE FROM contents WHERE operation_id IN (SELECT operation_id FROM contents WHERE until <= ? LIMIT ?)"
)

_DELETE_EXPIRED = "DELETE FROM contents WHERE until <= ?"
_EMPTY_LOG = "PRAGMA wal_checkpoint(TRUNCATE)"
"""Writes the log back, which holds the pages as they were, and empties it."""


class SqliteContents:
    """A `ContentStore` in one file; what each verb promises stands there."""

    def __init__(self, path: Path, *, lock_timeout_s: float, clock: Clock) -> None:
        """Remember where the file is; it is made with the first content that is kept.

        Whoever opens it deletes what has expired.
        """
        self.path = path
        self._clock = clock
        self._kept = 0
        self._expired_at_opening = 0
        self.file = LedgerFile(
            path, lock_timeout_s=lock_timeout_s, clock=clock, on_late=lambda *_: None, migrate=self._prepare
        )

    @property
    def location(self) -> str:
        """Return the path of the file."""
        return str(self.path)

    @property
    def exists(self) -> bool:
        """Return whether there is a file."""
        return self.file.is_there

    def keep(self, content: KeptContent) -> None:
        """Keep a prompt and its reply; what cannot be written is deferred, up to a bound."""
        if len(self.file.deferred) >= _DEFERRED_MAX:
            raise LedgerError(f"{_DEFERRED_MAX} contents wait for {self.path} already; this one is not kept")
        sweeps = self._kept % _KEPT_BETWEEN_SWEEPS == 0
        self._kept += 1

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                _KEEP,
                (
                    content.operation_id,
                    content.tenant,
                    _text(content.kept_at),
                    _text(content.until),
                    content.messages,
                    content.reply,
                    content.corrected,
                ),
            )
            if sweeps:
                connection.execute(_SWEEP, (_text(self._clock.now()), _SWEPT_AT_ONCE))

        self.file.write_or_defer(write, on_loop=True)

    def keep_corrected(self, operation_id: str, text: str) -> bool:
        """Keep the better answer to a request beside its reply; False where no reply is kept."""
        return self.exists and bool(
            self.file.write(lambda connection: connection.execute(_CORRECT, (text, operation_id)).rowcount)
        )

    def find(self, operation_id: str, *, now: datetime) -> KeptContent | None:
        """Return the prompt and the reply of a request, None where none is kept."""
        if not self.exists:
            return None
        row = self.file.read(
            lambda connection: connection.execute(_FIND, (operation_id, _text(now))).fetchone()
        )
        if row is None:
            return None
        identity, tenant, kept_at, until, *texts = row
        return KeptContent(
            identity, tenant, datetime.fromisoformat(kept_at), datetime.fromisoformat(until), *texts
        )

    def delete_expired(self, *, now: datetime) -> int:
        """Delete what was to be kept until now."""
        count = self._delete(_DELETE_EXPIRED, _text(now))
        count, self._expired_at_opening = count + self._expired_at_opening, 0
        return count

    def delete_tenant(self, tenant: str) -> int:
        """Delete everything of a tenant."""
        return self._delete("DELETE FROM contents WHERE tenant = ?", tenant)

    def close(self) -> None:
        """Write what is deferred and close the file."""
        self.file.close()

    def _delete(self, statement: str, value: str) -> int:
        if not self.exists:
            return 0
        count = self.file.write(lambda connection: connection.execute(statement, (value,)).rowcount)
        self.file.read(lambda connection: connection.execute(_EMPTY_LOG).fetchall())
        return count

    def _prepare(self, connection: sqlite3.Connection, *, path: str) -> None:
        """Make the table, and delete what expired while nobody had the file open."""
        del path  # SQLite's own errors name it.
        connection.execute("PRAGMA secure_delete = ON")
        for statement in _SCHEMA:
            connection.execute(statement)
        self._expired_at_opening = connection.execute(_DELETE_EXPIRED, (_text(self._clock.now()),)).rowcount
        if self._expired_at_opening:
            connection.execute(_EMPTY_LOG).fetchall()


def _text(moment: datetime) -> str:
    # Always with microseconds, or texts would not sort as moments do.
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
