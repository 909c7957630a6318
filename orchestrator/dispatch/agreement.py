"""Agreement: cheap models of different vendors vote, and what two of them say is the answer.

Whom to ask and whom to believe is decided in `policies.agreement`; here the models are asked. A voter that
fails has no vote: the next tie-breaker takes its place, then the judge, and the reply says so.
"""

import asyncio
import math
from collections.abc import Collection

from orchestrator.core.decision import AcceptedFor, Decision, Vote, VoteOutcome, VoteRole
from orchestrator.core.errors import InvalidRequestError, OrchestratorError
from orchestrator.core.failures import FailureKind
from orchestrator.core.plan import Candidate
from orchestrator.dispatch.dispatch_request import DispatchRequest
from orchestrator.dispatch.lanes import LaneEnd, Lanes, error_of
from orchestrator.dispatch.outcome import DispatchResult
from orchestrator.dispatch.services import Services
from orchestrator.dispatch.transport import Transport
from orchestrator.policies.agreement import Accept, Ask, Ballot, Order, decide
from orchestrator.policies.normal_form import CompareBy, NoCall, normal_form
from orchestrator.policies.settings import AgreementSettings, Timing

_SPEED_HALF_S = 10.0
"""A speed of 1/2 in a plan is so many seconds."""
_TEXTS = {
    AcceptedFor.AGREED: "{names} gave the same answer",
    AcceptedFor.JUDGED: "no two of {names} gave the same answer, so the judge decided",
    AcceptedFor.UNCONFIRMED: "no two of {names} gave the same answer, and the judge gave none that counts",
}


