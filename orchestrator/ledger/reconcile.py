"""Settles what nobody else will: the holds of processes that died, and costs that a provider tells later.

A hold is an orphan when its process is dead. Of a process on another machine nobody here can say
whether it lives, so its holds are orphans when they are older than any request takes. If it lives
after all and settles, its word becomes a correction of what was booked here.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import orjson

from orchestrator.core.money import ZERO_NUSD, NanoUsd, share_nusd
from orchestrator.core.reply import Attempt, CacheState, CostSource, Outcome, Usage
from orchestrator.ledger.budgets import period_of
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.process_identity import Life, life_of
from orchestrator.ledger.records import ORPHANED, Hold, HoldRequest, RequestRecord
from orchestrator.ledger.sqlite.reader import LedgerReader
from orchestrator.ledger.sqlite.statements import correct, insert_operation, settle

ASKED_DAYS = 31
"""A provider is asked about attempts of this many days."""
_SAMPLE = 1000
"""Attempts from which an estimate is made."""

_HOLDS = (
    "SELECT id, operation_id, attempt, deployment, provider, model, scopes, day, month, held_nusd, held_at,"
    " process, price_version FROM holds ORDER BY id"
)
_SHARE = (
    "SELECT SUM(cost_nusd), SUM(held_nusd) FROM (SELECT cost_nusd, held_nusd FROM attempts"
    " WHERE deployment = :deployment AND cost_source IN ('provider', 'price_book') AND held_nusd > 0"
    " ORDER BY day DESC LIMIT :sample)"
)
_ASSUMED = (
    "SELECT operation_id, number, deployment, provider, cost_nusd, upstream_id FROM attempts"
    " WHERE day >= :since AND cost_source IN ('bound', 'estimate') AND upstream_id IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM corrections c"
    " WHERE c.operation_id = attempts.operation_id AND c.number = attempts.number) ORDER BY started_at"
)


class OrphanPolicy(StrEnum):
    """What is booked for an orphan."""

    BOUND = "bound"
    """All that was held."""
    ZERO = "zero"
    ESTIMATE = "estimate"
    """The share of what was held that attempts on the same deployment did cost; all of it before the first."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """Money held for a send that nobody will settle."""

    hold: Hold
    process: str
    life: Life
    """Of its process: dead, or elsewhere and too old."""


@dataclass(frozen=True, slots=True)
class SettledOrphan:
    """An orphan, and what was booked for it."""

    orphan: Orphan
    cost_nusd: NanoUsd
    source: CostSource


@dataclass(frozen=True, slots=True)
class Assumed:
    """An attempt whose cost we assumed, and whose provider may know better."""

    operation_id: str
    number: int
    deployment: str
    provider: str
    cost_nusd: NanoUsd
    upstream_id: str


def find_orphans(
    reader: LedgerReader, *, now: datetime, older_than: timedelta, time_zone: str
) -> tuple[Orphan, ...]:
    """Return the holds whose process is dead, or elsewhere and older than `older_than`; oldest first.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    found = []
    lives: dict[str, Life] = {}
    for row in reader.query(_HOLDS).rows:
        hold, process = _hold_of(row, time_zone)
        life = lives.get(process) or life_of(process)
        lives[process] = life
        if life is Life.DEAD or (life is Life.ELSEWHERE and now - hold.held_at >= older_than):
            found.append(Orphan(hold, process, life))
    return tuple(found)


def settle_orphans(
    ledger: Ledger, orphans: Sequence[Orphan], *, policy: OrphanPolicy, now: datetime
) -> tuple[SettledOrphan, ...]:
    """Book each orphan into the windows of its hold, and a failed request where there is none; in one transaction.

    An orphan that was settled meanwhile is left as it is and not returned.

    Raises:
        LedgerError: it cannot be written; nothing was booked.
    """

    def work(connection: sqlite3.Connection) -> list[SettledOrphan]:
        done = []
        for orphan in orphans:
            cost, source = _cost_of(connection, orphan.hold.claim, policy)
            if settle(connection, orphan.hold, _attempt_of(orphan, cost, source, now)):
                _close_operation(connection, orphan.hold, time_zone=ledger.limits.time_zone, now=now)
                done.append(SettledOrphan(orphan, cost, source))
        return done

    return tuple(ledger.transact(work)) if orphans else ()


def foresee(
    reader: LedgerReader, orphans: Sequence[Orphan], *, policy: OrphanPolicy
) -> tuple[SettledOrphan, ...]:
    """Return what `settle_orphans` would book now, and book nothing."""
    made = []
    for orphan in orphans:
        given = _sample_of(orphan.hold.claim)
        rows = reader.query(*given).rows if policy is OrphanPolicy.ESTIMATE else ()
        made.append(SettledOrphan(orphan, *_priced(orphan.hold.claim, policy, rows[0] if rows else None)))
    return tuple(made)


