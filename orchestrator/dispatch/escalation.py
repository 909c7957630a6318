"""Escalation: the cheapest model answers first, and where its answer fails a check the next one is asked."""

import asyncio

from orchestrator.core.decision import AcceptedFor, Decision, Vote, VoteOutcome, VoteRole
from orchestrator.core.errors import InvalidRequestError, OrchestratorError
from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.dispatch.dispatch_request import DispatchRequest
from orchestrator.dispatch.lanes import LaneEnd, Lanes, error_of
from orchestrator.dispatch.outcome import DispatchResult
from orchestrator.dispatch.services import AnswerCheck, Services
from orchestrator.dispatch.transport import Transport
from orchestrator.policies.checks import why_failed
from orchestrator.policies.settings import EscalateSettings

_CHECK_LIMIT_S = 10.0
"""A check of the caller's own program that takes longer is a no."""


class EscalationDispatcher:
    """One request that escalates; used by one task on one event loop."""

    def __init__(
        self,
        dispatch: DispatchRequest,
        policy: EscalateSettings,
        *,
        version: str,
        transport: Transport,
        services: Services,
    ) -> None:
        """Send or hold nothing yet."""
        self.dispatch = dispatch
        self._policy = policy
        self._version = version
        self._lanes = Lanes(dispatch, transport=transport, services=services)
        self._votes: list[Vote] = []

    async def run(self) -> DispatchResult:
        """Return the first answer that passes, or the last one where none does.

        Raises:
            InvalidRequestError: a check names a function that the orchestrator was not handed.
            OrchestratorError: no model answered; says what went wrong where.
        """
        functions = self._functions()
        last: DispatchResult | None = None
        errors: list[OrchestratorError] = []
        for name in self._policy.models:
            end = await self._ask(name, is_last=name == self._policy.models[-1], has_answer=last is not None)
            answer = None if end.result is None else end.result.answer
            if answer is None:
                errors += [] if end.error is None else [end.error]
                outcome = VoteOutcome.FAILED if end.was_asked else VoteOutcome.NOT_ASKED
                self._note(name, outcome, end, end.reason)
                continue
            last = end.result
            reason = await self._why_failed(answer, functions)
            self._note(name, VoteOutcome.FAILED_CHECK if reason else VoteOutcome.ANSWERED, end, reason or "")
            if reason is None:
                return self._accepted(end.result, AcceptedFor.PASSED, f"the answer of {name} passed")
        if last is None:
            raise error_of(errors)
        return self._accepted(last, AcceptedFor.UNCHECKED, "no answer passed every check; this is the last")

    def close(self, reason: FailureKind = FailureKind.CANCELLED) -> None:
        """Book what is in flight: the caller left, or the deadline is over."""
        self._lanes.close(reason)

    def result(self) -> DispatchResult:
        """Return what has come of it so far."""
        return self._lanes.result()

    async def _ask(self, name: str, *, is_last: bool, has_answer: bool) -> LaneEnd:
        others: tuple[str, ...] = ()
        if is_last and not has_answer:
            named = self._policy.models
            others = tuple(each.name for each in self.dispatch.targets if each.name not in named)
        left_s = self.dispatch.deadline.left_s()
        limit_s = left_s if is_last else max(self.dispatch.profile.min_turn_s, left_s / 2)
        targets = self._lanes.targets_for(name, others=others)
        return await self._lanes.ask(name, targets, limit_s=limit_s, patient=is_last and not has_answer)

    async def _why_failed(self, answer: ProviderAnswer, functions: dict[str, AnswerCheck]) -> str | None:
        reason = why_failed(answer, self._policy.checks, messages=self.dispatch.request.messages)
        if reason is not None:
            return reason
        for name, function in functions.items():
            if not await _passes(function, answer, limit_s=self.dispatch.deadline.left_s()):
                return f"the check '{name}' does not pass it"
        return None

    def _functions(self) -> dict[str, AnswerCheck]:
        known = self._lanes.services.checks
        names = [check.function for check in self._policy.checks if check.function is not None]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise InvalidRequestError(
                f"use case '{self.dispatch.request.use_case}' checks answers with '{unknown[0]}', which this "
                "orchestrator was not handed: Orchestrator.from_config(checks={...})"
            )
        return {name: known[name] for name in names}

    def _note(self, name: str, outcome: VoteOutcome, end: LaneEnd, reason: str) -> None:
        self._votes.append(Vote(name, VoteRole.STEP, outcome, reason=reason, cost_nusd=end.cost_nusd))

    def _accepted(self, chosen: DispatchResult | None, reason: AcceptedFor, text: str) -> DispatchResult:
        decision = Decision("escalate", self._version, reason, text, tuple(self._votes))
        if chosen is None:
            msg = "an accepted answer has a result"
            raise RuntimeError(msg)
        return self.result()._replace(answer=chosen.answer, answered_by=chosen.answered_by, decision=decision)


async def _passes(function: AnswerCheck, answer: ProviderAnswer, *, limit_s: float) -> bool:
    """Return what a check of the caller's own program says; one that raises or hangs says no."""
    try:
        async with asyncio.timeout(min(_CHECK_LIMIT_S, max(0.0, limit_s))):
            return bool(await asyncio.to_thread(function, answer))
    except Exception:  # noqa: BLE001 -- it is the caller's program: whatever it raises, the answer did not pass
        return False
