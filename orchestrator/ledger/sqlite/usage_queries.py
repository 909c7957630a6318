"""What reports ask of a range of days: SQLite groups and sums, so that rows never leave it one by one."""

from orchestrator.ledger.usage import Duration

# `:name IS NULL OR` lets one statement serve every selection.
_OPERATIONS = (
    "FROM operations WHERE day BETWEEN :since AND :until AND (:tenant IS NULL OR tenant = :tenant)"
    " AND (:use_case IS NULL OR use_case = :use_case) AND (:user IS NULL OR user = :user)"
    " AND (:tag IS NULL OR EXISTS (SELECT 1 FROM json_each(tags) WHERE value = :tag))"
)


def _in_scope(kind: str) -> str:
    return f"(:{kind} IS NULL OR EXISTS (SELECT 1 FROM json_each(scopes) WHERE value = '{kind}:' || :{kind}))"  # noqa: S608 -- fixed words


_ATTEMPTS = "FROM attempts WHERE day BETWEEN :since AND :until AND " + " AND ".join(
    _in_scope(kind) for kind in ("tenant", "use_case", "user", "tag")
)
_CORRECTIONS = (
    "FROM corrections c WHERE c.operation_id = attempts.operation_id AND c.number = attempts.number"
)
_COST = f"cost_nusd + COALESCE((SELECT SUM(c.cost_nusd) {_CORRECTIONS}), 0)"

REQUEST_GROUPS = (
    "SELECT day, tenant, use_case, user, tags, outcome, cached, degraded IS NOT NULL, error, COUNT(*),"
    f" SUM(latency_ms) {_OPERATIONS} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9"
)
SEND_GROUPS = (
    "SELECT day, scopes, provider, deployment, model, outcome,"
    f" COALESCE((SELECT c.source {_CORRECTIONS} ORDER BY c.step DESC LIMIT 1), cost_source),"
    f" COUNT(*), SUM({_COST} > 0), SUM({_COST}),"
    " SUM(input_tokens), SUM(output_tokens), SUM(cached_input_tokens), MAX(output_tokens), SUM(latency_ms)"
    f" {_ATTEMPTS} GROUP BY 1, 2, 3, 4, 5, 6, 7"
)
DURATIONS = {
    Duration.REQUEST: (
        f"SELECT '', latency_ms, COUNT(*) {_OPERATIONS} AND outcome = 'succeeded' GROUP BY 2 ORDER BY 2"
    ),
    Duration.SEND: (
        f"SELECT model, latency_ms, COUNT(*) {_ATTEMPTS} AND outcome = 'succeeded'"
        " GROUP BY 1, 2 ORDER BY 1, 2"
    ),
    Duration.FIRST_TOKEN: (
        f"SELECT model, first_token_ms, COUNT(*) {_ATTEMPTS} AND outcome = 'succeeded'"
        " AND first_token_ms IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2"
    ),
}
