"""One way along a plan: which deployment is asked next, after which wait, and why another is not.

A failure is retried on the same deployment, or the way goes on to the next one: that is a fallback. When no
deployment is left, the way waits for the one that recovers first. What is refused is noted with its reason.
"""

from collections.abc import Sequence

from orchestrator.catalog.models import ModelClass
from orchestrator.core.errors import BudgetExceededError, cheapest_of
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.money import NanoUsd
from orchestrator.core.progress import Progress, ProgressStep, tell
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.admission import AttemptRequest, Rejected, RejectReason, admit
from orchestrator.dispatch.attempt import AttemptTerms, InFlightAttempt
from orchestrator.dispatch.dispatch_request import DispatchRequest
from orchestrator.dispatch.exclusions import Exclusions
from orchestrator.dispatch.history import DispatchHistory
from orchestrator.dispatch.money_wait import MoneyWait
from orchestrator.dispatch.outcome import NO_TIME
from orchestrator.dispatch.recovery_wait import RecoveryQueue, WaitBudget, Waiter
from orchestrator.dispatch.replan import left_nusd, replan
from orchestrator.dispatch.services import Services
from orchestrator.dispatch.target import Target
from orchestrator.dispatch.time_shares import TimeShares
from orchestrator.dispatch.turn_timer import TurnTimer
from orchestrator.ledger.ledger import HoldRequest
from orchestrator.resilience.retry_policy import fallback_delay_s, retry_delay_s
from orchestrator.routing.settings import OnFiltered
from orchestrator.streaming.stream_writer import StreamWriter

REST_MAX_S = 300.0
"""A longer Retry-After is not believed: no model is out for an hour by one header."""

MIN_ATTEMPT_S = 0.05
"""With less time left than this nothing is sent."""


