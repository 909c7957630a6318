"""What an evaluation will cost, before anything is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.client import Orchestrator
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.money import NanoUsd
from orchestrator.core.plan import Plan
from orchestrator.core.request import ChatRequest
from orchestrator.evaluation.case import EvaluationError, Row
from orchestrator.evaluation.journal import Journal
from orchestrator.evaluation.subjects import ModelSubject, Subject


@dataclass(frozen=True, slots=True)
class EvaluationPrice:
    """What is still to be asked, and its price; judges have a budget of their own."""

    calls: int
    kept: int
    """Answers that are in the file of results already."""
    expected_nusd: NanoUsd
    bound_nusd: NanoUsd | None
    """If every send that retries and fallbacks allow were billed at its bound; None where it is unknown."""


def price_of_evaluation(
    orchestrator: Orchestrator, rows: Sequence[Row], subjects: Sequence[Subject], journal: Journal | None
) -> EvaluationPrice:
    """Return what is left to pay; nothing is sent.

    Raises:
        EvaluationError: a model cannot serve a row, or does not exist; says which.
    """
    calls = kept = expected = bound = 0
    is_bounded = True
    for subject in subjects:
        for row in rows:
            if journal is not None and journal.answer_of(row, subject.name) is not None:
                kept += 1
                continue
            calls += 1
            if isinstance(subject, ModelSubject):
                row_expected, row_bound = _of_row(orchestrator, row, subject)
                expected, bound = expected + row_expected, bound + row_bound
            else:
                is_bounded = False
    return EvaluationPrice(calls, kept, NanoUsd(expected), NanoUsd(bound) if is_bounded else None)


def _of_row(orchestrator: Orchestrator, row: Row, subject: ModelSubject) -> tuple[int, int]:
    if row.prompt is None:
        raise EvaluationError(f"row '{row.id}' (line {row.line}) has only 'input', which is for chains")
    request = _request(row, subject)
    plan = _plan(orchestrator, request, row)
    attempts = orchestrator.config.profile_of(request).attempts_per_deployment
    bound = attempts * sum(candidate.bound_nusd for candidate in plan.asked)
    return _expected(orchestrator, plan, subject), bound


def _request(row: Row, subject: ModelSubject) -> ChatRequest:
    fields: dict[str, Any] = subject.fields_for(row)
    try:
        return ChatRequest.of(row.prompt or "", **fields)
    except OrchestratorError as exc:
        raise EvaluationError(f"row '{row.id}' (line {row.line}): {exc}") from exc


def _plan(orchestrator: Orchestrator, request: ChatRequest, row: Row) -> Plan:
    try:
        plan = orchestrator.explain(request)
    except OrchestratorError as exc:
        raise EvaluationError(
            f"row '{row.id}' (line {row.line}), {request.model or request.use_case}: {exc}"
        ) from exc
    if not plan.asked:
        reasons = "; ".join(dict.fromkeys(excluded.reason.text for excluded in plan.excluded))
        raise EvaluationError(f"row '{row.id}' (line {row.line}): no model may answer: {reasons}")
    return plan


def _expected(orchestrator: Orchestrator, plan: Plan, subject: ModelSubject) -> int:
    """Return what is likely: the first of the plan, or all voters of a policy."""
    policy = orchestrator.config.settings.use_cases[subject.use_case].policy
    voters = policy.agreement.voters if policy is not None and policy.agreement is not None else ()
    if subject.model is not None or not voters:
        return plan.asked[0].expected_nusd
    return sum(candidate.expected_nusd for candidate in plan.asked if candidate.deployment in voters)


def bound_of(priced: EvaluationPrice) -> NanoUsd | None:
    """Return the most that a start without a limit may cost: what was printed; None where all is free.

    Raises:
        EvaluationError: the price is unknown ahead.
    """
    if priced.bound_nusd is None:
        raise EvaluationError("what a chain costs is not known ahead: set --max-cost-usd")
    return priced.bound_nusd or None
