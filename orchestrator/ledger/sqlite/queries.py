"""What is asked of the ledger's tables: for reports, for reconciling, for rolling up and for verifying."""


def scoped(kind: str) -> str:
    """Return the SQL for the name in an attempt's scope of one kind; it needs no operation row.

    A text without a backslash has its quotes around names alone, so the name is what stands between two of
    them: that takes a tenth of the time that reading the list takes.
    """
    read = f"SELECT substr(value, {len(kind) + 2}) FROM json_each(scopes) WHERE value LIKE '{kind}:%' LIMIT 1"  # noqa: S608 -- two fixed words
    begins = f"instr(scopes, '\"{kind}:')"
    rest = f"substr(scopes, {begins} + {len(kind) + 2})"
    cut = f"CASE WHEN {begins} THEN substr({rest}, 1, instr({rest}, '\"') - 1) END"
    return f"(CASE WHEN instr(scopes, char(92)) THEN ({read}) ELSE {cut} END)"


_CORRECTIONS = (
    "FROM corrections c WHERE c.operation_id = attempts.operation_id AND c.number = attempts.number"
)

_TAGS = "(SELECT json_group_array(substr(value, 5)) FROM json_each(scopes) WHERE value LIKE 'tag:%')"
"""The tags in an attempt's scopes, as a JSON list."""

_OF_MONTH = "day BETWEEN :month AND :month || '~'"
"""A month as a range of days, which the largest tables have an index for."""

# ---- for reports

OPERATIONS = (
    "SELECT id, started_at, day, tenant, use_case, user, tags, outcome, error, cached, degraded, deployment,"  # noqa: S608 -- fixed words
    " provider, model, attempts, input_tokens, output_tokens, cost_nusd + (SELECT COALESCE(SUM(c.cost_nusd), 0)"
    " FROM corrections c WHERE c.operation_id = operations.id) AS cost_nusd, latency_ms FROM operations"
    f" WHERE {_OF_MONTH} AND (:tenant IS NULL OR tenant = :tenant) ORDER BY started_at, id"
)
ATTEMPTS = (
    "SELECT operation_id, number, day, deployment, provider, model, outcome, failure, status, started_at,"  # noqa: S608 -- fixed words
    " latency_ms, first_token_ms, input_tokens, output_tokens, cached_input_tokens, tokens_estimated,"
    f" cost_nusd + COALESCE((SELECT SUM(c.cost_nusd) {_CORRECTIONS}), 0) AS cost_nusd,"
    f" COALESCE((SELECT c.source {_CORRECTIONS} ORDER BY c.step DESC LIMIT 1), cost_source) AS cost_source,"
    f" upstream_id, {scoped('tenant')} AS tenant, {scoped('use_case')} AS use_case,"
    f" {scoped('user')} AS user, {_TAGS} AS tags FROM attempts"
    f" WHERE {_OF_MONTH} AND (:tenant IS NULL OR {scoped('tenant')} = :tenant)"
    " ORDER BY started_at, operation_id, number"
)
ROLLED = (
    "SELECT tenant, use_case, model, requests, attempts, cost_nusd FROM monthly"
    " WHERE month = :month AND (:tenant IS NULL OR tenant = :tenant)"
)
_MONTHS_BY_DAYS = (
    "SELECT substr(day, 1, 7) AS month FROM (WITH RECURSIVE firsts (day) AS (SELECT MIN(day) FROM {table} UNION"
    " SELECT (SELECT MIN(day) FROM {table} WHERE day > substr(firsts.day, 1, 7) || '~') FROM firsts"
    " WHERE firsts.day IS NOT NULL) SELECT day FROM firsts WHERE day IS NOT NULL)"
)
"""From the first day of one month to that of the next by the index, however many rows a month has."""
MONTHS = (
    " UNION ".join(_MONTHS_BY_DAYS.format(table=table) for table in ("operations", "attempts"))  # noqa: S608 -- fixed words
    + " UNION SELECT month FROM monthly ORDER BY 1 DESC"
)
TABLE = "SELECT * FROM {name} WHERE :month IS NULL OR month = :month"
TABLE_OF_MONTH_BY_DAYS = f"SELECT * FROM {{name}} WHERE {_OF_MONTH}"  # noqa: S608 -- fixed words

# ---- for budgets

TIME_ZONE = "SELECT value FROM about WHERE key = 'time_zone'"
BEGAN = "INSERT OR IGNORE INTO about VALUES ('began_at', ?)"
BEGAN_AT = "SELECT value FROM about WHERE key = 'began_at'"
COUNTER = "SELECT spent_nusd, held_nusd FROM counters WHERE period = ? AND scope = ?"
# By the key, whose ids sort by time: the newest rows are at the end of the file, however long it is.
COUNTED_INPUTS = (
    "SELECT model, script, input_expected_tokens, input_tokens FROM"
    " (SELECT * FROM attempts ORDER BY operation_id DESC LIMIT ?)"
    " WHERE tokens_estimated = 0 AND input_expected_tokens > 0 AND input_tokens > 0"
)


