"""One request's way along its plan: every attempt is admitted, timed, and booked here.

A `Walk` knows nothing of LiteLLM. LiteLLM's Router moves along the steps; before each one it asks
`gate`, at the last moment before the send `begin`, and after a failure it tells `fail`. Whoever
drives the Router tells `succeed`, and `finish` in the end, whatever happened.

A step is named like its deployment, `openai/gpt-6-luna`.
"""

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import replace

from orchestrator.catalog.catalog import Deployment, ModelClass
from orchestrator.core.errors import BudgetExceededError, FailedStep, OrchestratorError
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.money import NanoUsd
from orchestrator.core.payer import Payer
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import Attempt
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.admission import (
    AttemptPermit,
    AttemptRequest,
    Rejected,
    RejectReason,
    Services,
    admit,
    close,
)
from orchestrator.dispatch.attempt import (
    Charge,
    InFlightAttempt,
    Target,
    charge_of,
    charge_of_failure,
    ended,
    health_scope_of,
    settle,
)
from orchestrator.dispatch.dispatch_request import AttemptLimits, DispatchRequest, laid_out
from orchestrator.dispatch.exclusions import Exclusions
from orchestrator.dispatch.outcome import NO_TIME, failure_error
from orchestrator.dispatch.recovery_wait import RecoveryQueue, WaitBudget, Waiter
from orchestrator.dispatch.replan import left_nusd, replan
from orchestrator.ledger.ledger import HoldRequest
from orchestrator.resilience.retry_policy import fallback_delay_s, retry_delay_s

logger = logging.getLogger("orchestrator.dispatch")

REST_MAX_S = 300.0
"""A longer Retry-After is not believed: nobody bans a model for an hour by one header."""

MIN_ATTEMPT_S = 0.05
"""With less time left than this nothing is sent."""


