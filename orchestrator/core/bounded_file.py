"""Files that are read whole: plain ones of a bounded size, so that none stops a process or fills its memory.

A pipe is waited for until somebody writes into it, a device may never end, and whoever can put a file into a
folder of ours can put one of those there under any name.
"""

import errno
import os
import stat
from pathlib import Path

MIB = 1024 * 1024
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
"""The opening of a pipe that nobody writes into ends at once."""


def read_bounded(path: Path | str, *, bytes_max: int) -> bytes:
    """Return what is in a plain file, be it behind a link.

    Raises:
        OSError: it cannot be read, is no plain file, or is larger than `bytes_max`; `strerror` says which.
    """
    # An opening of a device may act on it, so it is looked at before, and what was opened once more.
    _check_plain(Path(path).stat(), path)
    with os.fdopen(os.open(path, os.O_RDONLY | _AT_ONCE), "rb") as file:
        status = os.fstat(file.fileno())
        _check_plain(status, path)
        # `file.read(bytes_max)` would make room for all of that first; a size may be 0, as in /proc.
        raw = b"" if status.st_size > bytes_max else file.read(status.st_size + 1)
        while len(raw) <= bytes_max and (more := file.read(MIB)):
            raw += more
    if max(len(raw), status.st_size) > bytes_max:
        raise OSError(errno.EFBIG, f"larger than {_size(bytes_max)}", str(path))
    return raw


def _check_plain(status: os.stat_result, path: Path | str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no plain file", str(path))


def _size(bytes_max: int) -> str:
    return f"{bytes_max // MIB:,} MB" if bytes_max >= MIB else f"{bytes_max:,} bytes"
