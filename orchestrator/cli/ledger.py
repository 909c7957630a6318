"""`orchestrator ledger`: check the books, settle what a dead process left, export, roll up old months."""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import AsJson
from orchestrator.cli.output import CommandError, busy, errors_as_json, out, say_json, write
from orchestrator.cli.session import session_of
from orchestrator.core.formatting import money

if TYPE_CHECKING:
    from orchestrator.ledger.compact import Compaction
    from orchestrator.ledger.verify import Verification
    from orchestrator.reports.reconciliation import Reconciliation

EXIT_LEDGER = 6
_NAMED_MAX = 20
"""Of each kind of finding people see this many; --json has more."""
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")

app = typer.Typer(
    help="Check the ledger, settle what a dead process left, export it, roll up old months.",
    no_args_is_help=True,
)


@app.command()
def verify(context: typer.Context, as_json: AsJson = False) -> None:
    """Reckon every counter again from the rows; exit 6 when one differs.

    Also named: requests whose cost is not the sum of their attempts, attempts without a request
    (older than a minute), attempts that cost more than was held for them.
    """
    from orchestrator.core.clock import SystemClock
    from orchestrator.ledger.sqlite.reader import LedgerReader
    from orchestrator.ledger.verify import verify as reckon

    with errors_as_json(as_json):
        reader = LedgerReader(Path(session_of(context).config().settings.ledger.path).expanduser())
        if not reader.exists:
            _tell_none(reader.path, as_json=as_json)
            return
        with busy("reckoning the ledger"), reader:
            found = reckon(reader, now=SystemClock().now())
    if as_json:
        say_json(_plain_verification(found))
    else:
        write("".join(f"{line}\n" for line in _verification_lines(found)))
    if not found.counters_are_right:
        raise typer.Exit(EXIT_LEDGER)


