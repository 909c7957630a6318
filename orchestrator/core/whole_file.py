"""Files that are written whole or not at all: who reads one at that moment sees the old or the new."""

import contextlib
import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PRIVATE = 0o600
"""The rights of a file that is its owner's alone."""
_NEW_FOLDER = 0o755
_NEW = 0o644
"""Others may read it, where the umask lets them; nobody else may ever write it."""
_BESIDE_BYTES_MAX = 200
"""Of a name, in the name of a file beside it: file systems take 255 bytes."""


def name_beside(path: Path) -> str:
    """Return how the names of unfinished files for `path` begin, beside it and hidden."""
    return f".{os.fsencode(path.name)[:_BESIDE_BYTES_MAX].decode(errors='ignore')}."


@contextlib.contextmanager
def whole_file(path: Path, *, mode: int | None = PRIVATE) -> Iterator[Path]:
    """Yield the name under which a file is written; when all of it is on the disk, it takes its place.

    Without a `mode` a file that is there keeps its rights, and a new one has those of any new file.

    A link stays, and what it leads to is replaced. A device or a pipe, as `/dev/stdout` may be, is no file
    that another could replace: the whole content is written into it.

    Raises:
        OSError: it cannot be written, or is a folder; what was there is as it was.
    """
    place, is_special = _place_of(path), _is_special(path)
    kept = place.stat().st_mode & 0o777 if mode is None and place.exists() else mode
    draft = _draft_of(path, mode=_NEW if kept is None else PRIVATE)
    try:
        yield draft
        if is_special:
            with draft.open("rb") as content, place.open("wb") as special:
                shutil.copyfileobj(content, special)
        else:
            with draft.open("rb+") as content:
                os.fsync(content.fileno())
            if kept is not None:
                draft.chmod(kept)
            draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Write a file in the place of the one that is there, as `whole_file` does; a missing folder is made.

    Raises:
        OSError: it cannot be written; what was there is as it was.
    """
    _make_folder_of(path)
    with whole_file(path, mode=mode) as draft:
        draft.write_bytes(content)


def check_place(path: Path) -> None:
    """Look whether `write_whole` may write there, before work that takes minutes; a missing folder is made.

    Raises:
        OSError: it may not.
    """
    _make_folder_of(path)
    _draft_of(path, mode=PRIVATE).unlink()


def _make_folder_of(path: Path) -> None:
    missing = [level for level in path.parents if not level.exists()]
    for level in reversed(missing):
        # Whatever the umask is, nobody else may write there.
        level.mkdir(mode=_NEW_FOLDER, exist_ok=True)


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _place_of(path: Path) -> Path:
    # Unlike `Path.resolve` it takes a link that leads to itself.
    return path if _is_special(path) else Path(os.path.realpath(path))


def _draft_of(path: Path, *, mode: int) -> Path:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    place = _place_of(path)
    folder = Path(tempfile.gettempdir()) if _is_special(path) else place.parent
    draft = folder / f"{name_beside(place)}{secrets.token_hex(8)}"
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
    return draft
