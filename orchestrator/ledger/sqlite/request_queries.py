"""Looks for requests: by key where it can, so that a page costs the same beside a million rows.

Ids sort by time, so the newest are read from the end of the table and a time is a range of ids. What asks for
the dearest or slowest reads the rows of its range once and keeps no more than it returns. What is rare, or
nowhere, is looked for between the first and the last day that have it: the sums of days that are over say
which those are.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import orjson

from orchestrator.core.money import NanoUsd
from orchestrator.core.names import ARM_TAG
from orchestrator.core.reply import CacheState, CostSource, Outcome
from orchestrator.ledger.requests import (
    AttemptRow,
    CorrectionRow,
    FeedbackRow,
    RequestOrder,
    RequestQuery,
    RequestRow,
)
from orchestrator.ledger.sqlite.usage_queries import DAYS_OF_REQUESTS, SUMMED, others_than_own

_COST = "o.cost_nusd + COALESCE((SELECT SUM(c.cost_nusd) FROM corrections c WHERE c.operation_id = o.id), 0)"
_COLUMNS = (
    "o.id, o.started_at, o.tenant, o.use_case, o.user, o.tags, o.outcome, o.error, o.cached, o.degraded,"
    " o.deployment, o.provider, o.model, o.attempts, o.input_tokens, o.output_tokens,"
    f" {_COST} AS booked_nusd, o.latency_ms"
)
_ORDERS = {
    RequestOrder.NEWEST: "o.id DESC",
    RequestOrder.DEAREST: "booked_nusd DESC, o.id DESC",
    RequestOrder.SLOWEST: "o.latency_ms DESC, o.id DESC",
}
_BY_MODEL = (
    "(o.model = :model OR o.deployment = :model OR (o.model IS NULL AND EXISTS (SELECT 1 FROM attempts a"
    " WHERE a.operation_id = o.id AND (a.model = :model OR a.deployment = :model))))"
)
_BY_TAG = "EXISTS (SELECT 1 FROM json_each(o.tags) WHERE value = :tag)"
_WITH_NAME = "day IN (SELECT day FROM name_sums WHERE kind = '{name}' AND name = :{name})"
_BETWEEN_CLOCKS_MS = 1000
"""An id and the start of its request are two looks at one clock."""

REQUEST = f"SELECT {_COLUMNS} FROM operations o WHERE o.id = :id"  # noqa: S608 -- fixed words
IDS = (
    "SELECT id FROM operations WHERE id >= :prefix AND id < :prefix || '~'"
    " AND (:tenant IS NULL OR tenant = :tenant) ORDER BY id LIMIT :limit"
)
"""Ids with a beginning: '~' comes after every digit and letter."""
FEEDBACK_SUMS = (
    "SELECT f.tenant, f.use_case, f.model, COUNT(*), COUNT(f.score), COALESCE(SUM(f.score), 0), SUM(f.corrected)"  # noqa: S608 -- fixed words
    f" FROM feedback f WHERE {others_than_own('f.tenant')} AND f.day >= :since AND f.day <= :until"
    " AND (:tenant IS NULL OR f.tenant = :tenant) AND (:use_case IS NULL OR f.use_case = :use_case)"
    " AND (:user IS NULL AND :tag IS NULL OR EXISTS (SELECT 1 FROM operations o WHERE o.id = f.operation_id"
    " AND (:user IS NULL OR o.user = :user)"
    " AND (:tag IS NULL OR EXISTS (SELECT 1 FROM json_each(o.tags) WHERE value = :tag))))"
    " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)
"""Without shadows and looks of our own. Of a user or a tag as long as the rows of the requests are kept."""
GIVE_FEEDBACK = (
    "INSERT INTO feedback SELECT id, :source, day, month, tenant, use_case, COALESCE(model, ''), :score,"
    " :corrected, :given_at FROM operations WHERE id = :id AND (:tenant IS NULL OR tenant = :tenant)"
    " ON CONFLICT DO UPDATE SET score = COALESCE(excluded.score, score),"
    " corrected = MAX(corrected, excluded.corrected), given_at = excluded.given_at"
)
"""A score and a correction may come one after the other; of two scores of one source the last one stands."""
ATTEMPTS_OF = (
    "SELECT number, deployment, provider, model, outcome, failure, status, started_at, latency_ms,"
    " first_token_ms, input_tokens, output_tokens, cached_input_tokens, reasoning_tokens, tokens_estimated,"
    " held_nusd, cost_nusd, cost_source, price_version, upstream_id FROM attempts WHERE operation_id = :id"
    " ORDER BY number"
)
CORRECTIONS_OF = (
    "SELECT number, cost_nusd, source, corrected_at, note FROM corrections WHERE operation_id = :id"
    " ORDER BY corrected_at, number, step"
)
PLAN_OF = (
    "SELECT s.shape, p.numbers FROM plans p LEFT JOIN plan_shapes s ON s.key = p.shape_key"
    " WHERE p.operation_id = :id"
)
NUMBERS_WITH_TERMS = (
    "SELECT p.operation_id, p.numbers FROM operations o CROSS JOIN plans p ON p.operation_id = o.id"
    " WHERE o.day BETWEEN :month AND :month || '~'"
    " AND json_valid(p.numbers) AND json_array_length(p.numbers) > 3"
)
"""Of a month, as a range of days, which has an index."""
FEEDBACK_OF = (
    "SELECT source, score, corrected, given_at FROM feedback WHERE operation_id = :id ORDER BY source"
)


def days_sql(query: RequestQuery) -> tuple[str, dict[str, Any]] | None:
    """Return the statement for the first and the last day that may have what is asked for, with its values.

    None where the sums of days say nothing of it.
    """
    values: dict[str, Any] = {"since": "", "until": "~"}
    conditions = ["outcome <> 'succeeded'"] if query.failed else []
    if query.degraded:
        conditions.append("degraded = 1")
    for name in ("tenant", "use_case"):
        if getattr(query, name) is not None:
            conditions.append(f"{name} = :{name}")
            values[name] = getattr(query, name)
    for name in ("user", "tag"):
        wish = getattr(query, name)
        # Sides of experiments are in no sum.
        if wish is not None and not wish.startswith(ARM_TAG):
            conditions.append(_WITH_NAME.format(name=name))
            values[name] = wish
    if not conditions:
        return None
    summed = f"SELECT day FROM request_sums WHERE {' AND '.join(conditions)} AND day IN ({SUMMED})"  # noqa: S608 -- fixed words
    rest = f"SELECT day FROM ({DAYS_OF_REQUESTS}) WHERE day NOT IN ({SUMMED})"  # noqa: S608 -- fixed words
    return f"SELECT MIN(day), MAX(day) FROM ({summed} UNION ALL {rest})", values  # noqa: S608 -- fixed words


def requests_sql(query: RequestQuery, *, days: tuple[date, date] | None = None) -> tuple[str, dict[str, Any]]:
    """Return the statement for a query, with its values; outside of `days` nothing is to be looked for."""
    values: dict[str, Any] = {"limit": query.limit}
    conditions = ["o.outcome <> 'succeeded'"] if query.failed else []
    if query.degraded:
        conditions.append("o.degraded IS NOT NULL")
    for name in ("tenant", "user", "use_case"):
        if getattr(query, name) is not None:
            conditions.append(f"o.{name} = :{name}")
            values[name] = getattr(query, name)
    for name, condition in (("model", _BY_MODEL), ("tag", _BY_TAG)):
        if getattr(query, name) is not None:
            conditions.append(condition)
            values[name] = getattr(query, name)
    if query.before is not None:
        conditions.append("o.id < :before")
        values["before"] = query.before
    conditions += _times(query, values)
    if days is not None:
        conditions.append("o.id >= :days_begin AND o.id < :days_end")
        values |= _ids_between(*days)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {_COLUMNS} FROM operations o {where} ORDER BY {_ORDERS[query.order]} LIMIT :limit", values  # noqa: S608 -- fixed words


def _times(query: RequestQuery, values: dict[str, Any]) -> Iterator[str]:
    """Yield the conditions of the times that a query names, and put their values to the others."""
    if query.since is not None:
        yield "o.id >= :first_id AND o.started_at >= :since"
        values |= {
            "first_id": _id_at(query.since, earlier_ms=_BETWEEN_CLOCKS_MS),
            "since": _text(query.since),
        }
    if query.until is not None:
        yield "o.id < :end_id AND o.started_at < :until"
        values |= {"end_id": _id_at(query.until), "until": _text(query.until)}


def _ids_between(first: date, last: date) -> dict[str, Any]:
    """Return the ids of some days; a day of any zone lies within a day of that of UTC."""
    begins, ends = (datetime.combine(day, time.min, UTC) for day in (first, last))
    return {
        "days_begin": _id_at(begins - timedelta(days=1)),
        "days_end": _id_at(ends + timedelta(days=2)),
    }


def request_row(*row: Any) -> RequestRow:
    """Return a request as its columns say it."""
    identity, started_at, tenant, use_case, user, tags, outcome, error, cached, *answer = row
    degraded, deployment, provider, model, attempts, input_tokens, output_tokens, cost, latency_ms = answer
    return RequestRow(
        id=identity,
        started_at=datetime.fromisoformat(started_at),
        tenant=tenant,
        use_case=use_case,
        user=user,
        tags=tuple(orjson.loads(tags)),
        outcome=Outcome(outcome),
        error=error,
        cached=CacheState(cached),
        degraded=degraded,
        deployment=deployment,
        provider=provider,
        model=model,
        attempts=attempts,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_nusd=NanoUsd(cost),
        latency_s=latency_ms / 1000,
    )


def stored_attempt(*row: Any) -> AttemptRow:
    """Return an attempt as its columns say it."""
    number, deployment, provider, model, outcome, failure, status, started_at, latency_ms, *rest = row
    first_token_ms, sent, returned, cached, reasoning, estimated, held, cost, source, price, upstream = rest
    return AttemptRow(
        number=number,
        deployment=deployment,
        provider=provider,
        model=model,
        outcome=Outcome(outcome),
        failure=failure,
        status=status,
        started_at=datetime.fromisoformat(started_at),
        latency_s=latency_ms / 1000,
        first_token_s=None if first_token_ms is None else first_token_ms / 1000,
        input_tokens=sent,
        output_tokens=returned,
        cached_input_tokens=cached,
        reasoning_tokens=reasoning,
        tokens_estimated=bool(estimated),
        held_nusd=NanoUsd(held),
        cost_nusd=NanoUsd(cost),
        cost_source=CostSource(source),
        price_version=price,
        upstream_id=upstream,
    )


def correction_row(*row: Any) -> CorrectionRow:
    """Return a correction as its columns say it."""
    attempt, cost, source, corrected_at, note = row
    return CorrectionRow(attempt, cost, CostSource(source), datetime.fromisoformat(corrected_at), note)


def feedback_row(*row: Any) -> FeedbackRow:
    """Return feedback as its columns say it."""
    source, score, corrected, given_at = row
    return FeedbackRow(source, score, bool(corrected), datetime.fromisoformat(given_at))


def _id_at(moment: datetime, *, earlier_ms: int = 0) -> str:
    """Return the first digits of the first id of a moment, or of one that was earlier."""
    return f"{max(0, int(moment.timestamp() * 1000) - earlier_ms):012x}"


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