@app.command()
def reconcile(
    context: typer.Context,
    older_than: Annotated[
        int,
        typer.Option(
            "--older-than", metavar="MINUTES", min=0,
            help="Holds of processes on other machines count as orphans from this age on.",
        ),
    ] = 10,
    book_as: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="bound|zero|estimate",
            help="What to book for an orphan; ledger.orphans of config.yaml if left out.", show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be booked, and book nothing.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Settle the holds of dead processes, and correct assumed costs by OpenRouter's own record.

    Doing it again changes nothing.
    """
    with errors_as_json(as_json):
        from orchestrator.core.clock import SystemClock
        from orchestrator.ledger.reconcile import OrphanPolicy
        from orchestrator.reports.reconciliation import ReconcileOptions
        from orchestrator.reports.reconciliation import reconcile as settle

        if book_as is not None and book_as not in {*OrphanPolicy}:
            raise CommandError(f"--as '{book_as}': choose {', '.join(OrphanPolicy)}")
        config = session_of(context).config()
        policy = OrphanPolicy(book_as or config.settings.ledger.orphans.value)
        order = ReconcileOptions(older_than=timedelta(minutes=older_than), policy=policy, dry_run=dry_run)
        with busy("reconciling"):
            done = settle(config, order, clock=SystemClock(), say=lambda _: None)
    if as_json:
        say_json({"dry_run": dry_run, "policy": policy.value, **_plain_reconciliation(done)})
    else:
        write("".join(f"{line}\n" for line in _reconciliation_lines(done, dry_run=dry_run)))


@app.command()
def export(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write into.")],
    as_format: Annotated[
        str, typer.Option("--format", metavar="parquet|csv", help="parquet needs the extra `parquet`.")
    ] = "csv",
    month: Annotated[str | None, typer.Option(help="YYYY-MM; everything if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write operations, attempts, corrections and the sums of compacted months as files.

    CSV is one file a table, Parquet one a table and month. Money is whole nano-dollars.
    """
    with errors_as_json(as_json):
        from orchestrator.ledger.sqlite.reader import LedgerReader
        from orchestrator.reports.export import ExportFormat
        from orchestrator.reports.export import export as write_files

        if as_format not in {*ExportFormat}:
            raise CommandError(f"--format '{as_format}': choose {' or '.join(ExportFormat)}")
        if month is not None and not _MONTH.fullmatch(month):
            raise CommandError(f"--month '{month}': write it as YYYY-MM, for example 2026-11")
        reader = LedgerReader(Path(session_of(context).config().settings.ledger.path).expanduser())
        if not reader.exists:
            _tell_none(reader.path, as_json=as_json)
            return
        with busy("exporting"):
            files = write_files(reader, output.expanduser(), as_format=ExportFormat(as_format), month=month)
    if as_json:
        told = [{"path": str(one.path), "table": one.table, "rows": one.rows} for one in files]
        say_json({"files": told})
    else:
        write("".join(f"{one.path}: {one.rows:,} rows\n" for one in files))


@app.command()
def compact(context: typer.Context, as_json: AsJson = False) -> None:
    """Roll up every month that is older than ledger.keep_days into sums, and drop its rows.

    Sums are kept by month, tenant, use case, provider and model. Export first what you want to keep.
    """
    with errors_as_json(as_json):
        from orchestrator.core.clock import SystemClock
        from orchestrator.ledger.budgets import Limits, period_of
        from orchestrator.ledger.compact import compact as roll_up
        from orchestrator.ledger.ledger import Ledger

        settings = session_of(context).config().settings
        clock = SystemClock()
        today = date.fromisoformat(period_of(clock.now(), settings.budgets.time_zone).day)
        ledger = Ledger(settings.ledger, limits=Limits(settings.budgets), clock=clock)
        if not ledger.path.exists():
            _tell_none(ledger.path, as_json=as_json)
            return
        try:
            ledger.check_writable()
            with busy("rolling up old months"):
                done = roll_up(ledger, today=today, keep_days=settings.ledger.keep_days)
        finally:
            ledger.close()
    if as_json:
        say_json(_plain_compaction(done))
    else:
        write("".join(f"{line}\n" for line in _compaction_lines(done, keep_days=settings.ledger.keep_days)))


def _tell_none(path: Path, *, as_json: bool) -> None:
    if as_json:
        say_json({"ledger": str(path), "exists": False})
    else:
        out().print(f"There is no ledger yet at {path}.", markup=False, soft_wrap=True)


def _verification_lines(found: "Verification") -> list[str]:
    from orchestrator.core.money import format_usd

    rows = found.rows
    lines = [", ".join(f"{rows[name]:,} {name}" for name in rows)]
    for name, one in found.sources.items():
        lines.append(f"  {name}: {one.attempts:,} attempts, {format_usd(one.cost_nusd)}")
    kinds = (
        (
            "counters that differ from their rows",
            [
                f"{one.scope} {one.period}: spent {one.counted_spent} counted, {one.booked_spent} in the rows; "
                f"held {one.counted_held} counted, {one.booked_held} in the rows (nano-dollars)"
                for one in found.differences
            ],
        ),
        (
            "requests whose cost is not the sum of their attempts",
            [
                f"{one.id}: {one.cost_nusd} told, {one.attempts_nusd} in its attempts, {one.corrections_nusd} corrected"
                for one in found.unequal_operations
            ],
        ),
        (
            "attempts without a request",
            [
                f"{one.operation_id} attempt {one.number} on {one.deployment}, {one.started_at}: {format_usd(one.cost_nusd)}"
                for one in found.unclaimed_attempts
            ],
        ),
        (
            "attempts that cost more than was held",
            [
                f"{one.operation_id} attempt {one.number} on {one.deployment}: "
                f"{format_usd(one.cost_nusd)} booked, {format_usd(one.held_nusd)} held"
                for one in found.excesses
            ],
        ),
    )
    for title, named in kinds:
        if named:
            lines.append(f"{len(named):,} {title}:")
            lines += [f"  {one}" for one in named[:_NAMED_MAX]]
            if len(named) > _NAMED_MAX:
                lines.append(f"  and {len(named) - _NAMED_MAX:,} more; --json names them")
    lines.append(
        "every counter is the sum of its rows" if found.counters_are_right else "the counters are wrong"
    )
    return lines


def _plain_verification(found: "Verification") -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "counters_are_right": found.counters_are_right,
        "rows": dict(found.rows),
        "differences": [asdict(one) for one in found.differences],
        "unequal_operations": [asdict(one) for one in found.unequal_operations],
        "unclaimed_attempts": [asdict(one) for one in found.unclaimed_attempts],
        "excesses": [asdict(one) for one in found.excesses],
        "cost_by_source": {
            name: {"attempts": one.attempts, **money("cost", one.cost_nusd)}
            for name, one in found.sources.items()
        },
    }


