"""Opens the ledger that the settings name: the one place that chooses a back end."""

from typing import Annotated

from pydantic import Field

from orchestrator.core.alerts import Alerts
from orchestrator.core.clock import Clock
from orchestrator.core.home_paths import expanded
from orchestrator.core.settings import FileText, Seconds, Settings
from orchestrator.ledger.budgets import Limits
from orchestrator.ledger.compact import KEEP_DAYS_MIN
from orchestrator.ledger.contents import ContentStore
from orchestrator.ledger.ledger import Ledger, late_alert
from orchestrator.ledger.reader import LedgerReader
from orchestrator.ledger.records import OrphanCost
from orchestrator.ledger.sqlite.contents import SqliteContents
from orchestrator.ledger.sqlite.counting_store import CountingStore
from orchestrator.ledger.sqlite.store import SqliteStore
from orchestrator.ledger.sqlite.strays import strays_of
from orchestrator.ledger.store import LedgerView


class LedgerSettings(Settings):
    """Where the ledger is kept."""

    path: FileText = "~/.nextflow-orchestrator/ledger.sqlite3"
    """A file on a local disk (not a network share); every process that shares it shares the budgets."""
    lock_timeout_s: Seconds = 5.0
    """How long a transaction waits for other processes before it gives up."""
    orphans: OrphanCost = OrphanCost.BOUND
    """What 'ledger reconcile' books for a send whose process died: all that was held, or nothing."""
    keep_days: Annotated[int, Field(ge=KEEP_DAYS_MIN)] = 400
    """'orchestrator ledger compact' rolls up months of which every row is older than this."""


def open_ledger(
    settings: LedgerSettings, *, limits: Limits, clock: Clock, alerts: Alerts | None = None
) -> Ledger:
    """Return the ledger of the settings; its file is opened with the first use."""
    alerts = alerts or Alerts()
    store = SqliteStore(
        expanded(settings.path),
        lock_timeout_s=settings.lock_timeout_s,
        clock=clock,
        on_late=late_alert(alerts, clock),
    )
    return Ledger(store, limits=limits, clock=clock, alerts=alerts)


def counting_ledger(*, limits: Limits, clock: Clock) -> Ledger:
    """Return a ledger that counts in memory and keeps no row: for requests that are replayed."""
    return Ledger(CountingStore(clock=clock), limits=limits, clock=clock)


def open_view(settings: LedgerSettings) -> LedgerView:
    """Return a read-only look at the ledger of the settings, to be entered with `with`; it makes no file."""
    return LedgerReader(expanded(settings.path))


def strays(settings: LedgerSettings, *, clock: Clock) -> tuple[str, ...]:
    """Return why this is not the ledger that running processes book into, if that can be told."""
    return strays_of(expanded(settings.path), clock=clock)


def open_contents(settings: LedgerSettings, *, clock: Clock) -> ContentStore:
    """Return what keeps prompts and replies beside the ledger; its file is made when something is kept."""
    ledger = expanded(settings.path)
    path = ledger.with_name(f"{ledger.stem}.content{ledger.suffix}")
    return SqliteContents(path, lock_timeout_s=settings.lock_timeout_s, clock=clock)