def assumed_costs(reader: LedgerReader, *, now: datetime) -> tuple[Assumed, ...]:
    """Return the attempts of the last 31 days whose cost was assumed and that the provider gave an id.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    since = f"{now - timedelta(days=ASKED_DAYS):%Y-%m-%d}"
    return tuple(Assumed(*row) for row in reader.query(_ASSUMED, {"since": since}).rows)


def correct_cost(ledger: Ledger, attempt: Assumed, *, cost_nusd: NanoUsd, now: datetime) -> int | None:
    """Book what the provider says an attempt did cost; return the difference, None when it was corrected before.

    Raises:
        LedgerError: it cannot be written.
    """
    return ledger.transact(
        lambda connection: correct(
            connection,
            attempt.operation_id,
            attempt.number,
            cost_nusd=cost_nusd,
            source=CostSource.PROVIDER,
            at=now,
        )
    )


def _hold_of(row: tuple[Any, ...], time_zone: str) -> tuple[Hold, str]:
    (
        number,
        operation_id,
        attempt,
        deployment,
        provider,
        model,
        scopes,
        day,
        month,
        held,
        held_at,
        process,
        price,
    ) = row
    claim = HoldRequest(
        operation_id, attempt, deployment, provider, model, tuple(orjson.loads(scopes)), NanoUsd(held), price
    )
    moment = datetime.fromisoformat(held_at)
    # The windows it was held in, whatever the time zone is now.
    return Hold(number, claim, replace(period_of(moment, time_zone), day=day, month=month), moment), process


def _cost_of(
    connection: sqlite3.Connection, claim: HoldRequest, policy: OrphanPolicy
) -> tuple[NanoUsd, CostSource]:
    sample = None
    if policy is OrphanPolicy.ESTIMATE:
        sample = connection.execute(*_sample_of(claim)).fetchone()
    return _priced(claim, policy, sample)


def _sample_of(claim: HoldRequest) -> tuple[str, dict[str, str | int]]:
    return _SHARE, {"deployment": claim.deployment, "sample": _SAMPLE}


def _priced(
    claim: HoldRequest, policy: OrphanPolicy, sample: tuple[Any, ...] | None
) -> tuple[NanoUsd, CostSource]:
    bound = claim.bound_nusd
    if bound == 0 or policy is OrphanPolicy.ZERO:
        return ZERO_NUSD, CostSource.NONE
    if policy is OrphanPolicy.ESTIMATE and sample is not None and sample[1]:
        share = share_nusd(bound, numerator=int(sample[0]), denominator=int(sample[1]))
        return NanoUsd(min(share, bound)), CostSource.ESTIMATE
    return bound, CostSource.BOUND


def _attempt_of(orphan: Orphan, cost: NanoUsd, source: CostSource, now: datetime) -> Attempt:
    claim = orphan.hold.claim
    return Attempt(
        number=claim.number,
        deployment=claim.deployment,
        provider=claim.provider,
        model=claim.model,
        outcome=Outcome.FAILED,
        failure=ORPHANED,
        latency_s=max(0.0, (now - orphan.hold.held_at).total_seconds()),
        usage=Usage(estimated=True),
        cost_nusd=cost,
        cost_source=source,
    )


def _close_operation(connection: sqlite3.Connection, hold: Hold, *, time_zone: str, now: datetime) -> None:
    """Write the row of an orphan's request: failed, with what all its attempts cost until now."""
    claim = hold.claim
    count, cost, started, input_tokens, output_tokens = connection.execute(
        "SELECT COUNT(*), SUM(cost_nusd), MIN(started_at), SUM(input_tokens), SUM(output_tokens) FROM attempts"
        " WHERE operation_id = ?",
        (claim.operation_id,),
    ).fetchone()
    started_at = datetime.fromisoformat(started)
    period = period_of(started_at, time_zone)
    if started_at == hold.held_at.astimezone(UTC):
        period = hold.period
    operation = RequestRecord(
        id=claim.operation_id,
        started_at=started_at,
        tenant=_named(claim.scopes, "tenant") or "default",
        use_case=_named(claim.scopes, "use_case") or "unknown",
        user=_named(claim.scopes, "user"),
        tags=tuple(scope.removeprefix("tag:") for scope in claim.scopes if scope.startswith("tag:")),
        outcome=Outcome.FAILED,
        error=ORPHANED,
        cached=CacheState.MISS,
        degraded=None,
        deployment=None,
        provider=None,
        model=None,
        attempts=count,
        usage=Usage(input_tokens, output_tokens, estimated=True),
        cost_nusd=NanoUsd(cost),
        latency_s=max(0.0, (now - started_at).total_seconds()),
    )
    insert_operation(connection, operation, period)


def _named(scopes: Sequence[str], kind: str) -> str | None:
    return next((scope.removeprefix(f"{kind}:") for scope in scopes if scope.startswith(f"{kind}:")), None)
