"""What reports ask of a range of days: SQLite groups and sums, so that rows never leave it one by one.

A day is read from its sums where they are right (`:closed`), else from its rows (`:open`); both are lists of
days as JSON. The sums of a day are what the same statements say of its rows, so they cannot say anything
else. What is grouped in several ways is summed from the rows once (`GATHER`), for they may be many.
"""

import re

from orchestrator.core.names import ARM_TAG
from orchestrator.core.payer import OWN_PAYERS, SHADOW_PAYER
from orchestrator.ledger.sqlite.queries import scoped
from orchestrator.ledger.usage import Duration

OPEN = "(SELECT value FROM json_each(:open))"
CLOSED = (
    "day IN (SELECT value FROM json_each(:closed)) AND (:tenant IS NULL OR tenant = :tenant)"
    " AND (:use_case IS NULL OR use_case = :use_case)"
)


def others_than_own(tenant: str) -> str:
    """Return the condition of rows whose outcome is somebody's answer: not `core.payer.is_own`."""
    return " AND ".join(_begins_not(tenant, begin) for begin in OWN_PAYERS)


def _others_than_shadows(tenant: str) -> str:
    return _begins_not(tenant, SHADOW_PAYER)


def _begins_not(tenant: str, begin: str) -> str:
    return f"substr({tenant}, 1, {len(begin)}) <> '{begin}'"


# `:name IS NULL OR` lets one statement serve every selection.
_OPERATIONS = (
    f"FROM operations WHERE day IN {OPEN} AND (:tenant IS NULL OR tenant = :tenant)"  # noqa: S608 -- fixed words
    " AND (:use_case IS NULL OR use_case = :use_case) AND (:user IS NULL OR user = :user)"
    " AND (:tag IS NULL OR EXISTS (SELECT 1 FROM json_each(tags) WHERE value = :tag))"
)
_ATTEMPTS = " AND ".join([
    f"FROM attempts WHERE day IN {OPEN}",
    *(
        f"(:{kind} IS NULL OR {scoped(kind)} = :{kind})"
        for kind in ("tenant", "use_case", "user")
    ),
    "(:tag IS NULL OR EXISTS (SELECT 1 FROM json_each(scopes) WHERE value = 'tag:' || :tag))",
])  # fmt: skip
_TENANT, _USE_CASE = (f"COALESCE({scoped(kind)}, '')" for kind in ("tenant", "use_case"))
_CORRECTIONS = (
    "FROM corrections c WHERE c.operation_id = attempts.operation_id AND c.number = attempts.number"
)
_COST = f"cost_nusd + COALESCE((SELECT SUM(c.cost_nusd) {_CORRECTIONS}), 0)"

REQUEST_ROWS = (
    "SELECT day, tenant, use_case, outcome, cached, degraded IS NOT NULL, error, COUNT(*), SUM(latency_ms)"
    f" {_OPERATIONS} GROUP BY 1, 2, 3, 4, 5, 6, 7"
)

SEND_ROWS = (
    f"SELECT day, {_TENANT}, {_USE_CASE}, provider, deployment, model, outcome,"
    f" COALESCE((SELECT c.source {_CORRECTIONS} ORDER BY c.step DESC LIMIT 1), cost_source),"
    f" COUNT(*), SUM({_COST} > 0), SUM({_COST}),"
    " SUM(input_tokens), SUM(output_tokens), SUM(cached_input_tokens), MAX(output_tokens), SUM(latency_ms)"
    f" {_ATTEMPTS} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8"
)
_GATHERED = {"request_sums": ("gathered_requests", REQUEST_ROWS), "send_sums": ("gathered_sends", SEND_ROWS)}
GATHER = tuple(
    statement
    for table, (name, rows) in _GATHERED.items()
    for statement in (
        f"DROP TABLE IF EXISTS temp.{name}",
        # The first part is empty, and names the columns.
        f"CREATE TEMP TABLE {name} AS SELECT * FROM {table} WHERE 0 UNION ALL {rows}",  # noqa: S608 -- fixed words
    )
)
"""Make the temporary tables of one look: what the rows of the days without sums come to."""