class Cursor:
    """One way along a plan, used by one task on one event loop; an `AttemptSource` for transports."""

    def __init__(
        self,
        dispatch: DispatchRequest,
        *,
        services: Services,
        history: DispatchHistory,
        writer: StreamWriter | None = None,
    ) -> None:
        """Stand before the first target; nothing is sent or held yet."""
        self.timer = TurnTimer()
        self.failure: Failure | None = None
        """The last failure on this way."""
        self.refusal: BudgetExceededError | None = None
        self.exclusions = Exclusions()
        self._dispatch = dispatch
        self.current: InFlightAttempt | None = None
        """The attempt that is admitted and has not ended."""
        self.stream_began = False
        self.services, self.history, self.writer = services, history, writer
        self._time = TimeShares(dispatch, services)
        self._targets = dispatch.targets
        self._position = -1
        self._fallbacks = 0
        self._tries_here = 0
        """Attempts on the current deployment, since the way came to it."""
        self._alone = False
        """The current deployment was waited for, because no other was left; it gets one attempt at a time."""
        self._tried: set[str] = set()
        self._recovery = RecoveryQueue()
        self._money = MoneyWait(dispatch, services.ledger.queue)
        self._continues = False
        self._room_at_s: dict[str, float] = {}
        """When the minute of a provider has room again that a target was passed over for."""

    @property
    def streams(self) -> bool:
        """Return whether the answer is read piece by piece."""
        return self._dispatch.stream

    def upcoming(self) -> Sequence[str]:
        """Return the names of the targets behind the current one; none while an answer is continued.

        A continuation is planned anew after each failure, so each of its attempts is chosen by `next`.
        """
        if self._continues:
            return []
        return [target.name for target in self._targets[self._position + 1 :]]

    async def next(self) -> InFlightAttempt | None:
        """Return the next attempt that may be sent, its money held; None when no deployment is left."""
        self.stream_began = False
        retry_delay = self._retry_delay_s()
        if retry_delay is not None and await self._admit(self._targets[self._position], delay_s=retry_delay):
            return self.current
        while self._position + 1 < len(self._targets):
            if self._comes_back_before(self._targets[self._position + 1]):
                comeback = await self._wait_for_the_first()
                if comeback is not None:
                    return comeback
            if await self._go_to(self._position + 1):
                return self.current
        return await self._wait_for_the_first() or await self._wait_for_money()

    async def admit(self, deployment: str) -> bool:
        """Return whether `deployment` may be asked now, as `AttemptSource` says.

        A failure that is worth a retry on the same deployment comes first: `next` is that retry. So does a
        stream that has begun: only the dispatcher, which reads it, knows what has arrived.
        """
        if self.current is not None or self._continues or self.stream_began:
            return False
        if self._retry_delay_s() is not None:
            return False
        behind = range(self._position + 1, len(self._targets))
        position = next((at for at in behind if self._targets[at].name == deployment), None)
        if position is None or self._comes_back_before(self._targets[position]):
            return False
        return await self._go_to(position)

    def continue_with(self, request: ChatRequest) -> None:
        """Ask the coming targets for the rest of an answer that broke off, at the bounds of `request`.

        A target that cannot hold it, or would cost more than one request may, is left out.
        """
        self._continues = True
        plan = replan(
            (self._targets, self._position),
            request,
            today=self._dispatch.started_at.date(),
            left_nusd=self._left_nusd,
        )
        names = {step.deployment for step in plan.left_out}
        self._recovery.forget(names)
        here = self._targets[self._position].name
        self._tries_here = 0 if here in names else self._tries_here
        for step in plan.left_out:
            if step.deployment not in self._tried - {here}:
                self.history.skip(step.deployment, step.reason)
        self._targets, self._position = plan.targets, plan.position

    async def _go_to(self, position: int) -> bool:
        """Try to move on to another deployment; after a failure this is a fallback."""
        self._position, self._tries_here, self._alone = position, 0, False
        target = self._targets[position]
        if target.name in self._tried:
            return False
        unfit = self.exclusions.unfit(target)
        if unfit is not None:
            return self._skip(target, unfit)
        if self.failure is None:
            return await self._admit(target, delay_s=0.0)
        if not self._asks_others_after(self.failure):
            return False
        delay_s = fallback_delay_s(self._dispatch.profile, fallbacks_so_far=self._fallbacks)
        if not await self._admit(target, delay_s=delay_s):
            return False
        self._fallbacks += 1
        return True

    def _retry_delay_s(self) -> float | None:
        """Return the wait before a retry on the current deployment, None when none is due."""
        if self.failure is None or self._tries_here == 0:
            return None
        if self._alone and self.failure.kind is not FailureKind.CONTINUATION_REFUSED:
            return None
        return retry_delay_s(self._dispatch.profile, self.failure, retries_so_far=self._tries_here - 1)

    async def _admit(self, target: Target, *, delay_s: float) -> bool:
        withheld = self._withheld(target)
        if withheld is not None:
            return self._skip(target, withheld)
        profile = self._dispatch.profile
        delay_s *= 1 + self.services.chance.up_to(profile.jitter)
        if self._time.left_s() - delay_s < MIN_ATTEMPT_S:
            return self._skip(target, NO_TIME)
        return await self._take(target, delay_s=delay_s, patience_s=profile.max_rate_wait_s)

    async def _take(
        self, target: Target, *, delay_s: float = 0.0, patience_s: float, alone: bool = False
    ) -> bool:
        provider = target.deployment.provider_name
        refusal = self._money.refusal_of(target.candidate.bound_nusd)
        if refusal is not None:
            return self._note_rejection(target, Rejected.by(refusal), alone=alone)
        number = self.history.draw_number()
        patience_s = max(0.0, min(patience_s, self._time.left_s() - delay_s - self._time.answer_s(target)))
        # Another vote of the same request is no second try.
        again = any(each.provider == provider and each.failure for each in self.history.attempts)
        request = AttemptRequest(
            target, self._hold_request(target, number), again, delay_s, patience_s, alone, self._money.place
        )
        try:
            permit = await admit(request, self.services)
        except BaseException:
            self.history.return_number(number)
            raise
        if isinstance(permit, Rejected):
            self.history.return_number(number)
            return self._note_rejection(target, permit, alone=alone)
        turn = self._time.turn_of(
            target,
            has_next=self._position + 1 < len(self._targets),
            is_only=len(self._targets) == 1 and not self._tried,
        )
        terms = AttemptTerms(self._asked_of(target), number, turn.limit_s, self._continues, turn.turn_s)
        self.current = InFlightAttempt(target, terms, permit, lane=self)
        tell(self.history.step_to(target.name, number))
        self._tries_here += 1
        self._tried.add(target.name)
        self._recovery.forget({target.name})
        return True

    def _note_rejection(self, target: Target, rejected: Rejected, *, alone: bool) -> bool:
        self.refusal = cheapest_of((rejected.over_budget, self.refusal))
        self._money.note(target.name, rejected.over_budget)
        if rejected.wait is RejectReason.LINE and rejected.ready_in_s is not None:
            provider = target.deployment.provider_name
            self._room_at_s[provider] = self.services.clock.monotonic_s() + rejected.ready_in_s
        failed = target.name in self._tried
        # What failed is waited for as such: noted when it did, and anew when it comes back in vain.
        if rejected.wait is not None and rejected.ready_in_s is not None and (alone or not failed):
            ready_at_s = self.services.clock.monotonic_s() + rejected.ready_in_s
            wait = None if failed else rejected.wait
            self._recovery.note(Waiter(target.name, target.deployment.provider_name, ready_at_s, wait))
        return self._skip(target, rejected.reason, failure=rejected.failure, scope=rejected.scope)

    def _asked_of(self, target: Target) -> ChatRequest:
        return self._dispatch.request if self.writer is None else self.writer.request_for(target.name)

    def _hold_request(self, target: Target, number: int) -> HoldRequest:
        return HoldRequest(
            operation_id=self._dispatch.request_id,
            number=number,
            deployment=target.deployment.name,
            provider=target.deployment.provider_name,
            model=target.deployment.model_name,
            scopes=self._dispatch.payer.scopes(target.deployment.provider_name, target.deployment.model_name),
            bound_nusd=target.candidate.bound_nusd,
            price_version=target.price.version,
            # Of a continuation, whose prompt is another, nothing is learnt, and of files neither.
            size=None if self._continues or self._dispatch.size.has_files else self._dispatch.size,
            run=self._dispatch.payer.run,
        )

    def _skip(
        self, target: Target, reason: str, *, failure: str | None = None, scope: str | None = None
    ) -> bool:
        # A retry that may not be made is none: the way goes on to the next deployment.
        self._tries_here = 0
        self.history.skip(target.name, reason, failure=failure, scope=scope)
        return False

    async def _wait_for_the_first(self) -> InFlightAttempt | None:
        """Wait for the deployment that can serve first, once no other is left to try."""
        while self._recovery.has_any and self._may_wait():
            first = self._recovery.take_first(self._fit(), self._wait_budget())
            if first is None:
                return None
            waiter, wait_s = first
            if waiter.wait is not RejectReason.LINE:
                tell(Progress(ProgressStep.WAITING, waiter.name, wait_s=wait_s))
                await self.services.clock.sleep(wait_s)
            position = next(at for at, target in enumerate(self._targets) if target.name == waiter.name)
            self._position, self._tries_here, self._alone = position, 0, True
            if await self._take(self._targets[position], patience_s=self._time.left_s(), alone=True):
                self._recovery.come_back(waiter)
                return self.current
        return None

    async def _wait_for_money(self) -> InFlightAttempt | None:
        """Wait for money that others hold, where nothing else keeps a target from being asked."""
        money, clock = self._money, self.services.clock
        try:
            while money.may_come and self._may_wait():
                fit = self._fit()
                if not await money.turn(fit, left_s=self._wait_budget().longest_s(fit), clock=clock):
                    return None
                for position, target in enumerate(self._targets):
                    if target.name not in fit or not money.is_short(target.name):
                        continue
                    self._position, self._tries_here, self._alone = position, 0, True
                    if await self._take(target, patience_s=self._time.left_s()):
                        return self.current
        finally:
            money.leave()
        return None

    def _may_wait(self) -> bool:
        has_time = self._time.left_s() >= MIN_ATTEMPT_S
        return has_time and (self.failure is None or self._asks_others_after(self.failure))

    def _asks_others_after(self, failure: Failure) -> bool:
        """Return whether another deployment may answer what failed."""
        is_filtered = failure.kind is FailureKind.CONTENT_FILTERED
        if is_filtered and self._dispatch.on_filtered is OnFiltered.STOP:
            return False
        return failure.policy.fall_back

    def _wait_budget(self) -> WaitBudget:
        now_s = self.services.clock.monotonic_s()
        return self._time.wait_budget(self._targets, now_s=now_s, has_older_answer=self._has_older_answer)

    def _comes_back_before(self, target: Target) -> bool:
        """Return whether a better model is asked once more before the emergency model is.

        With every circuit closed nothing is known to be down: what failed has most likely failed in passing.
        """
        if target.deployment.model.tier is not ModelClass.EMERGENCY:
            return False
        if self.failure is None or not self._asks_others_after(self.failure):
            return False
        room = self._wait_budget()
        return not room.outage and self._recovery.is_worth_waiting(self._fit(), room)

    def _fit(self) -> list[str]:
        return [target.name for target in self._targets if self._may_come_back(target)]

    def _may_come_back(self, target: Target) -> bool:
        """Return whether nothing but time is in the way of a target."""
        if self.exclusions.unfit(target) or self._withheld(target):
            return False
        left = self._left_nusd(target)
        return left is None or target.candidate.bound_nusd <= left

    def _withheld(self, target: Target) -> str | None:
        """Return why the emergency model is not asked, None when it may be or this is another."""
        if target.deployment.model.tier is not ModelClass.EMERGENCY:
            return None
        if self.refusal is not None:
            # A poor answer is better than none in an outage; a spent budget is no outage.
            return "kept for outages, and this is a spent budget"
        if self._room_at_s and self.failure is None and not self._wait_budget().outage:
            return "kept for outages, and this is a limit of our own"
        if self._has_older_answer and self._dispatch.request.model is None:
            return "an older answer in the cache comes before the emergency model"
        return None

    def room_in_s(self) -> float | None:
        """Return how long it is until a provider's minute has room; None when none was in the way."""
        now_s = self.services.clock.monotonic_s()
        return min((max(0.0, at_s - now_s) for at_s in self._room_at_s.values()), default=None)

    @property
    def _has_older_answer(self) -> bool:
        # Of what was begun the reader has words that no older answer can take back.
        return self._dispatch.older_answer and not self._continues

    def leave(self, attempt: InFlightAttempt) -> None:
        """Forget an attempt that has ended."""
        if self.current is attempt:
            self.current = None

    def note_failure(self, attempt: InFlightAttempt, failure: Failure) -> None:
        """Learn from a failure what it says of the targets that are still to be asked."""
        self.failure = failure
        services, target = self.services, attempt.target
        has_worked = services.health.has_worked(target.deployment.provider_name)
        self.exclusions.learn(target, failure, has_worked=has_worked)
        if failure.kind is FailureKind.RATE_LIMITED and failure.retry_after_s:
            # The deployment and not its provider: OpenRouter limits by model and host.
            services.rate_limiter.rest(target.name, duration_s=min(failure.retry_after_s, REST_MAX_S))
        if failure.policy.passes and self._dispatch.profile.attempts_per_deployment > 1:
            # Should no other be left, it may be asked again.
            now_s = services.clock.monotonic_s()
            rests_s = services.rate_limiter.rests_s(target.name)
            waiter = Waiter(
                target.name, target.deployment.provider_name, now_s + rests_s, None, is_known=rests_s > 0
            )
            self._recovery.note_failure(waiter, now_s=now_s)

    def _left_nusd(self, target: Target) -> NanoUsd | None:
        limits, spent = self.services.ledger.limits, self.history.spent_nusd
        return left_nusd(target, self._dispatch.request, spent_nusd=spent, limits=limits)
