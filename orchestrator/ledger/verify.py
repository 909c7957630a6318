"""Reckons the ledger again: every counter from the rows it stands for, and every request from its attempts.

    with LedgerReader(path) as reader:
        found = verify(reader, now=clock.now())

All of it is read in one transaction, so what is booked meanwhile makes no difference. The rows of
compacted months are gone, and their counters with them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from orchestrator.core.money import NanoUsd
from orchestrator.ledger.sqlite.reader import LedgerReader

NAMED_MAX = 1000
"""Of each kind of finding this many are named."""
OPEN_FOR = timedelta(minutes=1)
"""An attempt is booked before its request is; only after this time is a missing request worth a word."""

_BOOKED = (
    "SELECT scopes, day, month, SUM(cost_nusd), 0 FROM attempts GROUP BY scopes, day, month"
    " UNION ALL SELECT scopes, day, month, SUM(cost_nusd), 0 FROM corrections GROUP BY scopes, day, month"
    " UNION ALL SELECT scopes, day, month, 0, SUM(held_nusd) FROM holds GROUP BY scopes, day, month"
)
_UNEQUAL = (
    "SELECT o.id, o.cost_nusd, COALESCE(a.cost, 0), COALESCE(c.cost, 0) FROM operations o"
    " LEFT JOIN (SELECT operation_id, SUM(cost_nusd) AS cost FROM attempts GROUP BY operation_id) a"
    " ON a.operation_id = o.id"
    " LEFT JOIN (SELECT operation_id, SUM(cost_nusd) AS cost FROM corrections GROUP BY operation_id) c"
    " ON c.operation_id = o.id"
    # What was told when the request ended stays as it was told; a correction may come later.
    " WHERE o.cost_nusd <> COALESCE(a.cost, 0) AND o.cost_nusd <> COALESCE(a.cost, 0) + COALESCE(c.cost, 0)"
    " LIMIT :most"
)
_UNCLAIMED = (
    "SELECT operation_id, number, deployment, started_at, cost_nusd FROM attempts"
    " WHERE NOT EXISTS (SELECT 1 FROM operations WHERE id = operation_id) AND started_at < :before"
    # A compacted request took its row along; attempts of its last minutes may fall into the next month.
    " AND NOT EXISTS (SELECT 1 FROM monthly m WHERE m.month = attempts.month OR"
    " (m.month = strftime('%Y-%m', attempts.day, '-1 day') AND attempts.day = attempts.month || '-01'))"
    # A request whose later attempt still runs has no row yet, nor has one that waits to be reconciled.
    " AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.operation_id = attempts.operation_id)"
    " LIMIT :most"
)
_EXCESS = (
    "SELECT operation_id, number, deployment, held_nusd, cost_nusd FROM attempts WHERE cost_nusd > held_nusd"
    " LIMIT :most"
)
_SOURCES = (
    "SELECT cost_source, COUNT(*), SUM(cost_nusd) FROM attempts GROUP BY cost_source ORDER BY cost_source"
)
_COUNTED = (
    "SELECT (SELECT COUNT(*) FROM operations), (SELECT COUNT(*) FROM attempts), (SELECT COUNT(*) FROM holds),"
    " (SELECT COUNT(*) FROM corrections), (SELECT COUNT(*) FROM counters), (SELECT COUNT(*) FROM monthly)"
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A counter that is not the sum of its rows."""

    scope: str
    period: str
    """`2026-11-23` or `2026-11`."""
    counted_spent: NanoUsd
    counted_held: NanoUsd
    booked_spent: NanoUsd
    booked_held: NanoUsd


@dataclass(frozen=True, slots=True)
class UnequalOperation:
    """A request whose cost is not what its attempts cost together."""

    id: str
    cost_nusd: NanoUsd
    attempts_nusd: NanoUsd
    corrections_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class UnclaimedAttempt:
    """An attempt of no known request: its process died before the request ended."""

    operation_id: str
    number: int
    deployment: str
    started_at: str
    cost_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class Excess:
    """An attempt that cost more than was held for it."""

    operation_id: str
    number: int
    deployment: str
    held_nusd: NanoUsd
    cost_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class SourceSum:
    """The settled attempts whose cost is known in one way."""

    attempts: int
    cost_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found in a ledger; of each kind of finding the first thousand are named."""

    rows: Mapping[str, int]
    """How many rows each table has."""
    differences: tuple[Difference, ...]
    unequal_operations: tuple[UnequalOperation, ...]
    unclaimed_attempts: tuple[UnclaimedAttempt, ...]
    excesses: tuple[Excess, ...]
    sources: Mapping[str, SourceSum]
    """By cost source, as booked, without corrections."""

    @property
    def counters_are_right(self) -> bool:
        """Return whether every counter is the sum of its rows."""
        return not self.differences


def verify(reader: LedgerReader, *, now: datetime) -> Verification:
    """Reckon the ledger that `reader` has open.

    Raises:
        LedgerError: it cannot be read.
    """
    before = (now - OPEN_FOR).astimezone(UTC).isoformat()
    most = {"most": NAMED_MAX}
    return Verification(
        rows=_counted(reader),
        differences=tuple(differences(reader)),
        unequal_operations=tuple(UnequalOperation(*row) for row in reader.query(_UNEQUAL, most).rows),
        unclaimed_attempts=tuple(
            UnclaimedAttempt(*row) for row in reader.query(_UNCLAIMED, {**most, "before": before}).rows
        ),
        excesses=tuple(Excess(*row) for row in reader.query(_EXCESS, most).rows),
        sources={name: SourceSum(count, cost) for name, count, cost in reader.query(_SOURCES).rows},
    )


def differences(reader: LedgerReader) -> Iterator[Difference]:
    """Yield every counter that differs from its rows, one that is missing included."""
    booked: dict[tuple[str, str], list[int]] = {}
    for scopes, day, month, spent, held in reader.query(_BOOKED).rows:
        for scope in orjson.loads(scopes):
            for period in (day, month):
                sums = booked.setdefault((scope, period), [0, 0])
                sums[0] += spent
                sums[1] += held
    counted = {
        (scope, period): [spent, held]
        for scope, period, spent, held in reader.query("SELECT * FROM counters").rows
    }
    for key in sorted(booked.keys() | counted.keys()):
        said, meant = counted.get(key, [0, 0]), booked.get(key, [0, 0])
        if said != meant:
            yield Difference(*key, *(NanoUsd(one) for one in (*said, *meant)))


def _counted(reader: LedgerReader) -> dict[str, int]:
    names = ("operations", "attempts", "holds", "corrections", "counters", "monthly")
    return dict(zip(names, reader.query(_COUNTED).rows[0], strict=True))
