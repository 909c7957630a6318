"""The time zone whose days a ledger counts: it belongs to the file, and whoever books has the same.

Two processes that end their days at different hours would each have a limit of its own.
"""

import sqlite3
from pathlib import Path

from orchestrator.core.errors import LedgerError
from orchestrator.ledger.sqlite.queries import TIME_ZONE

_WRITE = "INSERT OR REPLACE INTO about VALUES ('time_zone', ?)"


def zone_of(connection: sqlite3.Connection) -> str | None:
    """Return the zone whose days the ledger counts, None before the first hold."""
    row = connection.execute(TIME_ZONE).fetchone()
    return None if row is None else str(row[0])


def take_zone(connection: sqlite3.Connection, time_zone: str, *, path: Path) -> None:
    """Make a zone the ledger's own where it has none yet, in the caller's transaction.

    Raises:
        LedgerError: the ledger counts days of another zone; says what to do.
    """
    of_ledger = zone_of(connection)
    if of_ledger is None:
        connection.execute(_WRITE, (time_zone,))
    elif of_ledger != time_zone:
        raise other_zone(path, of_ledger=of_ledger, configured=time_zone)


def change_zone(connection: sqlite3.Connection, time_zone: str, *, path: Path) -> str | None:
    """Count days of another zone from now on, in the caller's transaction; return whose were counted before.

    Raises:
        LedgerError: holds are open, so a process may be booking into days of the zone before.
    """
    held = connection.execute("SELECT COUNT(*) FROM holds").fetchone()[0]
    if held:
        raise LedgerError(
            f"the ledger {path} has {held} open holds, so its time zone stays: stop the processes that use it, "
            "then 'orchestrator ledger reconcile' settles what they left"
        )
    before = zone_of(connection)
    connection.execute(_WRITE, (time_zone,))
    return before


def other_zone(path: Path, *, of_ledger: str, configured: str) -> LedgerError:
    """Return the error of a configuration whose days are not the ledger's."""
    return LedgerError(
        f"the ledger {path} counts days of {of_ledger}, config.yaml says {configured}: write "
        f"'time_zone: {of_ledger}' under budgets, or change the ledger with 'orchestrator ledger time-zone "
        f"{configured}', or give this configuration a ledger.path of its own. Nothing is sent that cannot be booked."
    )