def _reconciliation_lines(done: "Reconciliation", *, dry_run: bool) -> list[str]:
    from orchestrator.core.money import format_usd

    would = "would be " if dry_run else ""
    lines = [
        f"orphan {one.orphan.hold.claim.operation_id} on {one.orphan.hold.claim.deployment} of "
        f"{one.orphan.process} ({one.orphan.life.value}): {would}booked {format_usd(one.cost_nusd)} "
        f"of {format_usd(one.orphan.hold.claim.bound_nusd)} held ({one.source.value})"
        for one in done.orphans
    ]
    lines += [
        f"{one.attempt.operation_id} on {one.attempt.deployment}: {would}corrected from "
        f"{format_usd(one.attempt.cost_nusd)} to {format_usd(one.cost_nusd)}"
        for one in done.corrections
    ]
    reasons = [one.reason for one in done.unanswered]
    lines += [f"{reasons.count(reason):,} assumed costs stay: {reason}" for reason in sorted(set(reasons))]
    return lines or ["nothing to reconcile"]


def _plain_reconciliation(done: "Reconciliation") -> dict[str, Any]:
    return {
        "orphans": [
            {
                "operation_id": one.orphan.hold.claim.operation_id,
                "attempt": one.orphan.hold.claim.number,
                "deployment": one.orphan.hold.claim.deployment,
                "process": one.orphan.process,
                "life": one.orphan.life.value,
                "held_at": one.orphan.hold.held_at.isoformat(),
                **money("held", one.orphan.hold.claim.bound_nusd),
                **money("cost", one.cost_nusd),
                "cost_source": one.source.value,
            }
            for one in done.orphans
        ],
        "corrections": [
            {
                "operation_id": one.attempt.operation_id,
                "attempt": one.attempt.number,
                "upstream_id": one.attempt.upstream_id,
                **money("booked", one.attempt.cost_nusd),
                **money("cost", one.cost_nusd),
                "delta_nusd": one.delta_nusd,
            }
            for one in done.corrections
        ],
        "unanswered": [
            {"operation_id": one.attempt.operation_id, "attempt": one.attempt.number, "reason": one.reason}
            for one in done.unanswered
        ],
    }


def _compaction_lines(done: "Compaction", *, keep_days: int) -> list[str]:
    from orchestrator.core.money import format_usd

    lines = [
        f"{one.month}: {one.requests:,} requests and {one.attempts:,} attempts rolled up, {format_usd(one.cost_nusd)}"
        for one in done.compacted
    ]
    lines += [f"{one.month}: kept, {one.reason}" for one in done.kept]
    return lines or [f"no month is older than {keep_days} days"]


def _plain_compaction(done: "Compaction") -> dict[str, Any]:
    return {
        "compacted": [
            {
                "month": one.month,
                "requests": one.requests,
                "attempts": one.attempts,
                **money("cost", one.cost_nusd),
            }
            for one in done.compacted
        ],
        "kept": [{"month": one.month, "reason": one.reason} for one in done.kept],
    }
