"""Folders and files for what is nobody else's: each that has to be made is for its owner alone."""

from pathlib import Path


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
