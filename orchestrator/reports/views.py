"""Replies and plans as plain data for `--json`: every field, money exact."""

from dataclasses import asdict
from typing import Any

from orchestrator.core.formatting import money
from orchestrator.core.plan import Candidate, Plan
from orchestrator.core.reply import Attempt, ChatReply


def plain_reply(reply: ChatReply) -> dict[str, Any]:
    """Return a reply with everything it says."""
    return {
        "request_id": reply.request_id,
        "text": reply.text,
        "model": reply.model,
        "deployment": reply.deployment,
        "provider": reply.provider,
        **money("cost", reply.cost_nusd),
        "usage": asdict(reply.usage),
        "finish_reason": reply.finish_reason,
        "tool_calls": [asdict(call) for call in reply.tool_calls],
        "cached": reply.cached.value,
        "degraded": reply.degraded,
        "apology": reply.apology,
        "notices": list(reply.notices),
        "latency_s": round(reply.latency_s, 6),
        "created_at": reply.created_at.isoformat(),
        "attempts": [plain_attempt(one) for one in reply.attempts],
        "plan": None if reply.plan is None else plain_plan(reply.plan),
    }


def plain_attempt(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt."""
    return {
        "number": attempt.number,
        "deployment": attempt.deployment,
        "provider": attempt.provider,
        "model": attempt.model,
        "outcome": attempt.outcome.value,
        "failure": attempt.failure,
        "status": attempt.status,
        "latency_s": round(attempt.latency_s, 6),
        "first_token_s": None if attempt.first_token_s is None else round(attempt.first_token_s, 6),
        "usage": asdict(attempt.usage),
        **money("cost", attempt.cost_nusd),
        "cost_source": attempt.cost_source.value,
        "upstream_id": attempt.upstream_id,
    }


def plain_plan(plan: Plan) -> dict[str, Any]:
    """Return a plan: who would be asked in which order, and who not."""
    return {
        "use_case": plan.use_case,
        "candidates": [_candidate(one) for one in plan.candidates],
        "reserve": [_candidate(one) for one in plan.reserve],
        "excluded": [{"deployment": one.deployment, "reason": one.reason} for one in plan.excluded],
        "notices": list(plan.notices),
    }


def _candidate(one: Candidate) -> dict[str, Any]:
    return {
        "deployment": one.deployment,
        "score": one.score,
        "parts": dict(one.parts),
        **money("expected", one.expected_nusd),
        **money("bound", one.bound_nusd),
        "input_expected_tokens": one.input_expected_tokens,
        "input_bound_tokens": one.input_bound_tokens,
        "max_tokens": one.max_tokens,
        "reasons": list(one.reasons),
    }
