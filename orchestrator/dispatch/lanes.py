"""Several models for one request: each in a lane of its own, over the same attempts, books and bounds.

A lane is a dispatcher along a plan of few targets. All lanes of a request share its history, so their
attempts stand under one request id, each held, settled and booked like any other. What a lane may cost is
what the request has left beside that which the other lanes hold.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.core.errors import (
    BudgetExceededError,
    OrchestratorError,
    PromptTooLargeError,
    RejectedByProviderError,
    UnavailableError,
    cheapest_of,
)
from orchestrator.core.failures import FailureKind
from orchestrator.core.money import ZERO_NUSD, NanoUsd
from orchestrator.core.reply import spent_on
from orchestrator.dispatch.dispatch_request import DispatchRequest
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.history import DispatchHistory
from orchestrator.dispatch.outcome import DispatchResult
from orchestrator.dispatch.replan import left_nusd, replan
from orchestrator.dispatch.services import Services
from orchestrator.dispatch.target import Target
from orchestrator.dispatch.transport import Transport
from orchestrator.routing.settings import OnFiltered


@dataclass(frozen=True, slots=True)
class LaneEnd:
    """What became of one lane."""

    result: DispatchResult | None
    """None where it brought no answer."""
    error: OrchestratorError | None = None
    reason: str = ""
    """Why it brought none, for people."""
    was_asked: bool = True
    cost_nusd: NanoUsd = ZERO_NUSD


class Lanes:
    """The lanes of one request; used by tasks of one event loop."""

    def __init__(self, dispatch: DispatchRequest, *, transport: Transport, services: Services) -> None:
        """Send or hold nothing yet."""
        self.dispatch = dispatch
        self.services = services
        self.history = DispatchHistory()
        self._transport = transport
        self._open: dict[str, Dispatcher] = {}
        self._held_nusd: dict[str, NanoUsd] = {}
        """The most that each open lane may still cost."""

    def targets_for(self, name: str, *, others: tuple[str, ...] = ()) -> tuple[Target, ...]:
        """Return the place of a plan with that name, the same model elsewhere, and `others` behind them."""
        targets = self.dispatch.targets
        first = next((target for target in targets if target.name == name), None)
        if first is None:
            return tuple(target for target in targets if target.name in others)
        model = first.deployment.model_name
        same = [each for each in targets if each.deployment.model_name == model and each is not first]
        known = {first.name, *(each.name for each in same)}
        return (first, *same, *(each for each in targets if each.name in others and each.name not in known))

    async def ask(self, name: str, targets: tuple[Target, ...], *, limit_s: float, patient: bool) -> LaneEnd:
        """Return what became of one lane; `patient` waits for recoveries, and takes all the time there is.

        Raises:
            OrchestratorError: no lane of this request would fare better.
        """
        targets, reason = self._affordable(targets)
        if not targets:
            return LaneEnd(None, reason=reason or self._why_left_out(name), was_asked=False)
        lane = self._lane_of(targets, patient=patient)
        self._open[name] = lane
        self._held_nusd[name] = NanoUsd(max(target.candidate.bound_nusd for target in targets))
        before = len(self.history.attempts)
        try:
            async with asyncio.timeout(None if patient else limit_s):
                result = await lane.run()
            return LaneEnd(result, cost_nusd=self._cost_of(targets, before))
        except TimeoutError:
            lane.close(FailureKind.TIMEOUT)
            return LaneEnd(None, reason="no answer in time", cost_nusd=self._cost_of(targets, before))
        except (UnavailableError, PromptTooLargeError, BudgetExceededError) as exc:
            return LaneEnd(
                None,
                exc,
                self._why_failed(targets, before),
                was_asked=self._was_asked(targets, before),
                cost_nusd=self._cost_of(targets, before),
            )
        except RejectedByProviderError as exc:
            if self.dispatch.on_filtered is OnFiltered.STOP or "filter" not in self._failures(before):
                raise
            return LaneEnd(None, exc, "content filter", cost_nusd=self._cost_of(targets, before))
        finally:
            lane.close()
            self._open.pop(name, None)
            self._held_nusd.pop(name, None)

    def close(self, reason: FailureKind) -> None:
        """Book whatever is in flight: the caller left, or the deadline is over."""
        for lane in self._open.values():
            lane.close(reason)

    def result(self) -> DispatchResult:
        """Return what has happened so far, without an answer."""
        return DispatchResult(
            dispatch=self.dispatch,
            answer=None,
            attempts=tuple(self.history.attempts),
            notices=tuple(self.history.notices),
            passed_over=tuple(self.history.skipped),
        )

    def _lane_of(self, targets: tuple[Target, ...], *, patient: bool) -> Dispatcher:
        dispatch, profile = self.dispatch, self.dispatch.profile
        if not patient:
            # While others can answer nobody waits for a model that is out.
            profile = profile.model_copy(update={"max_recovery_wait_s": 0.0})
        lane = dispatch._replace(targets=targets, profile=profile, stream=False, policy=None)
        return Dispatcher(lane, transport=self._transport, services=self.services, history=self.history)

    def _affordable(self, targets: tuple[Target, ...]) -> tuple[tuple[Target, ...], str]:
        """Return the targets at the bounds that the request has left, and why none is left."""
        request, limits = self.dispatch.request, self.services.ledger.limits
        held = NanoUsd(self.history.spent_nusd + sum(self._held_nusd.values()))

        def left(target: Target) -> NanoUsd | None:
            return left_nusd(target, request, spent_nusd=held, limits=limits)

        if all((most := left(each)) is None or each.candidate.bound_nusd <= most for each in targets):
            return targets, ""
        fitted = replan((targets, -1), request, today=self.dispatch.started_at.date(), left_nusd=left)
        reason = "would cost more than is left of what one request may" if fitted.left_out else ""
        return fitted.targets, reason

    def _why_left_out(self, name: str) -> str:
        reason = self.dispatch.plan.why_left_out(name)
        return "not in the plan" if reason is None else reason.text

    def _cost_of(self, targets: tuple[Target, ...], before: int) -> NanoUsd:
        names = {target.name for target in targets}
        return spent_on(each for each in self.history.attempts[before:] if each.deployment in names)

    def _was_asked(self, targets: tuple[Target, ...], before: int) -> bool:
        names = {target.name for target in targets}
        return any(each.deployment in names for each in self.history.attempts[before:])

    def _why_failed(self, targets: tuple[Target, ...], before: int) -> str:
        """Return why a lane has no answer: what became of its own model comes before those behind it."""
        for names in ({targets[0].name}, {target.name for target in targets}):
            failures = [
                each.failure
                for each in self.history.attempts[before:]
                if each.failure and each.deployment in names
            ]
            skipped = [step.reason for step in self.history.skipped if step.deployment in names]
            if failures or skipped:
                return (failures or skipped)[-1]
        return "no answer"

    def _failures(self, before: int) -> str:
        return " ".join(each.failure or "" for each in self.history.attempts[before:])


def error_of(errors: Sequence[OrchestratorError]) -> OrchestratorError:
    """Return the error of a request none of whose lanes has an answer: the last one, of money the least."""
    refusals = [each for each in errors if isinstance(each, BudgetExceededError)]
    if refusals and len(refusals) == len(errors):
        return cheapest_of(refusals) or errors[-1]
    return errors[-1] if errors else UnavailableError("no model of the policy could be asked")
