"""`orchestrator ledger`: check and correct the books, settle what a dead process left, export, roll up."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import backup
from orchestrator.cli.options import AsJson
from orchestrator.cli.output import CommandError, busy, errors_as_json, out, print_json, write
from orchestrator.cli.session import session_of
from orchestrator.core.formatting import count_text
from orchestrator.core.home_paths import expanded

if TYPE_CHECKING:
    from orchestrator.ledger.compact import Compaction
    from orchestrator.ledger.ledger import Ledger
    from orchestrator.ledger.reconcile import SettledOrphan
    from orchestrator.ledger.verify import Verification
    from orchestrator.reports.reconciliation import Reconciliation

EXIT_LEDGER = 6
_NAMED_MAX = 20
"""People see this many mistakes of each kind; --json has more."""
_COLUMNS = 60
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")

app = typer.Typer(
    help="Back up, restore, check and correct the ledger, settle what a dead process left, export, roll up.",
    no_args_is_help=True,
)


app.command("backup")(backup.write_backup)
app.command("restore")(backup.restore_backup)


@app.command()
def verify(context: typer.Context, as_json: AsJson = False) -> None:
    """Reckon every counter and every kept sum again from the rows; exit 6 when one differs.

    Also 6 where this is not the file that running processes book into, as far as that can be told.
    Also named: requests whose cost is not the sum of their attempts, attempts without a request
    (older than a minute), attempts that cost more than was held for them.
    """
    from orchestrator.core.clock import SystemClock
    from orchestrator.ledger.opening import open_view, strays
    from orchestrator.ledger.verify import verify as reckon
    from orchestrator.reports.ledger_views import plain_verification

    with errors_as_json(as_json):
        settings, clock = session_of(context).config().settings.ledger, SystemClock()
        view = open_view(settings)
        if not view.exists:
            _show_no_ledger(view.location, as_json=as_json)
            return
        with busy("reckoning the ledger"):
            others = strays(settings, clock=clock)
            with view:
                verification = reckon(view, now=clock.now(), strays=others)
    if as_json:
        print_json(plain_verification(verification))
    else:
        write("".join(f"{line}\n" for line in _wrapped(_verification_lines(verification))))
    if not verification.is_right:
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be booked, and book nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Settle the holds of dead processes, and correct assumed costs by OpenRouter's own record.

    Doing it again changes nothing.
    """
    with errors_as_json(as_json):
        from orchestrator.core.clock import SystemClock
        from orchestrator.ledger.reconcile import OrphanPolicy
        from orchestrator.reports.ledger_views import plain_reconciliation
        from orchestrator.reports.reconciliation import ReconcileOptions
        from orchestrator.reports.reconciliation import reconcile as settle

        if book_as is not None and book_as not in {*OrphanPolicy}:
            raise CommandError(f"--as '{book_as}': choose {', '.join(OrphanPolicy)}")
        config = session_of(context).config()
        policy = OrphanPolicy(book_as or config.settings.ledger.orphans.value)
        order = ReconcileOptions(older_than=timedelta(minutes=older_than), policy=policy, dry_run=dry_run)
        with busy("reconciling"):
            reconciliation = settle(config, order, clock=SystemClock(), say=lambda _: None)
    if as_json:
        print_json({"dry_run": dry_run, "policy": policy.value, **plain_reconciliation(reconciliation)})
    else:
        write("".join(f"{line}\n" for line in _reconciliation_lines(reconciliation, dry_run=dry_run)))


