"""What happens to open files when the process forks: they are closed first, and opened again by whoever needs them.

An SQLite file must not be open across a fork. The child would inherit SQLite's belief in locks that only
the parent holds; a parent that closes then, alone by its own count, deletes the write-ahead log under
the child, and what the child has booked is lost.
"""

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Something that must hold still while the process forks."""

    def before_fork(self) -> None:
        """Let nobody in, and close what must not be open twice."""
        ...

    def after_fork(self) -> None:
        """Let everybody in again, in the parent as in the child."""
        ...


_watched: "weakref.WeakSet[Forkable]" = weakref.WeakSet()
_still: list[Forkable] = []


def hold_still(thing: Forkable) -> None:
    """Have `thing` hold still at every fork, for as long as it lives."""
    _watched.add(thing)


def _before() -> None:
    for thing in tuple(_watched):
        thing.before_fork()
        _still.append(thing)


def _after() -> None:
    while _still:
        _still.pop().after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after)