def _grouped(table: str, columns: str, *, by: int, where: str = "1") -> str:
    """Return the columns of a table of sums and of what was gathered, each grouped by the first `by`.

    A day is in one of them alone. Each is grouped by itself: together they would be copied first.
    """
    keys = ", ".join(str(place + 1) for place in range(by))
    sources = (f"temp.{_GATHERED[table][0]} WHERE {where}", f"{table} WHERE {CLOSED} AND {where}")
    return " UNION ALL ".join(f"SELECT {columns} FROM {source} GROUP BY {keys}" for source in sources)  # noqa: S608 -- fixed words


_OWN = f"CASE WHEN {others_than_own('tenant')} THEN '' ELSE tenant END"
REQUEST_GROUPS = _grouped(
    "request_sums",
    f"day, {_OWN}, use_case, outcome, cached, degraded, error, SUM(requests), SUM(latency_ms)",
    by=7,
)
SEND_GROUPS = _grouped(
    "send_sums",
    f"day, {_OWN}, use_case, provider, deployment, model, outcome, cost_source, SUM(sends), SUM(sends_paid),"
    " SUM(cost_nusd), SUM(input_tokens), SUM(output_tokens), SUM(cached_input_tokens), MAX(output_tokens_max),"
    " SUM(latency_ms)",
    by=8,
)
_REQUESTS_OF_TENANT = (
    "tenant, SUM(requests) AS requests, SUM(requests * (outcome = 'succeeded')) AS succeeded,"
    " SUM(requests * (outcome = 'failed')) AS failed, SUM(latency_ms * (outcome = 'succeeded')) AS latency_ms,"
    " 0 AS nusd"
)
_NAMED = "tenant <> ''"
_COST_OF_TENANT = "tenant, 0, 0, 0, 0, SUM(cost_nusd)"
TENANT_GROUPS = (
    "SELECT 'tenant', tenant, SUM(requests), SUM(succeeded), SUM(failed), SUM(latency_ms), SUM(nusd) FROM"  # noqa: S608 -- fixed words
    f" ({_grouped('request_sums', _REQUESTS_OF_TENANT, by=1)}"
    f" UNION ALL {_grouped('send_sums', _COST_OF_TENANT, by=1, where=_NAMED)}) GROUP BY 2"
)
REFUSAL_GROUPS = _grouped(
    "request_sums", "day, tenant, SUM(requests)", by=2, where="error = 'BudgetExceededError'"
)
SPENDING_GROUPS = _grouped("send_sums", "day, tenant, use_case, model, SUM(cost_nusd)", by=4)
DAY_TOTALS = (
    "SELECT day, SUM(requests), SUM(nusd) FROM (SELECT day, COUNT(*) AS requests, 0 AS nusd"  # noqa: S608 -- fixed words
    f" {_OPERATIONS} AND {_others_than_shadows('tenant')} GROUP BY 1"
    f" UNION ALL SELECT day, 0, SUM({_COST}) {_ATTEMPTS} GROUP BY 1"
    f" UNION ALL SELECT day, SUM(requests), 0 FROM request_sums WHERE {CLOSED}"
    f" AND {_others_than_shadows('tenant')} GROUP BY 1"
    f" UNION ALL SELECT day, 0, SUM(cost_nusd) FROM send_sums WHERE {CLOSED} GROUP BY 1) GROUP BY 1"
)

