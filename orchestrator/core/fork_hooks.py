"""What happens at a fork: files are closed first, and the child forgets what only its parent has under way.

An SQLite file must not be open across a fork. The child would inherit SQLite's belief in locks that only
the parent holds; a parent that closes then, alone by its own count, deletes the write-ahead log under
the child, and what the child has booked is lost.

And what runs on the parent's event loop never ends in the child: places it has taken would never be free
there, and a caller that joined it would wait in vain.
"""

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Something that must hold still while the process forks."""

    def before_fork(self) -> None:
        """Let no caller in, and close what must not be open twice."""
        ...

    def after_fork(self) -> None:
        """Let callers in again, in the parent as in the child."""
        ...


class Inherited(Protocol):
    """Something that counts or names what is under way."""

    def begin_anew(self) -> None:
        """Forget, in a child, what is under way in its parent."""
        ...


_inherited: "weakref.WeakSet[Inherited]" = weakref.WeakSet()
_watched: "weakref.WeakSet[Forkable]" = weakref.WeakSet()
_still: list[Forkable] = []


def hold_still(forkable: Forkable) -> None:
    """Have `forkable` hold still at every fork, for as long as it lives."""
    _watched.add(forkable)


def forget_in_child(inherited: Inherited) -> None:
    """Have `inherited` begin anew in every forked child, for as long as it lives."""
    _inherited.add(inherited)


def _before() -> None:
    for forkable in tuple(_watched):
        forkable.before_fork()
        _still.append(forkable)


def _after() -> None:
    while _still:
        _still.pop().after_fork()


def _after_in_child() -> None:
    _after()
    for inherited in tuple(_inherited):
        inherited.begin_anew()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after_in_child)
