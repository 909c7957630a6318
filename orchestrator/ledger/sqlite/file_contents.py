"""Whether a ledger's file still holds what its log belongs to: a copy over an open file keeps its identity.

SQLite goes on over the pages of two ledgers then, and says nothing. A ledger in use is changed by
checkpoints alone, so each change of the file is looked at once: it must hold the same ledger, and no older
one. Which ledger it is, says the secret in `about`; how old, its `generation`, which the first transaction
after a checkpoint raises. So the log says of it what the file says, or one more.
"""

import contextlib
import math
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from orchestrator.ledger.sqlite.errors import NOTHING_SENT
from orchestrator.ledger.sqlite.file_identity import FileStatus, LedgerLostError
from orchestrator.ledger.store import LedgerBusyError

_Signature = tuple[int, int, int]
"""Size in bytes, and when contents and rights were changed, in ns: any write changes it."""
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_ABOUT = "SELECT key, value FROM about WHERE key IN ('prompt_secret', 'generation')"
_RAISE = (
    "INSERT INTO about VALUES ('generation', ?1) ON CONFLICT DO UPDATE SET value = excluded.value"
    " WHERE CAST(value AS INTEGER) < CAST(?1 AS INTEGER)"
)
_LOG_HEAD_BYTES, _FRAME_HEAD_BYTES = 32, 24
_READ_FAULTS = frozenset({sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ})
_LOOKS_MAX = 20
"""A look may meet a copy that is still being written: then it looks again."""


@dataclass(frozen=True, slots=True)
class _Contents:
    """What a ledger says of itself."""

    tables: frozenset[str]
    secret: str | None = None
    """None in a file to which no checkpoint has brought it yet."""
    generation: int = 0
    is_whole: bool = True
    """False of a file to which a part of the log was brought, as by one that died in a checkpoint: until
    one comes to its end, only file and log together say anything."""


class FileContents:
    """Which contents a ledger's file has, from the first time that it was opened in this process."""

    def __init__(self, path: Path) -> None:
        """Remember the name; the first `check` says what is in it."""
        self._path = path
        self._log = path.with_name(f"{path.name}-wal")
        self._seen: _Signature | None = None
        self._contents = _Contents(frozenset())
        self._secret: str | None = None
        self._log_bytes = 0
        self._looks = 0
        self._is_raised = True

    def check(self, connection: sqlite3.Connection, status: FileStatus) -> None:
        """Return if file and log still belong together, before a transaction of `connection` begins.

        `status` is that of a moment ago.

        Raises:
            LedgerBusyError: the file is being written; look again.
            LedgerLostError: other or older contents were put into it; says what to do.
            sqlite3.Error: the log cannot be read.
        """
        if status.log is not None:
            self._check_log(connection, status.log.st_size)
        signature = _signature_of(status.file or self._path.stat())
        if signature == self._seen:
            return
        in_log, in_file = _read(connection), _read_file(self._path)
        if in_file is not None and in_file.is_whole and self._belongs(in_file, in_log):
            self._seen, self._contents, self._secret = signature, in_file, in_log.secret
            self._looks, self._is_raised = 0, False
        elif in_file is None or in_file.is_whole or self._has_shrunk(signature):
            if _read(connection) != in_log:
                # Others booked between the two looks, which are of different moments and prove nothing.
                raise LedgerBusyError(f"cannot use the ledger {self._path}: its file is being written")
            self._doubt("other or older contents were copied over it")

    def raise_generation(self, connection: sqlite3.Connection) -> None:
        """Let what a transaction writes be younger than what was last seen in the file."""
        if not self._is_raised:
            connection.execute(_RAISE, (str(self._contents.generation + 1),))

    def note_raised(self) -> None:
        """Take it that the transaction which raised the generation was committed."""
        self._is_raised = True

    def _has_shrunk(self, signature: _Signature) -> bool:
        return self._seen is not None and signature[0] < self._seen[0]

    def _belongs(self, in_file: _Contents, in_log: _Contents) -> bool:
        is_same = self._secret in {None, in_log.secret} and (
            in_file.secret == in_log.secret
            # No checkpoint has brought it to the file, which was empty or of an older schema.
            or (in_file.secret is None is self._contents.secret and in_file.tables <= in_log.tables)
        )
        is_younger = in_file.generation >= self._contents.generation
        return is_same and is_younger and in_log.generation - in_file.generation in {0, 1}

    def _check_log(self, connection: sqlite3.Connection, size: int) -> None:
        """Find a log that was cut; SQLite itself empties it only when all of it is in the file."""
        if size < self._log_bytes:
            needed = _frames_bytes(connection)
            if needed is None:
                return
            # After SQLite was asked: others may have written to the log since it was looked at.
            size = self._log.stat().st_size
            if needed > size:
                raise lost_contents(self._path, "its log was cut")
        self._log_bytes = size

    def _doubt(self, fate: str) -> None:
        self._looks += 1
        if self._looks < _LOOKS_MAX:
            raise LedgerBusyError(f"cannot use the ledger {self._path}: its file is being written")
        raise lost_contents(self._path, fate)


def lost_contents(path: Path, fate: str) -> LedgerLostError:
    """Return the error of a ledger whose contents are others by now."""
    return LedgerLostError(
        f"cannot use the ledger {path}: {fate}, while this process had it open. What is written now would be mixed "
        "with it. Stop every process that uses it, put the last good copy back with 'orchestrator ledger restore', "
        f"which takes the log away, and start again. {NOTHING_SENT}"
    )


def _frames_bytes(connection: sqlite3.Connection) -> float | None:
    """Return how large a log must be for what SQLite takes to be in it; infinity where it cannot be read.

    None where nothing can be said now: SQLite tells it of a checkpoint alone, and a full disk has no room for
    one.
    """
    page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
    try:
        _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.OperationalError as error:
        return math.inf if error.sqlite_errorcode in _READ_FAULTS else None
    return _LOG_HEAD_BYTES + frames * (_FRAME_HEAD_BYTES + page_bytes) if frames > 0 else 0


def _read(connection: sqlite3.Connection) -> _Contents:
    tables = frozenset(name for (name,) in connection.execute(_TABLES))
    about = dict(connection.execute(_ABOUT).fetchall()) if "about" in tables else {}
    return _Contents(tables, about.get("prompt_secret"), int(about.get("generation", 0)))


def _read_file(path: Path) -> _Contents | None:
    """Return what the file says without its log, None where it is no database."""
    # SQLite itself keeps its locks on the file when this connection goes; to open and close it would not.
    address = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as reading:
            return _read(reading) if path.stat().st_size else None
    except sqlite3.DatabaseError as error:
        is_database = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT
        return _Contents(frozenset(), is_whole=False) if is_database else None
    except ValueError:
        return None


def _signature_of(status: os.stat_result) -> _Signature:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
