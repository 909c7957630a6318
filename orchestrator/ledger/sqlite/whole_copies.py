"""Whole copies of a ledger's file: taken while it is in use, and put back while nobody uses it.

A copy is one file without a log beside it. What stood in the place of a ledger that is put back goes aside
with its
own log: SQLite would write the rows of a log that stayed behind into the new file.
"""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from urllib.parse import quote

from orchestrator.core.errors import LedgerError
from orchestrator.core.private_folder import make_private_folder
from orchestrator.core.whole_file import name_beside
from orchestrator.ledger.sqlite.file_identity import check_owner, check_plain
from orchestrator.ledger.sqlite.schema import VERSION, migrate

_COMPANIONS = ("-wal", "-shm", "-journal")
_LOCK_FIRST, _LOCK_BYTES = 0x40000000, 512
"""Where SQLite locks a file: pending, reserved, and the 510 bytes that each open connection shares."""


@dataclass(frozen=True, slots=True)
class WholeCopy:
    """A copy that was taken."""

    sha256: str
    is_current: bool
    """Whether it has the schema that this program reads; an older one is kept as it is."""


def take_copy(source: Path, target: Path) -> WholeCopy:
    """Write a checked copy of a ledger as of one moment to a new file.

    Those who use the ledger go on meanwhile.

    Raises:
        LedgerError: it cannot be read, is damaged, or the file is there or cannot be written.
    """
    if not source.is_file():
        raise LedgerError(f"there is no file {source}")
    with _problems(target, "cannot be written"):
        if target.exists():
            raise LedgerError(f"{target} is there already: choose another name, a copy replaces nothing")
        make_private_folder(target.parent)
        with _unfinished(target) as copy:
            version = _copy(source, copy, up_to_date=False)
            taken = WholeCopy(sha256_of(copy), version == VERSION)
            os.link(copy, target)
    return taken


def put_back(source: Path, ledger: Path, *, aside: str) -> Path | None:
    """Put a checked copy in the place of a ledger; what stood there gets `aside` behind its name.

    Returns where the former file is, None where there was none.

    Raises:
        LedgerError: the copy cannot be read or is damaged, a process has the ledger open, or another user has
            put one of them there.
    """
    if not source.is_file():
        raise LedgerError(f"there is no file {source}")
    for file in (source, ledger):
        check_owner(file)
    with _problems(ledger, "cannot be replaced"):
        make_private_folder(ledger.parent)
        with _unfinished(ledger) as copy:
            _copy(source, copy, up_to_date=True)
            with _alone(ledger):
                former = _move_aside(ledger, aside)
                copy.replace(ledger)
                _sync(ledger.parent)
    return former


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _copy(source: Path, copy: Path, *, up_to_date: bool) -> int:
    """Fill an empty file from a ledger, its log included, check the whole of it, and return its schema."""
    address = f"file:{quote(str(source.absolute()))}?mode=ro"
    check_plain(source)
    try:
        with (
            contextlib.closing(sqlite3.connect(address, uri=True, timeout=5)) as reading,
            contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as writing,
        ):
            reading.backup(writing)
            writing.execute("PRAGMA journal_mode = DELETE")
            version = _check(writing, source)
            if up_to_date:
                migrate(writing, path=str(source))
    except sqlite3.Error as exc:
        raise LedgerError(f"{source} is damaged, or no ledger: {exc}; take an older copy") from exc
    _sync(copy)
    return version


def _check(connection: sqlite3.Connection, source: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not 1 <= version <= VERSION or not {"counters", "holds", "attempts", "operations"} <= tables:
        raise LedgerError(
            f"{source} is no ledger that this program knows (schema {version}, known to {VERSION})"
        )
    mistakes = [text for (text,) in connection.execute("PRAGMA integrity_check(1)")]
    if mistakes != ["ok"]:
        raise LedgerError(f"{source} is damaged: {mistakes[0]}; take an older copy")
    return version


@contextlib.contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """Give an empty file beside `target`, its owner's alone, that is gone in the end."""
    descriptor, name = tempfile.mkstemp(prefix=name_beside(target), dir=target.parent)
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        for ending in ("", *_COMPANIONS):
            Path(f"{name}{ending}").unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(ledger: Path) -> Iterator[None]:
    """Keep every other process out of a ledger's file; no connection of this one may have it open.

    Raises:
        LedgerError: another process has it open.
    """
    if not ledger.exists() or os.name != "posix":
        yield  # Windows lets nobody replace a file that is open.
        return
    import fcntl  # noqa: PLC0415 -- POSIX alone has it

    with ledger.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCK_BYTES, _LOCK_FIRST)
        except OSError as exc:
            raise LedgerError(
                f"a process has the ledger {ledger} open: stop every process that uses it (see which with "
                "'fuser'), and restore then"
            ) from exc
        yield


def _move_aside(ledger: Path, aside: str) -> Path | None:
    """Give a ledger's files other names; its own name stays until another file takes it."""
    former = ledger.with_name(f"{ledger.name}{aside}")
    for ending in _COMPANIONS:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{ledger}{ending}").rename(f"{former}{ending}")
    if not ledger.exists():
        return None
    os.link(ledger, former)
    return former


def _sync(path: Path) -> None:
    """Bring a file or the names of a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _problems(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise LedgerError(f"{path} {what}: {exc.strerror or exc}") from exc
