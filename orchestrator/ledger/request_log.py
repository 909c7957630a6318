"""A log line for each request that has ended: what it was, how it ended, what it cost; no prompt, no reply.

The lines are of level INFO and of the logger `orchestrator.requests`, which no program shows unless it asks.
"""

import logging

from orchestrator.core.formatting import money
from orchestrator.ledger.records import RequestRecord

logger = logging.getLogger("orchestrator.requests")


def log_ended(record: RequestRecord) -> None:
    """Log a request that has ended."""
    if not logger.isEnabledFor(logging.INFO):
        # Where nobody reads it, it costs no request anything.
        return
    fields = {
        "request_id": record.id,
        "tenant": record.tenant,
        "use_case": record.use_case,
        "user": record.user,
        "tags": list(record.tags),
        "outcome": record.outcome.value,
        "error": record.error,
        "cached": record.cached.value,
        "degraded": record.degraded is not None,
        "deployment": record.deployment,
        "model": record.model,
        "attempts": record.attempts,
        "input_tokens": record.usage.input_tokens,
        "output_tokens": record.usage.output_tokens,
        **money("cost", record.cost_nusd),
        "latency_s": round(record.latency_s, 6),
    }
    logger.info("request %s: %s", record.id, record.outcome.value, extra={"request_fields": fields})
