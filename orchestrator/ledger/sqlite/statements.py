"""The bookings of the ledger: a hold, what one send did cost, a finished request, a correction.

Each is one step inside a transaction of the caller. Settling, recording and correcting twice change nothing,
and rows of attempts and corrections are never changed: what a provider says later becomes a correction,
whose signed amount counts beside the attempt's.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import orjson

from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Attempt, CostSource
from orchestrator.ledger.budgets import rolled_over
from orchestrator.ledger.feedback import Feedback
from orchestrator.ledger.periods import CALENDAR, Period, booked_in
from orchestrator.ledger.records import (
    ORPHANED,
    CostCorrection,
    CounterLimit,
    Hold,
    NewHold,
    Shortage,
)
from orchestrator.ledger.sqlite import runs
from orchestrator.ledger.sqlite.queries import BEGAN, BEGAN_AT, COUNTER
from orchestrator.ledger.sqlite.request_queries import GIVE_FEEDBACK

_INSERT_HOLD = (
    "INSERT INTO holds (operation_id, attempt, deployment, provider, model, scopes, day, month,"
    " held_nusd, held_at, process, price_version, hour, runs) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
_INSERT_ATTEMPT = f"INSERT INTO attempts VALUES ({','.join('?' * 29)})"  # noqa: S608 -- only question marks
_BOOKED = (
    "SELECT a.hour, a.day, a.month, a.scopes, a.runs, a.cost_nusd + COALESCE(SUM(c.cost_nusd), 0),"
    " COUNT(c.step) FROM attempts a"
    " LEFT JOIN corrections c ON c.operation_id = a.operation_id AND c.number = a.number"
    " WHERE a.operation_id = ? AND a.number = ? GROUP BY a.operation_id, a.number"
)
_IS_KEPT = (
    "SELECT EXISTS (SELECT 1 FROM holds WHERE id = ? AND operation_id = ?)"
    " OR EXISTS (SELECT 1 FROM attempts WHERE operation_id = ? AND number = ?)"
)


class ShortageError(Exception):
    """A limit would be passed: the transaction must be undone as a whole."""

    def __init__(self, shortage: Shortage) -> None:
        """Carry what the caller is told."""
        super().__init__()
        self.shortage = shortage


def hold(connection: sqlite3.Connection, new: NewHold, *, process: str) -> Hold:
    """Raise `held` in every counter of a send and write its row.

    Raises:
        ShortageError: a counter is above its limit now.
    """
    request, period = new.request, new.period
    keys = [(key, scope) for scope in request.scopes for key in period.keys]
    connection.execute(_raise_sql(len(keys)), [value for key in keys for value in (*key, request.bound_nusd)])
    numbers, short_runs = runs.raise_held(connection, new)
    _check_limits(new, [*_short_counters(connection, new), *short_runs])
    connection.execute(BEGAN, (new.held_at.astimezone(UTC).isoformat(),))
    row = connection.execute(
        _INSERT_HOLD,
        (
            request.operation_id,
            request.number,
            request.deployment,
            request.provider,
            request.model,
            orjson.dumps(request.scopes).decode(),
            period.day,
            period.month,
            request.bound_nusd,
            new.held_at.astimezone(UTC).isoformat(),
            process,
            request.price_version,
            period.hour,
            orjson.dumps(numbers).decode(),
        ),
    )
    return Hold(row.lastrowid or 0, request, period, new.held_at, numbers)


def is_kept(connection: sqlite3.Connection, hold: Hold) -> bool:
    """Return whether the ledger still has a hold that was committed, or what it was settled as."""
    operation_id, number = hold.request.operation_id, hold.request.number
    values = (hold.id, operation_id, operation_id, number)
    return bool(connection.execute(_IS_KEPT, values).fetchone()[0])


def settle(connection: sqlite3.Connection, hold: Hold, attempt: Attempt) -> bool:
    """Replace a hold by its attempt, in every counter and row; False when it was settled before."""
    if not _free(connection, hold, spent_nusd=attempt.cost_nusd):
        _settle_late(connection, hold, attempt)
        return False
    connection.execute(_INSERT_ATTEMPT, _attempt_values(hold, attempt))
    return True


def release(connection: sqlite3.Connection, hold: Hold) -> None:
    """Take back a hold that nobody got: nothing was sent for it, and no row tells of it."""
    _free(connection, hold, spent_nusd=0)


def _free(connection: sqlite3.Connection, hold: Hold, *, spent_nusd: int) -> bool:
    """Replace what is held in every counter by what was spent; False when the hold is there no more."""
    request = hold.request
    freed = connection.execute(
        "DELETE FROM holds WHERE id = ? AND operation_id = ? AND attempt = ?",
        (hold.id, request.operation_id, request.number),
    )
    if freed.rowcount == 0:
        return False
    connection.execute(
        _settle_sql(len(request.scopes)),
        (request.bound_nusd, spent_nusd, *hold.period.keys, *request.scopes),
    )
    runs.settle_runs(connection, hold.runs, freed_nusd=request.bound_nusd, spent_nusd=spent_nusd)
    return True


def correct(connection: sqlite3.Connection, correction: CostCorrection) -> int | None:
    """Book what an attempt cost by the provider's record, or by a person's word; return the difference.

    None when there is no such attempt, or the provider's record comes after another correction. A person has
    the last word, as often as needed; what is right already is not booked again.
    """
    key = (correction.operation_id, correction.number)
    row = connection.execute(_BOOKED, key).fetchone()
    if row is None:
        return None
    hour, day, month, scopes, numbers, booked_nusd, steps = row
    if steps and correction.source is not CostSource.OPERATOR:
        return None
    delta_nusd = correction.cost_nusd - int(booked_nusd)
    if delta_nusd == 0 and correction.source is CostSource.OPERATOR:
        return 0
    evidence = (
        correction.source.value,
        correction.at.astimezone(UTC).isoformat(),
        steps + 1,
        correction.note,
    )
    connection.execute(
        "INSERT INTO corrections VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        (*key, day, month, scopes, delta_nusd, *evidence, hour, numbers),
    )
    named, periods = orjson.loads(scopes), booked_in(hour, day, month)
    connection.execute(_settle_sql(len(named), len(periods)), (0, delta_nusd, *periods, *named))
    runs.settle_runs(connection, orjson.loads(numbers), freed_nusd=0, spent_nusd=delta_nusd)
    return delta_nusd


def keep_feedback(connection: sqlite3.Connection, feedback: Feedback, *, tenant: str | None) -> bool:
    """Keep what a source thinks of an answer; False when there is no such request of this tenant."""
    values = {
        "id": feedback.operation_id,
        "source": feedback.source,
        "score": feedback.score,
        "corrected": int(feedback.corrected),
        "given_at": feedback.given_at.astimezone(UTC).isoformat(),
        "tenant": tenant,
    }
    return connection.execute(GIVE_FEEDBACK, values).rowcount == 1


def foremost(short: Sequence[Shortage], *, bound_nusd: int) -> Shortage:
    """Return which of the limits that a hold would pass is named: first one that is passed for good."""
    return next((each for each in short if each.is_final(bound_nusd)), short[0])


def _check_limits(new: NewHold, short: Sequence[Shortage]) -> None:
    if short:
        raise ShortageError(foremost(short, bound_nusd=new.request.bound_nusd))


def _short_counters(connection: sqlite3.Connection, new: NewHold) -> Iterator[Shortage]:
    """Yield the limits of windows that are passed, now that the bound of a send counts as held."""
    bound = new.request.bound_nusd
    for limit, used in zip(new.limits, _read_used(connection, new.period, new.limits), strict=True):
        if used > limit.limit_nusd:
            rolled_over = _rolled_over(connection, new.period, limit)
            if used > limit.limit_nusd + rolled_over:
                counter = (new.period.key(limit.window), limit.scope)
                _, held = connection.execute(COUNTER, counter).fetchone()
                yield Shortage(limit, NanoUsd(used - bound), NanoUsd(held - bound), NanoUsd(rolled_over))


def _rolled_over(connection: sqlite3.Connection, period: Period, limit: CounterLimit) -> int:
    """Return what the window before left of a limit, if money was counted before this window began."""
    if not limit.rollover_nusd:
        return 0
    began = connection.execute(BEGAN_AT).fetchone()
    if began is None or datetime.fromisoformat(began[0]) >= period.begins_at(limit.window):
        return 0
    before = (period.key_before(limit.window), limit.scope)
    used = sum(connection.execute(COUNTER, before).fetchone() or (0, 0))
    return rolled_over(limit.limit_nusd, limit.rollover_nusd, used_before_nusd=used)


def _read_used(
    connection: sqlite3.Connection, period: Period, limits: Sequence[CounterLimit]
) -> Sequence[int]:
    """Return what is spent and held in the counter of each limit; all of them exist."""
    if not limits:
        return ()
    values = [value for limit in limits for value in (period.key(limit.window), limit.scope)]
    used: Sequence[int] = connection.execute(_used_sql(len(limits)), values).fetchone()
    return used


def _attempt_values(hold: Hold, attempt: Attempt) -> tuple[object, ...]:
    request, usage = hold.request, attempt.usage
    return (
        request.operation_id,
        request.number,
        hold.period.day,
        hold.period.month,
        orjson.dumps(request.scopes).decode(),
        request.deployment,
        request.provider,
        request.model,
        attempt.outcome.value,
        attempt.failure,
        attempt.status,
        hold.held_at.astimezone(UTC).isoformat(),
        round(attempt.latency_s * 1000),
        None if attempt.first_token_s is None else round(attempt.first_token_s * 1000),
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        int(usage.estimated),
        request.bound_nusd,
        attempt.cost_nusd,
        attempt.cost_source.value,
        attempt.price_version or request.price_version,
        attempt.upstream_id,
        request.size.input_expected_tokens if request.size else 0,
        request.size.script.value if request.size else "",
        hold.period.hour,
        orjson.dumps(hold.runs).decode(),
    )


def _settle_late(connection: sqlite3.Connection, hold: Hold, attempt: Attempt) -> None:
    """Correct what was booked for an orphan by the word of its process, which was alive after all."""
    request = hold.request
    row = connection.execute(
        "SELECT failure FROM attempts WHERE operation_id = ? AND number = ?",
        (request.operation_id, request.number),
    ).fetchone()
    if row is not None and row[0] == ORPHANED:
        ended_at = hold.held_at + timedelta(seconds=attempt.latency_s)
        key = (request.operation_id, request.number)
        correct(connection, CostCorrection(*key, attempt.cost_nusd, attempt.cost_source, ended_at))


@lru_cache(maxsize=64)
def _raise_sql(counters: int) -> str:
    rows = ",".join(["(?,?,?)"] * counters)
    return (
        f"INSERT INTO counters (period, scope, held_nusd) VALUES {rows}"  # noqa: S608 -- only question marks
        " ON CONFLICT DO UPDATE SET held_nusd = held_nusd + excluded.held_nusd"
    )


@lru_cache(maxsize=64)
def _used_sql(counters: int) -> str:
    # A query for each counter, in one statement: one `IN` for all of them takes three times as long.
    query = "(SELECT spent_nusd + held_nusd FROM counters WHERE period = ? AND scope = ?)"
    return f"SELECT {','.join([query] * counters)}"


@lru_cache(maxsize=64)
def _settle_sql(scopes: int, periods: int = len(CALENDAR)) -> str:
    return (
        f"UPDATE counters SET held_nusd = held_nusd - ?, spent_nusd = spent_nusd + ?"  # noqa: S608 -- only question marks
        f" WHERE period IN ({','.join('?' * periods)}) AND scope IN ({','.join('?' * scopes)})"
    )
