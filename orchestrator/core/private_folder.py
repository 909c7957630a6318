"""Folders and files for what is nobody else's: each that has to be made is for its owner alone."""

import contextlib
import errno
import os
from pathlib import Path
from uuid import uuid4


def make_private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, whatever the umask is; what is there stays.

    Raises:
        OSError: it cannot be made, or a file stands in its place.
    """
    missing = [level for level in (folder, *folder.parents) if not level.exists()]
    for level in reversed(missing):
        level.mkdir(mode=0o700, exist_ok=True)
    # Says so where a file stands there.
    folder.mkdir(mode=0o700, exist_ok=True)


def make_private_file(path: Path) -> None:
    """Make an empty file that only its owner may read, and take the rights of others from one that is there.

    Raises:
        OSError: it cannot be made, or is another user's.
    """
    # Opens no file that is there: to close one would drop the locks that SQLite has on it.
    path.touch(mode=0o600)
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)


def write_new_private_file(path: Path, content: bytes) -> None:
    """Write a file that is not there yet and that only its owner may read.

    Raises:
        OSError: it is there, be it as a link, or cannot be written.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def replace_private_file(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read in the place of what has its name, be it a link; whole.

    Raises:
        OSError: it cannot be written; what was there is as it was.
    """
    beside = path.with_suffix(f".{uuid4().hex}")
    write_new_private_file(beside, content)
    beside.replace(path)


def check_folder_of(path: Path) -> None:
    """Check that not every user of this machine may put a file in the place of this one, and that none did.

    Raises:
        OSError: they may, one did, or its folder is not there.
    """
    if anybody_may_write(path.parent):
        words = "every user of this machine may write into its folder, take that right away with 'chmod o-w'"
        raise PermissionError(errno.EACCES, words, str(path.parent))
    refuse_planted(path)


def refuse_planted(path: Path) -> None:
    """Check that no other user has put a file, or what leads to it, into a folder that everybody may write.

    Raises:
        OSError: one did; says where, and what to do.
    """
    strange = planted(path)
    if strange is not None:
        raise PermissionError(errno.EACCES, words_on_planted(strange), str(path))


def planted(path: Path) -> Path | None:
    """Return what another user has put on the way to a file, in a folder that every user may write.

    What root has put there is the machine's own; elsewhere only who may write the folder has put it there.
    """
    if os.name != "posix":
        return None
    trusted = {0, os.geteuid()}
    for end in dict.fromkeys((os.path.abspath(path), os.path.realpath(path))):  # noqa: PTH100 -- keeps the links
        for level in (Path(end), *Path(end).parents):
            # Whoever may not look at a folder cannot be led through it either.
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                if level.lstat().st_uid not in trusted and anybody_may_write(level.parent):
                    return level
    return None


def words_on_planted(strange: Path) -> str:
    """Return what to do about what `planted` has found."""
    return (
        f"another user of this machine has put {strange} there, for everybody may write into {strange.parent}: see whose "
        "it is, and name a folder of your own"
    )


def anybody_may_write(folder: Path) -> bool:
    """Return whether every user of this machine may put a file into a folder.

    Kubernetes mounts secrets into folders that look so, and that nobody can write.
    """
    is_read_only = hasattr(os, "statvfs") and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    return os.name == "posix" and bool(folder.stat().st_mode & 0o002) and not is_read_only
