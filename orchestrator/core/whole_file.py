"""Files that are written whole or not at all: who reads one at that moment sees the old or the new."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_file(path: Path, *, mode: int = 0o600) -> Iterator[Path]:
    """Yield the name under which a file is written; when all of it is on the disk, it takes its place.

    A link stays, and what it leads to is replaced. A device or a pipe, as `/dev/stdout` may be, is no file
    that another could replace: the whole content is written into it.

    Raises:
        OSError: it cannot be written, or is a folder; what was there is as it was.
    """
    draft, place, is_special = _draft_of(path), _place_of(path), _is_special(path)
    try:
        yield draft
        if is_special:
            with draft.open("rb") as content, place.open("wb") as special:
                shutil.copyfileobj(content, special)
        else:
            with draft.open("rb+") as content:
                os.fsync(content.fileno())
            draft.chmod(mode)
            draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file in the place of the one that is there, as `whole_file` does; a missing folder is made.

    Raises:
        OSError: it cannot be written; what was there is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, mode=mode) as draft:
        draft.write_bytes(content)


def check_place(path: Path) -> None:
    """Look whether `whole_file` may write there, before work that takes minutes; nothing is changed.

    Raises:
        OSError: it may not.
    """
    _draft_of(path).unlink()


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _place_of(path: Path) -> Path:
    # Unlike `Path.resolve` it takes a link that leads to itself.
    return path if _is_special(path) else Path(os.path.realpath(path))


def _draft_of(path: Path) -> Path:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    place = _place_of(path)
    folder = None if _is_special(path) else place.parent
    descriptor, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=folder)
    os.close(descriptor)
    return Path(name)
