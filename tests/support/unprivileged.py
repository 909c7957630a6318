"""Acts as a user to whom file permissions apply, where tests run as root."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65_534


@contextmanager
def unprivileged(*paths: Path) -> Iterator[None]:
    """Own `paths` and act as nobody; as another user than root change nothing."""
    if os.geteuid() != 0:
        yield
        return
    for one in paths:
        os.chown(one, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
