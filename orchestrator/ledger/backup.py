"""Backups of a ledger: checked when they are taken and again when they are put back.

    backup = back_up(settings.ledger, Path("/backups/ledger-2026-11-28.sqlite3"), now=clock.now())

A backup is one file, with its SHA-256 in another beside it as `sha256sum --check` reads it. Prompts and
replies
that are kept have a file of their own and are in no backup.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from orchestrator.core.bounded_file import MIB, read_bounded
from orchestrator.core.errors import LedgerError
from orchestrator.core.home_paths import expanded
from orchestrator.core.whole_file import PRIVATE, write_whole
from orchestrator.ledger.opening import LedgerSettings
from orchestrator.ledger.reader import LedgerReader
from orchestrator.ledger.sqlite.whole_copies import put_back, sha256_of, take_copy
from orchestrator.ledger.verify import Verification, verify

_CHECKSUM = ".sha256"


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that was taken."""

    path: Path
    sha256: str
    size_bytes: int
    verification: Verification | None
    """None of a ledger with an older schema, which is copied as it is."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A copy that is the ledger now."""

    ledger: Path
    former: Path | None
    """Where the ledger of before is, None where there was none."""
    verification: Verification
    open_holds: int
    """Sends that were under way when the copy was taken: 'ledger reconcile' settles them."""


def back_up(settings: LedgerSettings, target: Path, *, now: datetime) -> Backup:
    """Copy the ledger as of one moment to a new file, while others use it.

    Raises:
        LedgerError: there is no ledger, it is damaged, or the file is there or cannot be written.
    """
    taken = take_copy(expanded(settings.path), target)
    try:
        write_whole(_checksum_of(target), f"{taken.sha256}  {target.name}\n".encode(), mode=PRIVATE)
    except OSError as exc:
        raise LedgerError(f"{_checksum_of(target)} cannot be written: {exc.strerror or exc}") from exc
    return Backup(
        target, taken.sha256, target.stat().st_size, _verified(target, now) if taken.is_current else None
    )


def restore(settings: LedgerSettings, source: Path, *, now: datetime) -> Restored:
    """Make a backup the ledger again; no process may have the ledger open. The ledger of before is kept.

    Raises:
        LedgerError: the backup is not what was written, is damaged or no ledger, or a process has the
        ledger open.
    """
    _check_sum(source)
    ledger = expanded(settings.path)
    former = put_back(source, ledger, aside=f".before-{now:%Y%m%dT%H%M%S.%f}")
    verification = _verified(ledger, now)
    return Restored(ledger, former, verification, verification.rows["holds"])


def _verified(ledger: Path, now: datetime) -> Verification:
    with LedgerReader(ledger) as view:
        return verify(view, now=now)


def _checksum_of(backup: Path) -> Path:
    return backup.with_name(f"{backup.name}{_CHECKSUM}")


def _check_sum(backup: Path) -> None:
    """Compare a backup with the sum that was written beside it; a copy of another kind has none."""
    if not backup.is_file():
        raise LedgerError(f"there is no file {backup}")
    try:
        words = read_bounded(_checksum_of(backup), bytes_max=MIB).decode(errors="replace").split()
    except FileNotFoundError:
        return
    except OSError as exc:
        raise LedgerError(f"{_checksum_of(backup)} cannot be read: {exc.strerror or exc}") from exc
    if words[:1] != [sha256_of(backup)]:
        raise LedgerError(
            f"{backup} is not what was backed up: its SHA-256 differs from that in {_checksum_of(backup).name}; "
            "take another copy"
        )