@app.command("correct")
def correct_attempt(
    context: typer.Context,
    request_id: Annotated[
        str, typer.Argument(metavar="REQUEST", help="The id of a request, or its beginning.")
    ],
    cost: Annotated[str, typer.Option(metavar="DOLLARS", help="What the attempt did cost.")],
    reason: Annotated[str, typer.Option(help="Why, for whoever audits the books.")],
    attempt: Annotated[int, typer.Option(min=1, help="Which of its attempts.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Book what an attempt did cost, where a provider reported nonsense: a row of its own, with the reason.

    The attempt's row stays. Budgets count the difference in the day and month of the attempt.
    """
    with errors_as_json(as_json):
        from orchestrator.core.formatting import money
        from orchestrator.core.money import format_usd, typed_usd
        from orchestrator.requests.lookup import find_booked_id

        try:
            cost_nusd = typed_usd(cost)
        except ValueError as exc:
            raise CommandError(f"--cost '{cost}': {exc}") from exc
        with _open_ledger(context) as ledger:
            request_id = find_booked_id(ledger.store.view(), request_id)
            delta_nusd = ledger.correct(request_id, attempt, cost_nusd=cost_nusd, reason=reason)
    if as_json:
        booked = {"operation_id": request_id, "attempt": attempt, "delta_nusd": delta_nusd}
        print_json({**booked, **money("cost", cost_nusd)})
    elif delta_nusd:
        write(
            f"attempt {attempt} of {request_id}: {format_usd(delta_nusd)} booked, now {format_usd(cost_nusd)}\n"
        )
    else:
        write(f"attempt {attempt} of {request_id} is booked at {format_usd(cost_nusd)} already\n")


@app.command("time-zone")
def change_time_zone(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ZONE", help="An IANA name: Asia/Ho_Chi_Minh.")],
) -> None:
    """Count days and months of another zone from now on; no hold may be open.

    What was booked stays in its day. Write the zone into config.yaml too, as budgets.time_zone.
    """
    with errors_as_json(False):
        from orchestrator.ledger.budgets import known_zone

        try:
            zone = known_zone(name)
        except ValueError as exc:
            raise CommandError(str(exc)) from exc
        with _open_ledger(context) as ledger:
            before = ledger.store.change_time_zone(zone)
    write(
        f"the ledger counts days of {zone} from now on, until now {before or 'of none'};\n"
        f"write 'time_zone: {zone}' under budgets in config.yaml too, or nothing more is sent\n"
    )


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
        from orchestrator.ledger.opening import open_view
        from orchestrator.reports.export import ExportFormat
        from orchestrator.reports.export import export as write_files
        from orchestrator.reports.ledger_views import plain_files

        if as_format not in {*ExportFormat}:
            raise CommandError(f"--format '{as_format}': choose {' or '.join(ExportFormat)}")
        if month is not None and not _MONTH.fullmatch(month):
            raise CommandError(f"--month '{month}': write it as YYYY-MM, for example 2026-11")
        view = open_view(session_of(context).config().settings.ledger)
        if not view.exists:
            _show_no_ledger(view.location, as_json=as_json)
            return
        with busy("exporting"):
            files = write_files(view, expanded(output), as_format=ExportFormat(as_format), month=month)
    if as_json:
        print_json(plain_files(files))
    else:
        write("".join(f"{file.path}: {count_text(file.rows, 'row')}\n" for file in files))


@app.command()
def compact(context: typer.Context, as_json: AsJson = False) -> None:
    """Roll up every month that is older than ledger.keep_days into sums, and drop its rows.

    Sums are kept by month, tenant, use case, provider and model. Export first what you want to keep.
    """
    with errors_as_json(as_json):
        from orchestrator.core.clock import SystemClock
        from orchestrator.ledger.budgets import Limits, period_of
        from orchestrator.ledger.compact import compact as roll_up
        from orchestrator.ledger.opening import open_ledger
        from orchestrator.reports.ledger_views import plain_compaction

        settings = session_of(context).config().settings
        clock = SystemClock()
        today = date.fromisoformat(period_of(clock.now(), settings.budgets.time_zone).day)
        ledger = open_ledger(settings.ledger, limits=Limits(settings.budgets), clock=clock)
        if not ledger.exists:
            _show_no_ledger(ledger.location, as_json=as_json)
            return
        try:
            ledger.check_writable()
            with busy("rolling up old months"):
                compaction = roll_up(ledger, today=today, keep_days=settings.ledger.keep_days)
        finally:
            ledger.close()
    if as_json:
        print_json(plain_compaction(compaction))
    else:
        write(
            "".join(
                f"{line}\n" for line in _compaction_lines(compaction, keep_days=settings.ledger.keep_days)
            )
        )


@contextmanager
def _open_ledger(context: typer.Context) -> "Iterator[Ledger]":
    """Open the ledger of the configuration, which must be there, and close it."""
    from orchestrator.core.clock import SystemClock
    from orchestrator.ledger.budgets import Limits
    from orchestrator.ledger.opening import open_ledger

    settings = session_of(context).config().settings
    ledger = open_ledger(settings.ledger, limits=Limits(settings.budgets), clock=SystemClock())
    if not ledger.exists:
        raise CommandError(f"there is no ledger yet at {ledger.location}")
    try:
        yield ledger
    finally:
        ledger.close()


def _show_no_ledger(location: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"ledger": location, "exists": False})
    else:
        out().print(f"There is no ledger yet at {location}.", markup=False, soft_wrap=True)


def _verification_lines(verification: "Verification") -> list[str]:
    from orchestrator.core.money import format_usd

    counted = [
        f"{count:,} {'sums of months' if name == 'monthly' else name}"
        for name, count in verification.rows.items()
    ]
    # What was booked, and what is reckoned from it.
    lines = [", ".join(counted[:-2]), ", ".join(counted[-2:])]
    for name, source in verification.sources.items():
        lines.append(f"  {name}: {count_text(source.attempts, 'attempt')}, {format_usd(source.cost_nusd)}")
    lines += _mistake_lines("counters that differ from their rows", _counter_lines(verification))
    lines += _mistake_lines(
        "requests whose cost is not the sum of their attempts", _operation_lines(verification)
    )
    lines += _mistake_lines("attempts without a request", _unclaimed_lines(verification))
    lines += _mistake_lines("attempts that cost more than was held", _excess_lines(verification))
    lines += _mistake_lines(
        "days whose kept sums differ from their rows ('DELETE FROM summed_days' in the file has them read anew)",
        list(verification.unequal_days),
    )
    right = verification.counters_are_right
    lines.append("every counter is the sum of its rows" if right else "the counters are wrong")
    return [*lines, *verification.strays]


def _wrapped(lines: list[str]) -> Iterator[str]:
    """Yield lines that fit into a narrow terminal, what goes on a little further in; words stay whole."""
    for line in lines:
        indent = line[: len(line) - len(line.lstrip())] + "  "
        yield from wrap(
            line, _COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )


def _mistake_lines(title: str, mistakes: list[str]) -> list[str]:
    """Return a heading with the first mistakes of one kind under it; nothing without a mistake."""
    if not mistakes:
        return []
    lines = [f"{len(mistakes):,} {title}:", *(f"  {mistake}" for mistake in mistakes[:_NAMED_MAX])]
    if len(mistakes) > _NAMED_MAX:
        lines.append(f"  and {len(mistakes) - _NAMED_MAX:,} more; --json names them")
    return lines


def _counter_lines(verification: "Verification") -> list[str]:
    return [
        f"{counter.scope} {counter.period}: "
        f"spent {counter.counted_spent} counted, {counter.booked_spent} in the rows; "
        f"held {counter.counted_held} counted, {counter.booked_held} in the rows (nano-dollars)"
        for counter in verification.differences
    ]


def _operation_lines(verification: "Verification") -> list[str]:
    return [
        f"{operation.id}: {operation.cost_nusd} told, {operation.attempts_nusd} in its attempts, "
        f"{operation.corrections_nusd} corrected"
        for operation in verification.unequal_operations
    ]


def _unclaimed_lines(verification: "Verification") -> list[str]:
    from orchestrator.core.money import format_usd

    return [
        f"{attempt.operation_id} attempt {attempt.number} on {attempt.deployment}, {attempt.started_at}: "
        f"{format_usd(attempt.cost_nusd)}"
        for attempt in verification.unclaimed_attempts
    ]


def _excess_lines(verification: "Verification") -> list[str]:
    from orchestrator.core.money import format_usd

    return [
        f"{attempt.operation_id} attempt {attempt.number} on {attempt.deployment}: "
        f"{format_usd(attempt.cost_nusd)} booked, {format_usd(attempt.held_nusd)} held"
        for attempt in verification.excesses
    ]


def _reconciliation_lines(reconciliation: "Reconciliation", *, dry_run: bool) -> list[str]:
    from orchestrator.core.money import format_usd

    would = "would be " if dry_run else ""
    lines = [_orphan_line(settled, would) for settled in reconciliation.orphans]
    lines += [
        f"{corrected.attempt.operation_id} on {corrected.attempt.deployment}: {would}corrected from "
        f"{format_usd(corrected.attempt.cost_nusd)} to {format_usd(corrected.cost_nusd)}"
        for corrected in reconciliation.corrections
    ]
    reasons = [unanswered.reason for unanswered in reconciliation.unanswered]
    lines += [f"{reasons.count(reason):,} assumed costs stay: {reason}" for reason in sorted(set(reasons))]
    return lines or ["nothing to reconcile"]


def _orphan_line(settled: "SettledOrphan", would: str) -> str:
    from orchestrator.core.money import format_usd

    orphan, claim = settled.orphan, settled.orphan.hold.request
    return (
        f"orphan {claim.operation_id} on {claim.deployment} of {orphan.process} ({orphan.life.value}): "
        f"{would}booked {format_usd(settled.cost_nusd)} of {format_usd(claim.bound_nusd)} held "
        f"({settled.source.value})"
    )


def _compaction_lines(compaction: "Compaction", *, keep_days: int) -> list[str]:
    from orchestrator.core.money import format_usd

    lines = [
        f"{rolled_up.month}: {count_text(rolled_up.requests, 'request')} and "
        f"{count_text(rolled_up.attempts, 'attempt')} rolled up, "
        f"{format_usd(rolled_up.cost_nusd)}"
        for rolled_up in compaction.compacted
    ]
    lines += [f"{kept.month}: kept, {kept.reason}" for kept in compaction.kept]
    return lines or [f"no month is older than {keep_days} days"]