_SUCCEEDED, _FAILED = (
    f"(outcome = '{outcome}' AND {others_than_own('tenant')})" for outcome in ("succeeded", "failed")
)
_REQUESTS_OF_NAME = (
    f"COUNT(*) AS requests, SUM({_SUCCEEDED}) AS succeeded, SUM({_FAILED}) AS failed,"
    f" SUM(latency_ms * {_SUCCEEDED}) AS latency_ms, 0 AS cost_nusd"
)
# Names are read from a text once for all sends that have the same.
_SENT = f"sent AS MATERIALIZED (SELECT day, scopes, SUM({_COST}) AS nusd {_ATTEMPTS} GROUP BY 1, 2)"
_COST_OF_NAME = f"SELECT day, {_TENANT}, {_USE_CASE}, '{{kind}}', {{name}}, 0, 0, 0, 0, nusd FROM sent"  # noqa: S608 -- fixed words
NAME_ROWS = (
    "SELECT day, tenant, use_case, kind, name, SUM(requests) AS n1, SUM(succeeded) AS n2, SUM(failed) AS n3,"  # noqa: S608 -- fixed words
    f" SUM(latency_ms) AS n4, SUM(cost_nusd) AS n5 FROM (WITH {_SENT} SELECT day, tenant, use_case, 'user' AS kind, user AS name,"
    f" {_REQUESTS_OF_NAME} {_OPERATIONS} AND user IS NOT NULL GROUP BY 1, 2, 3, 5"
    f" UNION ALL SELECT day, tenant, use_case, 'tag', json_each.value, {_REQUESTS_OF_NAME}"
    f" {_OPERATIONS.replace('WHERE', ', json_each(operations.tags) WHERE', 1)} AND tags <> '[]'"
    # Sides of experiments have a command of their own, and a name for each shadow.
    f" AND substr(json_each.value, 1, {len(ARM_TAG)}) <> '{ARM_TAG}' GROUP BY 1, 2, 3, 5"
    f" UNION ALL {_COST_OF_NAME.format(kind='user', name=scoped('user'))}"
    f" UNION ALL {_COST_OF_NAME.format(kind='tag', name='substr(json_each.value, 5)')}, json_each(sent.scopes)"
    " WHERE instr(scopes, '\"tag:') AND json_each.value LIKE 'tag:%')"
    " WHERE name IS NOT NULL GROUP BY 1, 2, 3, 4, 5"
)
_OF_NAME = ", ".join(
    f"SUM({name}) AS {name}" for name in ("requests", "succeeded", "failed", "latency_ms", "cost_nusd")
)
NAME_GROUPS = (
    f"SELECT kind, name, {_OF_NAME} FROM (SELECT kind, name, {_OF_NAME} FROM name_sums WHERE {CLOSED} GROUP BY 1, 2"  # noqa: S608 -- fixed words
    f" UNION ALL SELECT kind, name, n1, n2, n3, n4, n5 FROM ({NAME_ROWS})) GROUP BY 1, 2"
)

PICK = (
    "DROP TABLE IF EXISTS temp.picked_operations",
    "DROP TABLE IF EXISTS temp.picked_attempts",
    f"CREATE TEMP TABLE picked_operations AS SELECT * {_OPERATIONS}",
    f"CREATE TEMP TABLE picked_attempts AS SELECT * {_ATTEMPTS}",
    "CREATE INDEX temp.attempts_of_picked ON picked_attempts (operation_id)",
)
"""Make the temporary tables of a look at one user or tag: its rows, which are few and looked for once."""
DAYS_WITH_NAME = "SELECT DISTINCT day FROM name_sums WHERE kind = :kind AND name = :name"
_PICKED_FROM = re.compile(r"\b(FROM|JOIN) (operations|attempts)\b( [oa]\b)?")


def of_picked(statement: str) -> str:
    """Return a statement that reads the rows that were picked, and not all of them."""
    return _PICKED_FROM.sub(
        lambda match: f"{match[1]} temp.picked_{match[2]}{match[3] or f' AS {match[2]}'}", statement
    )


