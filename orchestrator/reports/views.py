"""Replies, plans and errors as the plain data that `--json` prints: every field, money exact."""

from dataclasses import asdict
from typing import Any

from orchestrator.core.decision import plain_decision
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.formatting import money
from orchestrator.core.plan import Candidate, Excluded, Plan
from orchestrator.core.reply import Attempt, ChatReply
from orchestrator.core.visible_text import brief
from orchestrator.routing.explaining import shares_of, what_would_change


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
        "degraded": None if reply.degraded is None else reply.degraded.text,
        "degraded_kinds": [] if reply.degraded is None else [kind.value for kind in reply.degraded.kinds],
        "apology": reply.apology,
        "notices": list(reply.notices),
        "latency_s": round(reply.latency_s, 6),
        "queued_s": round(reply.queued_s, 6),
        "created_at": reply.created_at.isoformat(),
        "attempts": [plain_attempt(attempt) for attempt in reply.attempts],
        "plan": None if reply.plan is None else plain_plan(reply.plan),
        "decision": None if reply.decision is None else plain_decision(reply.decision),
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
    """Return a plan: the deployments in their order, the reserve, and those left out with the reason."""
    return {
        "use_case": plan.use_case,
        "analysis": None if plan.analysis is None else plan.analysis._asdict(),
        "weights": dict(plan.weights),
        "candidates": [_plain_candidate(candidate, plan) for candidate in plan.candidates],
        "reserve": [_plain_candidate(candidate, plan) for candidate in plan.reserve],
        "would_change": list(what_would_change(plan)),
        "excluded": [_plain_exclusion(exclusion) for exclusion in plan.excluded],
        "notices": list(plan.notices),
    }


def plain_error(error: OrchestratorError) -> dict[str, Any]:
    """Return an error: its type, what to do, and the request that it ended."""
    return {
        "type": type(error).__name__,
        "message": brief(error.in_one_line),
        "exit_code": error.exit_code,
        "request_id": error.request_id,
    }


def _plain_candidate(candidate: Candidate, plan: Plan) -> dict[str, Any]:
    return {
        "deployment": candidate.deployment,
        "score": candidate.score,
        "parts": dict(candidate.parts),
        "shares": shares_of(candidate, plan.weights),
        **money("expected", candidate.expected_nusd),
        **money("bound", candidate.bound_nusd),
        "input_expected_tokens": candidate.input_expected_tokens,
        "input_bound_tokens": candidate.input_bound_tokens,
        "max_tokens": candidate.max_tokens,
        "reasoning_tokens": candidate.reasoning_tokens,
        "pinned": candidate.pinned,
        "clamped_from": candidate.clamped_from,
        "reasons": [reason.text for reason in candidate.reasons],
        "reason_kinds": [reason.kind.value for reason in candidate.reasons],
    }


def _plain_exclusion(exclusion: Excluded) -> dict[str, Any]:
    reason = exclusion.reason
    return {"deployment": exclusion.deployment, "reason": reason.text, "kind": reason.kind.value}
