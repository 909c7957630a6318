"""What a look from outside tells of a ledger's file: whether it is the one that running processes book into.

Two signs are left while such processes run: a file that does not belong to its log, because another was
copied over it; and, on Linux, processes that have a file of this name open which no longer has a name.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from orchestrator.core.clock import Clock
from orchestrator.ledger.sqlite.busy_retry import BusyRetry
from orchestrator.ledger.sqlite.file_contents import FileContents
from orchestrator.ledger.sqlite.file_identity import FileIdentity, LedgerLostError
from orchestrator.ledger.store import LedgerBusyError

_LOOK_S = 2.0
_GONE = " (deleted)"
_TODO = "stop every process that uses it, put the last good copy back with 'orchestrator ledger restore', and start again"


def strays_of(path: Path, *, clock: Clock, processes: Path = Path("/proc")) -> tuple[str, ...]:
    """Return what speaks against a file, a sentence each; nothing where nothing can be told.

    `processes` is where Linux shows them.
    """
    doubts = []
    if not _belongs_to_its_log(path, clock):
        doubts.append(
            "the file and its log do not belong together: an older copy, or another ledger, was copied over it while "
            f"processes had it open, and what they booked since is not in it; {_TODO}"
        )
    pids = sorted(_with_a_lost_file(path, processes))
    if pids:
        named = ", ".join(map(str, pids))
        doubts.append(
            f"this is not the file that running processes book into: {'processes' if len(pids) > 1 else 'process'} "
            f"{named} opened one of this name that was deleted or replaced since, so this one is an older copy or a "
            f"new ledger; {_TODO}"
        )
    return tuple(doubts)


def _belongs_to_its_log(path: Path, clock: Clock) -> bool:
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    identity, contents = FileIdentity(path), FileContents(path)
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=0)) as connection:
            BusyRetry(limit_s=_LOOK_S, clock=clock).wait(lambda: contents.check(connection, identity.check()))
    except LedgerLostError:
        return False
    except (LedgerBusyError, sqlite3.Error, OSError):
        # Whoever reads the rows next says what is wrong.
        return True
    return True


def _with_a_lost_file(path: Path, processes: Path) -> Iterator[int]:
    """Yield the processes that have a deleted file of this name open, as far as this user may see them."""
    name = f"{path.resolve()}{_GONE}"
    for folder in processes.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(_target(link) == name for link in (folder / "fd").iterdir()):
                yield int(folder.name)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