class AgreementDispatcher:
    """One request under agreement; used by one task on one event loop, with a task for each vote."""

    def __init__(
        self,
        dispatch: DispatchRequest,
        policy: AgreementSettings,
        *,
        version: str,
        transport: Transport,
        services: Services,
    ) -> None:
        """Send or hold nothing yet."""
        self.dispatch = dispatch
        self._policy = policy
        self._version = version
        self._order = Order(policy.voters, policy.tie_breakers, policy.judge)
        self._lanes = Lanes(dispatch, transport=transport, services=services)
        self._ends: dict[str, LaneEnd] = {}
        self._ballots: dict[str, Ballot] = {}
        self._cancelled: set[str] = set()

    async def run(self) -> DispatchResult:
        """Return the answer that is accepted.

        Raises:
            InvalidRequestError: its policy compares tool calls, and the request declares no tools.
            OrchestratorError: no model answered; says what went wrong where.
        """
        self._check_request()
        while True:
            step = self._step()
            if isinstance(step, Accept):
                return self._accepted(step)
            if step is None:
                raise self._error()
            for names in self._rounds(step):
                await self._ask(names)
                if isinstance(self._step(), Accept):
                    break

    def _check_request(self) -> None:
        request = self.dispatch.request
        if self._policy.compare.by is CompareBy.TOOL_CALLS and not request.sampling.tools:
            raise InvalidRequestError(
                f"use case '{request.use_case}' compares tool calls, and this request declares no tools: free "
                "text is never voted on. Declare tools, or ask another use case."
            )

    def close(self, reason: FailureKind = FailureKind.CANCELLED) -> None:
        """Book what is in flight: the caller left, or the deadline is over."""
        self._lanes.close(reason)

    def result(self) -> DispatchResult:
        """Return what has come of it so far."""
        return self._lanes.result()

    def _step(self) -> Ask | Accept | None:
        return decide(self._order, tuple(self._ballots.values()))

    def _rounds(self, step: Ask) -> list[tuple[str, ...]]:
        """Return who is asked at once, round by round."""
        timing, names = self._policy.timing, step.names
        if timing is Timing.SEQUENCE:
            return [(name,) for name in names]
        first = names[0] in self._order.voters
        if first and (timing is Timing.PARALLEL or not self._has_time_for_rounds()):
            return [(*names, *self._order.tie_breakers)]
        return [names]

    def _has_time_for_rounds(self) -> bool:
        """Return whether voters, tie-breakers and the judge can be asked one after the other."""
        candidates = {step.deployment: step for step in self.dispatch.plan.asked}
        rounds = [self._order.voters, *((name,) for name in self._order.tie_breakers), (self._order.judge,)]
        needed_s = sum(_slowest_s(names, candidates) for names in rounds)
        return needed_s <= self.dispatch.deadline.left_s()

    async def _ask(self, names: Collection[str]) -> None:
        """Ask several at once, until all have answered or enough agree; the rest is cancelled and booked."""
        tasks = {asyncio.ensure_future(self._vote(name)): name for name in names}
        pending = set(tasks)
        try:
            while pending and not isinstance(self._step(), Accept):
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            self._cancelled |= {tasks[task] for task in pending}
            for task in pending:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _vote(self, name: str) -> None:
        is_judge = name == self._order.judge
        # Without any answer the judge is the last hope, and so is the rest of the plan.
        alone = is_judge and not any(end.result for end in self._ends.values())
        others = self._unasked() if is_judge else ()
        targets = self._lanes.targets_for(name, others=others)
        left_s = self.dispatch.deadline.left_s()
        limit_s = left_s if is_judge else max(self.dispatch.profile.min_turn_s, left_s / 2)
        end = await self._lanes.ask(name, targets, limit_s=limit_s, patient=alone)
        self._ends[name] = end
        self._ballots[name] = self._ballot_of(name, end)

    def _unasked(self) -> tuple[str, ...]:
        """Return the rest of the plan, in its order."""
        named = {*self._order.voters, *self._order.tie_breakers}
        return tuple(target.name for target in self.dispatch.targets if target.name not in named)

    def _ballot_of(self, name: str, end: LaneEnd) -> Ballot:
        answer = None if end.result is None else end.result.answer
        if answer is None:
            return Ballot(name, None, answered=False)
        compare = self._policy.compare
        if name == self._order.judge:
            # That the judge calls no tool is an answer too.
            compare = compare.model_copy(update={"no_call": NoCall.VOTE})
        form = normal_form(answer, compare)
        return Ballot(name, None) if form is None else Ballot(name, form.value, is_plain=form.is_plain)

    def _accepted(self, accepted: Accept) -> DispatchResult:
        chosen = self._ends[accepted.name].result
        if chosen is None:
            msg = "an accepted answer has a result"
            raise RuntimeError(msg)
        return self.result()._replace(
            answer=chosen.answer,
            answered_by=chosen.answered_by,
            decision=self._decision(accepted),
        )

    def _decision(self, accepted: Accept) -> Decision:
        value = self._ballots[accepted.name].value
        asked = [name for name in self._order.voters + self._order.tie_breakers if name in self._ballots]
        agreeing = [name for name in asked if self._ballots[name].value == value]
        names = agreeing if accepted.reason is AcceptedFor.AGREED else asked
        return Decision(
            policy="agreement",
            version=self._version,
            accepted_for=accepted.reason,
            text=_TEXTS[accepted.reason].format(names=", ".join(names)),
            votes=tuple(self._votes()),
        )

    def _votes(self) -> list[Vote]:
        groups: dict[str, int] = {}
        votes = []
        for name in self._policy.named:
            ballot, end = self._ballots.get(name), self._ends.get(name)
            if name in self._cancelled:
                votes.append(Vote(name, self._role(name), VoteOutcome.CANCELLED, reason="others agreed"))
            elif ballot is not None and end is not None:
                value = ballot.value
                group = None if value is None else groups.setdefault(value, len(groups))
                votes.append(_vote_of(name, self._role(name), end, group))
        return votes

    def _role(self, name: str) -> VoteRole:
        if name == self._order.judge:
            return VoteRole.JUDGE
        return VoteRole.VOTER if name in self._order.voters else VoteRole.TIE_BREAKER

    def _error(self) -> OrchestratorError:
        return error_of([end.error for end in self._ends.values() if end.error is not None])


def _vote_of(name: str, role: VoteRole, end: LaneEnd, group: int | None) -> Vote:
    if end.result is None:
        outcome = VoteOutcome.FAILED if end.was_asked else VoteOutcome.NOT_ASKED
        return Vote(name, role, outcome, reason=end.reason, cost_nusd=end.cost_nusd)
    if group is None:
        reason = "nothing in its answer can be compared"
        return Vote(name, role, VoteOutcome.NO_VALUE, reason=reason, cost_nusd=end.cost_nusd)
    by = end.result.answered_by
    reason = f"answered by {by.deployment}" if by is not None and by.deployment != name else ""
    return Vote(name, role, VoteOutcome.ANSWERED, group, reason, end.cost_nusd)


def _slowest_s(names: Collection[str], candidates: dict[str, Candidate]) -> float:
    """Return how long the slowest of them will probably take, 0 where none is in the plan."""
    speeds = [candidates[name].parts["speed"] for name in names if name in candidates]
    return max((_SPEED_HALF_S * (1 / speed - 1) if speed else math.inf for speed in speeds), default=0.0)