class Walk:
    """One request on its way; used by one task on one event loop."""

    def __init__(
        self, terms: DispatchRequest, *, deployments: Mapping[str, Deployment], state: Services
    ) -> None:
        """Lay out the steps of the plan; nothing is sent or held yet."""
        self.terms = terms
        self.attempts: list[Attempt] = []
        self.notices: list[str] = []
        self.skipped: list[FailedStep] = []
        self.timer: asyncio.Timeout | None = None
        """Ends the current attempt when its time is over; set by whoever drives the walk."""
        self.stream_began = False
        """The current attempt has handed over a stream; set by whoever drives the walk."""
        self.open: InFlightAttempt | None = None
        self.delivered = ""
        """What the reader of a stream has; set by whoever drives the walk."""
        self.story: str | None = None
        """How an answer came about that broke off and was finished by another attempt."""
        self._goes_on = False
        self._state = state
        self._steps = laid_out(terms, deployments)
        self._place = -1
        self._fallbacks = 0
        self._failure: Failure | None = None
        self._tries = 0
        """Attempts on the current deployment, since the walk came to it."""
        self._alone = False
        """The current deployment was waited for, because nobody else was left; it gets one attempt at a time."""
        self._tried: set[str] = set()
        self._refusal: BudgetExceededError | None = None
        self._remarks: dict[int, str] = {}
        self._entry: AttemptPermit | None = None
        """What the open attempt has taken."""
        self._waiting = RecoveryQueue()
        self._lessons = Exclusions()

    async def next(self) -> Target | None:
        """Return the next step that may be taken, its money held; None when there is none left."""
        retry_delay = self._retry_delay_s()
        if retry_delay is not None and await self._admit(self._steps[self._place], delay_s=retry_delay):
            return self._steps[self._place]
        while self._place + 1 < len(self._steps):
            if await self._go_to(self._place + 1):
                return self._steps[self._place]
        return await self._wait_for_the_first()

    def rest(self) -> list[str]:
        """Return the names of the steps behind the current one."""
        return [step.name for step in self._steps[self._place + 1 :]]

    def go_on(self, request: ChatRequest) -> None:
        """Ask the coming steps for the rest of an answer that broke off, at the bounds of `request`.

        A step that cannot hold it, or would cost more than one request may, is left out.
        """
        self._goes_on = True
        terms, limits, spent = self.terms, self._state.ledger.limits, self.spent_nusd
        found = replan(
            (self._steps, self._place),
            request,
            today=terms.today.date(),
            left_nusd=lambda step: left_nusd(step, terms.request, spent_nusd=spent, limits=limits),
        )
        names = {one.deployment for one in found.left_out}
        self._waiting.forget(names)
        here = self._steps[self._place].name
        self._tries = 0 if here in names else self._tries
        for one in found.left_out:
            if one.deployment not in self._tried - {here}:
                self._tell_skipped(one)
        self._steps, self._place = found.steps, found.place

    async def gate(self, name: str) -> bool:
        """Return whether the Router may go on to step `name`; waits where the retry profile says so.

        A failure that is worth a retry on the same deployment closes the gate: the Router gives
        up, and whoever drives the walk asks `next`, which is that retry. So does a stream that
        has begun: only the one who reads it knows what has arrived.
        """
        if self._retry_delay_s() is not None or self.stream_began:
            return False
        places = range(self._place + 1, len(self._steps))
        place = next((place for place in places if self._steps[place].name == name), None)
        return place is not None and await self._go_to(place)

    def begin(self, name: str) -> AttemptLimits:
        """Start the admitted attempt and return what it may take.

        Raises:
            PermissionError: no money is held for this step, so it must not be sent.
        """
        attempt = self.open
        if attempt is None or attempt.step.name != name or attempt.sent_at_s is not None:
            msg = f"'{name}' was not admitted"
            raise PermissionError(msg)
        attempt.sent_at_s = self._state.clock.monotonic_s()
        provider = attempt.step.deployment.provider
        limit_s = provider.first_token_timeout_s if self.terms.stream else provider.timeout_s
        if self._place + 1 < len(self._steps):
            # A silent provider must leave time for the next one; a caller in a hurry asks nobody else.
            limit_s = min(limit_s, max(self.terms.profile.min_turn_s, self._left_s() / 2))
        self.allow(limit_s)
        return AttemptLimits(
            max_tokens=attempt.step.candidate.max_tokens,
            kind=provider.kind,
            rates=attempt.step.price.dearest,
        )

    def remark(self, text: str) -> None:
        """Keep what our own parts say of the current attempt, for the verdict."""
        if self.open is not None:
            self._remarks[self.open.number] = text

    def allow(self, duration_s: float) -> None:
        """Let the current attempt run for `duration_s` more seconds."""
        if self.timer is not None:
            self.timer.reschedule(asyncio.get_running_loop().time() + duration_s)

    def identify(self, upstream_id: str | None) -> None:
        """Keep the provider's id of a stream, by which a broken one is found in its records."""
        if self.open is not None:
            self.open.upstream_id = upstream_id

    def hear(self, text: str) -> None:
        """Note that a piece of a stream arrived, so that the stall limit starts anew."""
        attempt = self.open
        if attempt is None:
            return
        if attempt.first_token_at_s is None:
            attempt.first_token_at_s = self._state.clock.monotonic_s()
        attempt.text += text
        self.allow(attempt.step.deployment.provider.stall_timeout_s)

    def keep_alive(self) -> None:
        """Note that a stream works though it shows nothing yet: the model is reasoning."""
        if self.open is not None:
            self.allow(self.open.step.deployment.provider.stall_timeout_s)

    def fail(self, failure: Failure, *, billed: ProviderAnswer | None = None) -> None:
        """Book the current attempt as failed; without one nothing happens.

        `billed` is what came instead of an answer, where it says what it cost.
        """
        attempt = self.open
        if attempt is None:
            return
        if self._goes_on and failure.kind is FailureKind.BAD_REQUEST:
            # The caller's own messages were taken before: what is refused is the begun answer.
            failure = replace(failure, kind=FailureKind.CONTINUATION_REFUSED)
        self._failure = failure
        has_worked = self._state.health.has_worked(attempt.step.deployment.provider_name)
        self._lessons.learn(attempt.step, failure, has_worked=has_worked)
        if failure.kind is FailureKind.RATE_LIMITED and failure.retry_after_s:
            # The deployment and not its provider: OpenRouter limits by model and host.
            rest_s = min(failure.retry_after_s, REST_MAX_S)
            self._state.limits.rest(attempt.step.name, duration_s=rest_s)
        if billed is not None and not billed.usage.estimated:
            charge = self._charge_of(attempt, billed)
        else:
            charge = charge_of_failure(attempt, failure)
        upstream_id = billed.upstream_id if billed else attempt.upstream_id
        self._end(attempt, charge, failure=failure, upstream_id=upstream_id)
        self._see_fail(attempt.step, failure)
        logger.warning(
            "attempt failed: request=%s attempt=%d deployment=%s failure=%s",
            self.terms.request_id,
            attempt.number,
            attempt.step.deployment.name,
            failure,
        )

    def succeed(self, answer: ProviderAnswer) -> None:
        """Book the current attempt with what the provider charged."""
        attempt = self.open
        if attempt is None:
            msg = "an answer came without an open attempt"
            raise RuntimeError(msg)
        charge = self._charge_of(attempt, answer)
        if charge.cost_nusd > attempt.hold.claim.bound_nusd:
            self.notices.append("the provider charged more than was reserved; the excess is booked")
        self._end(attempt, charge, failure=None, upstream_id=answer.upstream_id)
        if not answer.usage.estimated and not self._goes_on:
            size = self.terms.size
            self._state.counts.learn(
                attempt.step.deployment.model_name,
                size.script,
                expected_tokens=size.input_expected_tokens,
                counted_tokens=answer.usage.input_tokens,
            )
        if len(self.attempts) > 1:
            logger.info(
                "fallback answered: request=%s attempt=%d deployment=%s",
                self.terms.request_id,
                attempt.number,
                attempt.step.deployment.name,
            )

    def finish(self, reason: FailureKind = FailureKind.CANCELLED) -> None:
        """Book an attempt that is still open: the caller left, or the deadline is over."""
        if self.open is not None:
            self.fail(Failure(reason))

    def verdict(self) -> OrchestratorError:
        """Return the error of a walk that nobody answered."""
        if self._refusal is not None and not self.attempts:
            return self._refusal
        return failure_error(
            self.attempts,
            self.skipped,
            failure=self._failure,
            remarks=self._remarks,
            advice=self._lessons.advice(),
        )

    @property
    def spent_nusd(self) -> NanoUsd:
        """Return what all attempts cost so far."""
        return NanoUsd(sum(one.cost_nusd for one in self.attempts))

    async def _go_to(self, place: int) -> bool:
        """Try to move on to another deployment; after a failure this is a fallback."""
        self._place, self._tries, self._alone = place, 0, False
        if self._steps[place].name in self._tried:
            return False
        unfit = self._lessons.unfit(self._steps[place])
        if unfit is not None:
            return self._skip(self._steps[place], unfit)
        if self._failure is None:
            return await self._admit(self._steps[place], delay_s=0.0)
        if not self._failure.policy.fall_back:
            return False
        delay_s = fallback_delay_s(self.terms.profile, fallbacks_so_far=self._fallbacks)
        if not await self._admit(self._steps[place], delay_s=delay_s):
            return False
        self._fallbacks += 1
        return True

    def _retry_delay_s(self) -> float | None:
        """Return the wait before a retry on the current deployment, None when none is due."""
        if self._failure is None or self._tries == 0:
            return None
        if self._alone and self._failure.kind is not FailureKind.CONTINUATION_REFUSED:
            return None
        return retry_delay_s(self.terms.profile, self._failure, retries_so_far=self._tries - 1)

    async def _admit(self, step: Target, *, delay_s: float) -> bool:
        withheld = self._withheld(step)
        if withheld is not None:
            return self._skip(step, withheld)
        delay_s *= 1 + random.uniform(0, self.terms.profile.jitter)  # noqa: S311 -- no secret
        if self._left_s() - delay_s < MIN_ATTEMPT_S:
            return self._skip(step, NO_TIME)
        return await self._take(step, delay_s=delay_s, patience_s=self.terms.profile.max_rate_wait_s)

    async def _take(
        self, step: Target, *, delay_s: float = 0.0, patience_s: float, alone: bool = False
    ) -> bool:
        number = len(self.attempts) + 1
        provider = step.deployment.provider_name
        again = any(one.provider == provider for one in self.attempts)
        patience_s = max(0.0, min(patience_s, self._left_s() - delay_s - MIN_ATTEMPT_S))
        wish = AttemptRequest(step, self._claim(step, number), again, delay_s, patience_s, alone)
        found = await admit(wish, self._state)
        if isinstance(found, Rejected):
            self._refusal = found.over_budget or self._refusal
            failed = step.name in self._tried
            # Who failed is waited for as such: noted when it did, and anew when it comes back in vain.
            if found.wait is not None and found.ready_in_s is not None and (alone or not failed):
                ready_at_s = self._state.clock.monotonic_s() + found.ready_in_s
                wait = None if failed else found.wait
                self._waiting.note(Waiter(step.name, provider, ready_at_s, wait))
            return self._skip(step, found.reason)
        self._entry = found
        self.open = InFlightAttempt(step, number, found.hold, self._state.clock.monotonic_s())
        self._tries += 1
        self._tried.add(step.name)
        self._waiting.forget({step.name})
        return True

    def _claim(self, step: Target, number: int) -> HoldRequest:
        return HoldRequest(
            operation_id=self.terms.request_id,
            number=number,
            deployment=step.deployment.name,
            provider=step.deployment.provider_name,
            model=step.deployment.model_name,
            scopes=Payer.of(self.terms.request).scopes(step.deployment.provider_name),
            bound_nusd=step.candidate.bound_nusd,
            price_version=step.price.version,
            # Of a rescue, whose prompt is another, nothing is learnt.
            size=None if self._goes_on else self.terms.size,
        )

    def _skip(self, step: Target, reason: str) -> bool:
        # A retry that may not be made is none: the walk goes on to the next deployment.
        self._tries = 0
        self._tell_skipped(FailedStep(step.deployment.name, reason))
        return False

    def _tell_skipped(self, found: FailedStep) -> None:
        # Of a deployment that was passed over several times the latest reason counts.
        self.skipped = [one for one in self.skipped if one.deployment != found.deployment]
        self.skipped.append(found)

    async def _wait_for_the_first(self) -> Target | None:
        """Wait for whoever can serve first, once nobody else is left to try."""
        clock = self._state.clock
        while self._failure is None or self._failure.policy.fall_back:
            fit = [step.name for step in self._steps if self._may_come_back(step)]
            found = self._waiting.take_first(fit, self._room())
            if found is None:
                return None
            later, wait_s = found
            if later.wait is not RejectReason.LINE:
                await clock.sleep(wait_s)
            place = next(place for place, step in enumerate(self._steps) if step.name == later.name)
            step = self._steps[place]
            self._place, self._tries, self._alone = place, 0, True
            if await self._take(step, patience_s=self._left_s(), alone=True):
                self._waiting.come_back(later)
                return step
        return None

    def _room(self) -> WaitBudget:
        health = self._state.health
        return WaitBudget(
            now_s=self._state.clock.monotonic_s(),
            left_s=self._left_s() - MIN_ATTEMPT_S,
            patience_s=0.0 if self._has_older_answer else self.terms.profile.max_recovery_wait_s,
            outage=not all(
                health.is_closed(step.name, provider=step.deployment.provider_name) for step in self._steps
            ),
        )

    def _may_come_back(self, step: Target) -> bool:
        """Return whether nothing but time is in the way of a step."""
        if self._lessons.unfit(step) or self._withheld(step):
            return False
        request, limits = self.terms.request, self._state.ledger.limits
        left = left_nusd(step, request, spent_nusd=self.spent_nusd, limits=limits)
        return left is None or step.candidate.bound_nusd <= left

    def _withheld(self, step: Target) -> str | None:
        """Return why the emergency model is not asked, None when it may be or this is another."""
        if step.deployment.model.tier is not ModelClass.EMERGENCY:
            return None
        if self._refusal is not None:
            # A poor answer is better than none in an outage; a spent budget is no outage.
            return "kept for outages, and this is a spent budget"
        if self._has_older_answer and self.terms.request.model is None:
            return "an older answer in the cache comes before the emergency model"
        return None

    @property
    def _has_older_answer(self) -> bool:
        # Of what was begun the reader has words that no older answer can take back.
        return self.terms.older_answer and not self._goes_on

    def _see_fail(self, step: Target, failure: Failure) -> None:
        """Keep in mind when a deployment that failed may be asked again, should nobody else be left."""
        if failure.policy.passes and self.terms.profile.attempts_per_deployment > 1:
            now_s = self._state.clock.monotonic_s()
            ready_at_s = now_s + self._state.limits.rests_s(step.name)
            later = Waiter(step.name, step.deployment.provider_name, ready_at_s, None)
            self._waiting.note_failure(later, now_s=now_s)

    def _end(
        self,
        attempt: InFlightAttempt,
        charge: Charge,
        *,
        failure: Failure | None,
        upstream_id: str | None,
    ) -> None:
        self.open = None
        if self.timer is not None and not self.timer.expired():
            # Its time limit was the attempt's, not that of the wait before the next one.
            self.timer.reschedule(None)
        now_s = self._state.clock.monotonic_s()
        started_s = attempt.sent_at_s if attempt.sent_at_s is not None else attempt.admitted_at_s
        row = ended(
            attempt.hold.claim,
            charge,
            failure=failure,
            latency_s=now_s - started_s,
            first_token_s=None if attempt.first_token_at_s is None else attempt.first_token_at_s - started_s,
            upstream_id=upstream_id,
        )
        self.attempts.append(row)
        entry, self._entry = self._entry, None
        if entry is not None:
            health_scope = (
                None if failure is None else health_scope_of(attempt, failure, latency_s=row.latency_s)
            )
            close(
                entry, row, sent=attempt.sent_at_s is not None, health_scope=health_scope, state=self._state
            )
        late = settle(self._state.ledger, attempt.hold, row, soon=True)
        if late is not None:
            self.notices.append(f"booked late: {late}")

    def _charge_of(self, attempt: InFlightAttempt, answer: ProviderAnswer) -> Charge:
        return charge_of(attempt, answer, ledger=self._state.ledger, clock=self._state.clock)

    def _left_s(self) -> float:
        return self.terms.deadline_at_s - self._state.clock.monotonic_s()
