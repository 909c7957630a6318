"""Settles holds that dead processes left; each is one step inside a transaction of the caller."""

import sqlite3
from datetime import datetime

from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Usage
from orchestrator.ledger.records import AttemptTotals, OrphanBooking
from orchestrator.ledger.sqlite.request_rows import record_request
from orchestrator.ledger.sqlite.statements import settle
from orchestrator.ledger.store import RequestOf

_TOTALS = (
    "SELECT COUNT(*), SUM(cost_nusd), MIN(started_at), SUM(input_tokens), SUM(output_tokens) FROM attempts"
    " WHERE operation_id = ?"
)


def settle_orphan(connection: sqlite3.Connection, orphan: OrphanBooking, request_of: RequestOf) -> bool:
    """Settle a hold and record its request; False when it was settled before."""
    if not settle(connection, orphan.hold, orphan.attempt):
        return False
    totals = _totals(connection, orphan.hold.request.operation_id)
    record_request(connection, *request_of(orphan.hold, totals))
    return True


def _totals(connection: sqlite3.Connection, operation_id: str) -> AttemptTotals:
    count, cost, started, input_tokens, output_tokens = connection.execute(
        _TOTALS, (operation_id,)
    ).fetchone()
    usage = Usage(input_tokens, output_tokens, estimated=True)
    return AttemptTotals(count, NanoUsd(cost), datetime.fromisoformat(started), usage)
