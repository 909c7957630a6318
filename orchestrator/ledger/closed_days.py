"""Sums the days that are over, once each, so that reports need not read their rows.

Nothing depends on it but the time that a report takes: a day that is not summed, or into which something was
booked later, is read from its rows.
"""

from datetime import datetime

from orchestrator.ledger.periods import period_of
from orchestrator.ledger.store import LedgerStore


def sum_closed_days(store: LedgerStore, *, now: datetime, time_zone: str, since: str = "") -> int:
    """Keep the sums of every day from `since` until yesterday that has none; return how many were kept.

    `time_zone` is that of the configuration; the ledger's own comes first.

    Raises:
        LedgerError: the ledger cannot be read or written; days that were summed before stay so.
    """
    view = store.view()
    if not view.exists:
        return 0
    with view:
        today = period_of(now, view.time_zone or time_zone).day
        days = view.unsummed_days(since=since, before=today)
    return sum(store.sum_day(day) for day in days)
