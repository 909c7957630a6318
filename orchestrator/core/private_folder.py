"""A folder for what is nobody else's: each level that has to be made is for its owner alone."""

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
