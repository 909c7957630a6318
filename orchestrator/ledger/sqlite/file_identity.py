"""Whether a ledger's files are still those that were opened: what goes into a deleted one is lost.

SQLite goes on with a file that was deleted, moved or replaced under it, and says nothing. So before each
transaction the names are looked up again. A file that was put back is the same file and is used again.
"""

import contextlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.errors import LedgerError
from orchestrator.core.private_folder import planted, words_on_planted
from orchestrator.core.whole_file import name_beside

_Node = tuple[int, int]
"""Device and inode: one file, whatever its name is."""
_ENDINGS = ("-wal", "-shm", "-journal")
"""Of the files that SQLite keeps beside a ledger."""
_OTHERS = 0o077
"""What a group and everybody else may do with a file."""


class LedgerLostError(LedgerError):
    """The ledger's file is gone, or another stands in its place: what is owed has nowhere to be booked."""


@dataclass(frozen=True, slots=True)
class FileStatus:
    """What the file system says of a ledger's files, None of one that is not there."""

    file: os.stat_result | None
    log: os.stat_result | None


class FileIdentity:
    """Which file a ledger is, from the first time that it was opened in this process."""

    def __init__(self, path: Path) -> None:
        """Remember the name; `remember` says which file it is."""
        self._path = path
        self._log = path.with_name(f"{path.name}-wal")
        # Looked at before every transaction, and a `Path` would be turned into these each time.
        self._names = os.fspath(self._path), os.fspath(self._log)
        self._file_node: _Node | None = None
        self._log_node: _Node | None = None

    def expect(self) -> None:
        """Take the file that stands there now for the ledger's, right before it is opened."""
        self._file_node = self._file_node or _node_of(self._look().file)

    def remember(self) -> FileStatus:
        """Take the log that stands there for the ledger's, right after it was opened; return the status."""
        # Another may have been put in its place while it was opened.
        status = self.check()
        self._log_node = _node_of(status.log)
        return status

    def forget_log(self) -> None:
        """Expect a new log: SQLite deletes it when the last connection is closed."""
        self._log_node = None

    def check(self) -> FileStatus:
        """Return the status of the files if they are still the ledger's, or none was opened yet.

        Raises:
            LedgerLostError: one is gone or another stands in its place; says what to do.
        """
        status = self._look()
        if self._file_node is not None:
            self._check(self._path, status.file, self._file_node)
        if self._log_node is not None:
            self._check(self._log, status.log, self._log_node)
        return status

    def _look(self) -> FileStatus:
        file, log = self._names
        return FileStatus(_status_of(file), _status_of(log))

    def _check(self, path: Path, status: os.stat_result | None, node: _Node) -> None:
        now = _node_of(status)
        if now == node:
            return
        fate = "was deleted or moved away" if now is None else "was replaced by another file"
        raise LedgerLostError(
            f"cannot use the ledger {self._path}: {path.name} {fate} while this process had it open, and what is "
            "written now would be lost. Put the same file back, by moving it and not by copying; or stop every "
            "process that uses it, restore the last good copy, and start again. Nothing is sent that cannot be booked."
        )


def make_file(path: Path) -> None:
    """Make an empty file that only its owner may read, unless there is one."""
    if not path.exists():
        _make_empty(path)


def check_plain(path: Path) -> None:
    """Take for a ledger no pipe and no device, and beside it nothing that leads elsewhere.

    Raises:
        LedgerError: SQLite would wait for a pipe, or follow a link with what is booked; says what to do.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if not stat.S_ISREG(path.stat().st_mode):
            raise LedgerError(
                f"cannot use the ledger {path}: it is no plain file, but a folder, a pipe or a device. Set ledger.path "
                "in config.yaml to a file on a local disk, which need not be there yet."
            )
    # SQLite follows a link to the file itself, and keeps these beside where it leads.
    home = path.resolve()
    for ending in _ENDINGS:
        beside = home.with_name(home.name + ending)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if not stat.S_ISREG(beside.lstat().st_mode):
                raise LedgerError(
                    f"cannot use the ledger {path}: SQLite keeps what is booked in {beside.name} beside it, and that is "
                    "a link or no plain file, which somebody else has made. Move it away, and see who may write into "
                    "the folder."
                )


def check_owner(path: Path) -> None:
    """Take for a ledger nothing that another user has put into a folder that everybody may write.

    Raises:
        LedgerError: they would read what is booked, and say what is spent; says what to do.
    """
    home = path.resolve()
    for each in (path, *(home.with_name(home.name + ending) for ending in _ENDINGS)):
        strange = planted(each)
        if strange is not None:
            raise LedgerError(f"cannot use the ledger {path}: {words_on_planted(strange)}")


def take_rights_of_others(path: Path) -> None:
    """Let only the owner read and write a ledger, whatever its folder allows; others' files stay."""
    # SQLite gives its log and its shared memory the rights of the file.
    for name in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        with contextlib.suppress(FileNotFoundError, PermissionError):
            mode = stat.S_IMODE(name.stat().st_mode)
            if mode & _OTHERS:
                name.chmod(mode & ~_OTHERS)


def _make_empty(path: Path) -> None:
    """Make a file under another name first: to close a file drops the locks that SQLite has on it."""
    descriptor, name = tempfile.mkstemp(prefix=name_beside(path), dir=path.parent)
    os.close(descriptor)
    try:
        # It is there by now, or this disk has no links: then SQLite makes it.
        with contextlib.suppress(OSError):
            # Unlike a renaming it puts nothing in the place of a file that another process made meanwhile.
            path.hardlink_to(name)
    finally:
        Path(name).unlink()


def _status_of(name: str) -> os.stat_result | None:
    try:
        return os.stat(name)  # noqa: PTH116 -- see `_names`
    except (FileNotFoundError, NotADirectoryError):
        return None


def _node_of(status: os.stat_result | None) -> _Node | None:
    return None if status is None else (status.st_dev, status.st_ino)
