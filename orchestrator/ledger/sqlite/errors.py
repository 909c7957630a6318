"""What SQLite's errors mean for the ledger, and what to do about them."""

import sqlite3
from pathlib import Path

from orchestrator.core.errors import LedgerError
from orchestrator.ledger.store import LedgerBusyError

NOTHING_SENT = "Nothing is sent that cannot be booked."


def explained(error: Exception, *, path: Path, waited_s: float) -> LedgerError:
    """Return the ledger's error for one of SQLite's or of the file system's."""
    # Without the path, whose words say nothing about what went wrong.
    if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return LedgerError(
            f"cannot write this into the ledger {path}: {error}; its rows say otherwise, and nothing of it is kept. "
            "'orchestrator ledger verify' says whether the ledger is right; if it is, this program is at fault"
        )
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if "disk is full" in text or "No space" in text:
        todo = "free some space on that disk"
    elif "disk I/O error" in text:
        todo = "look at the disk: a quota, a limit of file size, or the disk itself fails"
    elif "locked" in text:
        todo = f"another process holds it for longer than {waited_s:g} s; see which with 'fuser'"
    elif "not a database" in text or "malformed" in text:
        # SQLite says so too when the disk fails to read.
        todo = (
            "look at the disk, which may fail to read; if it is well, the file is damaged or no ledger: "
            "restore the last good copy with 'orchestrator ledger restore'"
        )
    else:
        todo = "make the file and its folder writable, or set ledger.path in config.yaml"
    is_busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
    kind = LedgerBusyError if is_busy else LedgerError
    return kind(f"cannot use the ledger {path}: {text}; {todo}. {NOTHING_SENT}")


def in_use(path: Path) -> LedgerBusyError:
    """Return the error of a booking that finds others at the ledger: an event loop does not wait for them."""
    return LedgerBusyError(
        f"others use the ledger {path} at this moment. The booking is kept and written as soon as they are done; "
        "what was held for it stays counted."
    )


def kept(error: LedgerError) -> LedgerError:
    """Return the error of a booking that is kept: what was sent was held before, and is booked later."""
    text = str(error).removesuffix(NOTHING_SENT)
    return type(error)(
        f"{text}The booking is kept and written with the next transaction; what was held for it stays counted."
    )