def counters_sql(periods: int) -> str:
    """Return the query for the counters of so many periods, for all without any."""
    where = f"WHERE period IN ({','.join('?' * periods)})" if periods else ""
    return f"SELECT scope, period, spent_nusd, held_nusd FROM counters {where} ORDER BY scope, period"  # noqa: S608 -- only question marks


# ---- for reconciling and rolling up

HOLDS = (
    "SELECT id, operation_id, attempt, deployment, provider, model, scopes, held_nusd, price_version,"
    " hour, day, month, held_at, process, runs FROM holds ORDER BY id"
)
ASSUMED_COSTS = (
    "SELECT operation_id, number, deployment, provider, cost_nusd, upstream_id FROM attempts"
    " WHERE day >= :since AND cost_source IN ('bound', 'estimate') AND upstream_id IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM corrections c"
    " WHERE c.operation_id = attempts.operation_id AND c.number = attempts.number) ORDER BY started_at"
)
COST_SAMPLE = (
    "SELECT COALESCE(SUM(cost_nusd), 0), COALESCE(SUM(held_nusd), 0) FROM"
    " (SELECT cost_nusd, held_nusd FROM attempts WHERE deployment = :deployment"
    " AND cost_source IN ('provider', 'price_book') AND held_nusd > 0 ORDER BY day DESC LIMIT :attempts)"
)
BOOKED_DAYS = (
    "SELECT DISTINCT day FROM attempts WHERE day < :before"
    " UNION SELECT DISTINCT day FROM operations WHERE day < :before ORDER BY 1"
)
HOLDS_BY_MONTH = "SELECT month, COUNT(*) FROM holds GROUP BY 1"

# ---- for verifying

ROW_COUNTS = (
    "SELECT (SELECT COUNT(*) FROM operations) AS operations, (SELECT COUNT(*) FROM attempts) AS attempts,"
    " (SELECT COUNT(*) FROM holds) AS holds, (SELECT COUNT(*) FROM corrections) AS corrections,"
    " (SELECT COUNT(*) FROM counters) AS counters, (SELECT COUNT(*) FROM monthly) AS monthly"
)
BOOKED_SUMS = (
    "SELECT scopes, hour, day, month, SUM(cost_nusd), 0 FROM attempts GROUP BY scopes, hour, day, month"
    " UNION ALL SELECT scopes, hour, day, month, SUM(cost_nusd), 0 FROM corrections"
    " GROUP BY scopes, hour, day, month"
    " UNION ALL SELECT scopes, hour, day, month, 0, SUM(held_nusd) FROM holds GROUP BY scopes, hour, day, month"
)
RUNS = "SELECT id, tenant, name, spent_nusd, held_nusd, rolled_nusd FROM runs ORDER BY id"
RUN_ROWS = (
    "SELECT runs, SUM(cost_nusd), 0 FROM attempts WHERE runs <> '[]' GROUP BY runs"
    " UNION ALL SELECT runs, SUM(cost_nusd), 0 FROM corrections WHERE runs <> '[]' GROUP BY runs"
    " UNION ALL SELECT runs, 0, SUM(held_nusd) FROM holds WHERE runs <> '[]' GROUP BY runs"
)
UNEQUAL_OPERATIONS = (
    "SELECT o.id, o.cost_nusd, COALESCE(a.cost, 0), COALESCE(c.cost, 0) FROM operations o"
    " LEFT JOIN (SELECT operation_id, SUM(cost_nusd) AS cost FROM attempts GROUP BY operation_id) a"
    " ON a.operation_id = o.id"
    " LEFT JOIN (SELECT operation_id, SUM(cost_nusd) AS cost FROM corrections GROUP BY operation_id) c"
    " ON c.operation_id = o.id"
    # What a request was said to cost when it ended stays; a correction may come later.
    " WHERE o.cost_nusd <> COALESCE(a.cost, 0) AND o.cost_nusd <> COALESCE(a.cost, 0) + COALESCE(c.cost, 0)"
    " LIMIT :limit"
)
UNCLAIMED_ATTEMPTS = (
    "SELECT operation_id, number, deployment, started_at, cost_nusd FROM attempts"
    " WHERE NOT EXISTS (SELECT 1 FROM operations WHERE id = operation_id) AND started_at < :before"
    # A compacted request took its row along; attempts of its last minutes may fall into the next month.
    " AND NOT EXISTS (SELECT 1 FROM monthly m WHERE m.month = attempts.month OR"
    " (m.month = strftime('%Y-%m', attempts.day, '-1 day') AND attempts.day = attempts.month || '-01'))"
    # A request whose later attempt still runs has no row yet, nor has one that waits to be reconciled.
    " AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.operation_id = attempts.operation_id)"
    " LIMIT :limit"
)
EXCESSES = (
    "SELECT operation_id, number, deployment, held_nusd, cost_nusd FROM attempts WHERE cost_nusd > held_nusd"  # noqa: S608 -- fixed words
    f" AND cost_nusd + COALESCE((SELECT SUM(c.cost_nusd) {_CORRECTIONS}), 0) > held_nusd LIMIT :limit"
)
SOURCE_SUMS = (
    "SELECT cost_source, COUNT(*), SUM(cost_nusd) FROM attempts GROUP BY cost_source ORDER BY cost_source"
)
