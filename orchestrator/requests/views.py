"""Requests as the plain data that `--json`, `--csv` and a server give: every field, money exact."""

from dataclasses import asdict
from typing import Any

import orjson

from orchestrator.core.formatting import money, usd_text
from orchestrator.ledger.contents import KeptContent
from orchestrator.ledger.kept_plan import KeptDecision, KeptPlan
from orchestrator.ledger.requests import AttemptRow, RequestDetail, RequestRow

CSV_COLUMNS = (
    "id", "started_at", "tenant", "use_case", "user", "tags", "outcome", "error", "cached", "degraded",
    "deployment", "provider", "model", "attempts", "input_tokens", "output_tokens", "cost_nusd", "cost_usd",
    "latency_s",
)  # fmt: skip


def plain_request(row: RequestRow) -> dict[str, Any]:
    """Return a request of a list."""
    return {
        **asdict(row),
        "started_at": row.started_at.isoformat(),
        "tags": list(row.tags),
        "outcome": row.outcome.value,
        "cached": row.cached.value,
        **money("cost", row.cost_nusd),
    }


def csv_values(row: RequestRow) -> tuple[Any, ...]:
    """Return a request as the cells of `CSV_COLUMNS`; tags stand in one cell, with spaces between them."""
    plain = {**plain_request(row), "tags": " ".join(row.tags), "cost_usd": usd_text(row.cost_nusd)}
    return tuple(plain[name] for name in CSV_COLUMNS)


def plain_detail(detail: RequestDetail) -> dict[str, Any]:
    """Return a request with its plan, attempts, corrections and feedback."""
    return {
        **plain_request(detail.request),
        "plan": None if detail.plan is None else _plain_plan(detail.plan),
        "attempt_rows": [_plain_attempt(attempt) for attempt in detail.attempts],
        "corrections": [
            {
                "attempt": correction.attempt,
                **money("difference", correction.cost_nusd),
                "source": correction.source.value,
                "corrected_at": correction.corrected_at.isoformat(),
                "note": correction.note,
            }
            for correction in detail.corrections
        ],
        "feedback": [
            {**asdict(feedback), "given_at": feedback.given_at.isoformat()} for feedback in detail.feedback
        ],
    }


def plain_content(content: KeptContent | None) -> dict[str, Any] | None:
    """Return a prompt and its reply, None where none is kept."""
    if content is None:
        return None
    return {
        "messages": orjson.loads(content.messages),
        "reply": content.reply,
        "corrected": content.corrected,
        "until": content.until.isoformat(),
    }


def _plain_plan(plan: KeptPlan) -> dict[str, Any]:
    return {
        "candidates": [
            {
                "deployment": candidate.deployment,
                "score": candidate.score,
                **money("bound", candidate.bound_nusd),
                "reason_kinds": list(candidate.reasons),
                "is_reserve": candidate.is_reserve,
            }
            for candidate in plan.candidates
        ],
        "left_out": [{"deployment": step.deployment, "kind": step.reason} for step in plan.left_out],
        "left_out_more": dict(plan.left_out_more),
        "passed_over": [{"deployment": step.deployment, "reason": step.reason} for step in plan.passed_over],
        "decision": None if plan.decision is None else _plain_decision(plan.decision),
    }


def _plain_decision(decision: KeptDecision) -> dict[str, Any]:
    return {
        "policy": decision.policy,
        "version": decision.version,
        "accepted_for": decision.accepted_for,
        "votes": [
            {
                "deployment": vote.deployment,
                "role": vote.role,
                "outcome": vote.outcome,
                "group": vote.group,
                **money("cost", vote.cost_nusd),
            }
            for vote in decision.votes
        ],
    }


def _plain_attempt(attempt: AttemptRow) -> dict[str, Any]:
    return {
        **asdict(attempt),
        "outcome": attempt.outcome.value,
        "started_at": attempt.started_at.isoformat(),
        **money("held", attempt.held_nusd),
        **money("cost", attempt.cost_nusd),
        "cost_source": attempt.cost_source.value,
    }