_STEPS_MS = tuple(
    (limit * 10**power // 1000, step * 10**power // 1000)
    for power in range(3, 10)
    for limit, step in ((200, 1), (500, 2), (1000, 5))
)
"""Below the first, milliseconds are counted to a multiple of the second: half a percent off at most."""


def _counted_ms(column: str) -> str:
    whens = " ".join(
        f"WHEN {column} < {limit} THEN ({column} + {step // 2}) / {step} * {step}"
        for limit, step in _STEPS_MS
    )
    return f"CASE {whens} ELSE {column} END"


_TIMED = {
    Duration.REQUEST: ("''", "latency_ms", f"{_OPERATIONS} AND outcome = 'succeeded'"),
    Duration.SEND: ("model", "latency_ms", f"{_ATTEMPTS} AND outcome = 'succeeded'"),
    Duration.FIRST_TOKEN: (
        "model",
        "first_token_ms",
        f"{_ATTEMPTS} AND outcome = 'succeeded' AND first_token_ms IS NOT NULL",
    ),
}


def _durations(duration: Duration) -> str:
    """Return how long answers took that somebody waited for: ours are in kept sums, and taken off here."""
    model, column, rows = _TIMED[duration]
    tenant = "tenant" if duration is Duration.REQUEST else _TENANT
    kept = (
        f"FROM duration_sums, json_each(counts) WHERE kind = '{duration}' AND {CLOSED}"
        " AND (tenant IS NULL) = (:tenant IS NULL AND :use_case IS NULL)"
    )
    ours = f"kind = '{duration}' AND {CLOSED} AND NOT ({others_than_own('tenant')})"
    return (
        f"SELECT model, ms, SUM(n) FROM (SELECT {model} AS model, {_counted_ms(column)} AS ms, COUNT(*) AS n"  # noqa: S608 -- fixed words
        f" {rows} AND {others_than_own(tenant)} GROUP BY 1, 2"
        f" UNION ALL SELECT model, CAST(json_each.key AS INTEGER), SUM(json_each.value) {kept} GROUP BY 1, 2"
        " UNION ALL SELECT model, CAST(json_each.key AS INTEGER), -SUM(json_each.value)"
        f" FROM duration_sums, json_each(counts) WHERE {ours} GROUP BY 1, 2"
        ") GROUP BY 1, 2 HAVING SUM(n) > 0 ORDER BY 1, 2"
    )


def _duration_rows(duration: Duration) -> str:
    model, column, rows = _TIMED[duration]
    tenant, use_case = ("tenant", "use_case") if duration is Duration.REQUEST else (_TENANT, _USE_CASE)
    return (
        f"WITH counted AS MATERIALIZED (SELECT day, {tenant} AS tenant, {use_case} AS use_case, {model} AS model,"  # noqa: S608 -- fixed words
        f" {_counted_ms(column)} AS ms, COUNT(*) AS n {rows} GROUP BY 1, 2, 3, 4, 5)"
        f" SELECT day, '{duration}', tenant, use_case, model, json_group_object(ms, n) FROM counted"
        " GROUP BY 1, 3, 4, 5"
        f" UNION ALL SELECT day, '{duration}', NULL, NULL, model, json_group_object(ms, n) FROM"
        " (SELECT day, model, ms, SUM(n) AS n FROM counted GROUP BY 1, 2, 3) GROUP BY 1, 5"
    )


DURATIONS = {duration: _durations(duration) for duration in Duration}
DURATION_ROWS = tuple(_duration_rows(duration) for duration in Duration)

_BOOKED = (
    "SELECT day FROM (WITH RECURSIVE each_day (day) AS (SELECT MIN(day) FROM {table} WHERE day >= :since UNION ALL"
    " SELECT (SELECT MIN(day) FROM {table} WHERE day > each_day.day) FROM each_day WHERE each_day.day <= :until)"
    " SELECT day FROM each_day WHERE day <= :until)"
)
"""From one day to the next by the index, however many rows a day has."""
DAYS_OF_REQUESTS = _BOOKED.format(table="operations")
BOOKED = " UNION ".join(_BOOKED.format(table=table) for table in ("operations", "attempts")) + " ORDER BY 1"
SUMMED = "SELECT day FROM summed_days WHERE counting IS NULL AND day BETWEEN :since AND :until ORDER BY day"
