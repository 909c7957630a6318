"""`orchestrator ledger backup` and `restore`: whole copies of the books, checked both times."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import AsJson
from orchestrator.cli.output import busy, errors_as_json, print_json, write
from orchestrator.cli.session import session_of
from orchestrator.core.formatting import count_text
from orchestrator.core.home_paths import expanded

if TYPE_CHECKING:
    from orchestrator.ledger.verify import Verification

_EXIT_LEDGER = 6


def write_backup(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The new file; FILE.sha256 is its checksum.")],
    as_json: AsJson = False,
) -> None:
    """Copy the ledger as of one moment to a new file, while others use it, and check the copy.

    Prompts and replies that are kept are not in it.
    """
    with errors_as_json(as_json):
        from orchestrator.core.clock import SystemClock
        from orchestrator.ledger.backup import back_up

        settings = session_of(context).config().settings
        with busy("copying the ledger"):
            taken = back_up(settings.ledger, expanded(path), now=SystemClock().now())
    if as_json:
        print_json(
            {"path": str(taken.path), "sha256": taken.sha256, "size_bytes": taken.size_bytes}
            | _plain(taken.verification)
        )
    else:
        write(
            f"{taken.path}: {_contents(taken.verification)}{taken.size_bytes:,} bytes\nsha256 {taken.sha256}\n"
        )
    _end(taken.verification)


def restore_backup(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    as_json: AsJson = False,
) -> None:
    """Make a backup the ledger again, once every process that uses the ledger has stopped.

    The ledger of before is kept beside it. What was booked since the backup is not in the books any more.
    """
    with errors_as_json(as_json):
        from orchestrator.core.clock import SystemClock
        from orchestrator.ledger.backup import restore as put_back

        settings = session_of(context).config().settings
        with busy("checking the backup"):
            restored = put_back(settings.ledger, expanded(path), now=SystemClock().now())
    former = None if restored.former is None else str(restored.former)
    if as_json:
        print_json(
            {"ledger": str(restored.ledger), "former": former, "open_holds": restored.open_holds}
            | _plain(restored.verification)
        )
    else:
        write(f"{restored.ledger}: {_contents(restored.verification)}restored from {path}\n")
        write(f"the ledger of before is {former}\n" if former else "")
        if restored.open_holds:
            write(
                f"{count_text(restored.open_holds, 'hold')} open: 'orchestrator ledger reconcile' settles what is orphaned\n"
            )
    _end(restored.verification)


def _contents(verification: "Verification | None") -> str:
    if verification is None:
        return ""
    rows = verification.rows
    return f"{count_text(rows['operations'], 'request')}, {count_text(rows['attempts'], 'attempt')}, "


def _plain(verification: "Verification | None") -> dict[str, object]:
    return (
        {}
        if verification is None
        else {"rows": dict(verification.rows), "counters_are_right": verification.counters_are_right}
    )


def _end(verification: "Verification | None") -> None:
    if verification is not None and not verification.counters_are_right:
        write("its counters are wrong: 'orchestrator ledger verify' names them\n")
        raise typer.Exit(_EXIT_LEDGER)
