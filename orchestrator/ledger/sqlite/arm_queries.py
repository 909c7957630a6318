"""Requests on the sides of an experiment: by the tags of their rows, with the feedback on them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from orchestrator.core.money import NanoUsd
from orchestrator.core.names import ARM_TAG
from orchestrator.ledger.facts import ArmRow

ARM_ROWS = (
    "SELECT o.id, o.tenant, o.user, o.tags, o.outcome, o.cached, o.cost_nusd + COALESCE((SELECT SUM(c.cost_nusd)"
    " FROM corrections c WHERE c.operation_id = o.id), 0), o.latency_ms,"
    " (SELECT AVG(f.score) FROM feedback f WHERE f.operation_id = o.id),"
    " (SELECT MAX(f.corrected) FROM feedback f WHERE f.operation_id = o.id), o.deployment"
    " FROM operations o WHERE o.id >= :first_id AND instr(o.tags, :tag) > 0 ORDER BY o.id"
)
"""An id begins with its moment."""
_BETWEEN_CLOCKS = timedelta(seconds=1)


def arm_values(label: str, since: datetime) -> Mapping[str, Any]:
    """Return the values of `ARM_ROWS` for an experiment."""
    since_ms = max(0, int((since.astimezone(UTC) - _BETWEEN_CLOCKS).timestamp() * 1000))
    return {"first_id": f"{since_ms:012x}", "tag": f'"{ARM_TAG}{label}:'}


def arm_row(*row: Any) -> ArmRow:
    """Return a request as its columns say it."""
    identity, tenant, user, tags, outcome, cached, cost, latency_ms, score, corrected, deployment = row
    return ArmRow(
        id=identity,
        tenant=tenant,
        user=user,
        tags=tuple(orjson.loads(tags)),
        outcome=outcome,
        cached=cached,
        cost_nusd=NanoUsd(cost),
        latency_s=latency_ms / 1000,
        score=score,
        is_corrected=bool(corrected),
        deployment=deployment,
    )
