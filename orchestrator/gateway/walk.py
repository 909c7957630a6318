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
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.calls import Attempt, ChatRequest, Outcome, Plan
from orchestrator.catalog import Deployment, ProviderKind, Tier
from orchestrator.clock import Clock
from orchestrator.errors import (
    AllProvidersFailedError,
    BudgetExceededError,
    FailedStep,
    LedgerError,
    OrchestratorError,
    PromptTooLargeError,
    RejectedByProviderError,
)
from orchestrator.gateway.answers import Answer
from orchestrator.gateway.attempts import Charge, OpenAttempt, Step, charge_of, charge_of_failure
from orchestrator.gateway.refit import left_nusd, refit
from orchestrator.money import NanoUsd
from orchestrator.policy.budgets import scopes_of
from orchestrator.policy.failures import (
    Failure,
    FailureKind,
    RetryProfile,
    fallback_delay_s,
    retry_delay_s,
)
from orchestrator.state.health import CircuitState, Health
from orchestrator.state.ledger import Claim, Ledger
from orchestrator.state.limits import RateLimits

logger = logging.getLogger("orchestrator.gateway")

REST_MAX_S = 300.0
"""A longer Retry-After is not believed: nobody bans a model for an hour by one header."""

_TOGETHER_S = 0.25

MIN_ATTEMPT_S = 0.05
"""With less time left than this nothing is sent."""


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """What one attempt may take."""

    max_tokens: int
    kind: ProviderKind


@dataclass(frozen=True, slots=True)
class State:
    """What a walk remembers things in."""

    ledger: Ledger
    health: Health
    limits: RateLimits
    clock: Clock


@dataclass(frozen=True, slots=True)
class Terms:
    """What one walk may do."""

    request_id: str
    request: ChatRequest
    plan: Plan
    profile: RetryProfile
    deadline_at_s: float
    """On the monotonic clock."""
    stream: bool
    today: datetime


class Walk:
    """One request on its way; used by one task on one event loop."""

    def __init__(self, terms: Terms, *, deployments: Mapping[str, Deployment], state: State) -> None:
        """Lay out the steps of the plan; nothing is sent or held yet."""
        self.terms = terms
        self.attempts: list[Attempt] = []
        self.notices: list[str] = []
        self.skipped: list[FailedStep] = []
        self.timer: asyncio.Timeout | None = None
        """Ends the current attempt when its time is over; set by whoever drives the walk."""
        self.stream_began = False
        """The current attempt has handed over a stream; set by whoever drives the walk."""
        self.open: OpenAttempt | None = None
        self.delivered = ""
        """What the reader of a stream has; set by whoever drives the walk."""
        self.story: str | None = None
        """How an answer came about that broke off and was finished by another attempt."""
        self._goes_on = False
        self._state = state
        self._steps = _laid_out(terms, deployments)
        self._place = -1
        self._fallbacks = 0
        self._failure: Failure | None = None
        self._tries = 0
        """Attempts on the current deployment, since the walk came to it."""
        self._tried: set[str] = set()
        self._refusal: BudgetExceededError | None = None
        self._remarks: dict[int, str] = {}
        self._waiting: dict[str, float] = {}
        """Steps passed over for a rate limit, and when they may be taken, in monotonic seconds."""

    async def next(self) -> Step | None:
        """Return the next step that may be taken, its money held; None when there is none left."""
        retry_delay = self._retry_delay_s()
        if retry_delay is not None and await self._admit(self._steps[self._place], delay_s=retry_delay):
            return self._steps[self._place]
        while self._place + 1 < len(self._steps):
            if await self._go_to(self._place + 1):
                return self._steps[self._place]
        return await self._wait_for_a_rate_limit()

    def rest(self) -> list[str]:
        """Return the names of the steps behind the current one."""
        return [step.name for step in self._steps[self._place + 1 :]]

    def go_on(self, request: ChatRequest) -> None:
        """Ask the coming steps for the rest of an answer that broke off, at the bounds of `request`.

        A step that cannot hold it, or would cost more than one request may, is left out.
        """
        self._goes_on = True
        terms, limits, spent = self.terms, self._state.ledger.limits, self.spent_nusd
        found = refit(
            (self._steps, self._place),
            request,
            today=terms.today.date(),
            left_nusd=lambda step: left_nusd(step, terms.request, spent_nusd=spent, limits=limits),
        )
        names = {one.deployment for one in found.left_out}
        self._waiting = {name: ready_s for name, ready_s in self._waiting.items() if name not in names}
        here = self._steps[self._place].name
        self._tries = 0 if here in names else self._tries
        self.skipped.extend(one for one in found.left_out if one.deployment not in self._tried - {here})
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
        self.allow(limit_s)
        return AttemptLimits(max_tokens=attempt.step.candidate.max_tokens, kind=provider.kind)

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

    def fail(self, failure: Failure, *, billed: Answer | None = None) -> None:
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
        logger.warning(
            "attempt failed: request=%s attempt=%d deployment=%s failure=%s",
            self.terms.request_id,
            attempt.number,
            attempt.step.deployment.name,
            failure,
        )

    def succeed(self, answer: Answer) -> None:
        """Book the current attempt with what the provider charged."""
        attempt = self.open
        if attempt is None:
            msg = "an answer came without an open attempt"
            raise RuntimeError(msg)
        charge = self._charge_of(attempt, answer)
        if charge.cost_nusd > attempt.hold.claim.bound_nusd:
            logger.error(
                "a provider charged more than was held: request=%s deployment=%s held_nusd=%d cost_nusd=%d",
                self.terms.request_id,
                attempt.step.deployment.name,
                attempt.hold.claim.bound_nusd,
                charge.cost_nusd,
            )
            self.notices.append("the provider charged more than was reserved; the excess is booked")
        self._end(attempt, charge, failure=None, upstream_id=answer.upstream_id)
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
        tried = [
            FailedStep(one.deployment, self._remarks.get(one.number) or one.failure or "failed")
            for one in self.attempts
        ]
        steps = (*tried, *self.skipped)
        if self._failure is not None and self._failure.kind is FailureKind.BAD_REQUEST:
            return RejectedByProviderError(
                f"{self.attempts[-1].deployment} refused the request itself ({self._failure}); "
                "another provider would too. Look at its messages, tools and sampling parameters."
            )
        if not tried and self._refusal is not None:
            return self._refusal
        if tried and all(one.failure == FailureKind.CONTEXT_OVERFLOW for one in self.attempts):
            return PromptTooLargeError("the prompt is longer than every model of the plan takes; shorten it")
        return AllProvidersFailedError(
            "no provider could answer just now; please try again in a moment", steps=steps
        )

    @property
    def spent_nusd(self) -> NanoUsd:
        """Return what all attempts cost so far."""
        return NanoUsd(sum(one.cost_nusd for one in self.attempts))

    async def _go_to(self, place: int) -> bool:
        """Try to move on to another deployment; after a failure this is a fallback."""
        self._place, self._tries = place, 0
        if self._steps[place].name in self._tried:
            return False
        if self._failure is None:
            return await self._admit(self._steps[place], delay_s=0.0)
        if not self._failure.meaning.fall_back:
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
        return retry_delay_s(self.terms.profile, self._failure, retries_so_far=self._tries - 1)

    async def _admit(self, step: Step, *, delay_s: float) -> bool:
        if self._refusal is not None and step.deployment.model.tier is Tier.EMERGENCY:
            # A poor answer is better than none in an outage; a spent budget is no outage.
            return self._skip(step, "kept for outages, and this is a spent budget")
        if self._state.health.circuit(step.name) is CircuitState.OPEN:
            return self._skip(step, "circuit open")
        delay_s *= 1 + random.uniform(0, self.terms.profile.jitter)  # noqa: S311 -- no secret
        if self._left_s() - delay_s < MIN_ATTEMPT_S:
            return self._skip(step, "no time left")
        if delay_s:
            await self._state.clock.sleep(delay_s)
        return self._take(step)

    def _take(self, step: Step) -> bool:
        deployment, provider = step.deployment, step.deployment.provider
        if not self._state.health.admit(deployment.name):
            return self._skip(step, "circuit half-open, a probe is under way")
        tokens = step.candidate.input_expected_tokens + step.candidate.max_tokens
        wait_s = self._state.limits.rests_s(deployment.name) or self._state.limits.take(
            deployment.provider_name,
            tokens=tokens,
            requests_per_min=provider.requests_per_min,
            tokens_per_min=provider.tokens_per_min,
        )
        if wait_s > 0:
            self._state.health.withdraw(deployment.name)
            self._waiting[step.name] = self._state.clock.monotonic_s() + wait_s
            return self._skip(step, f"{deployment.provider_name} is at its rate limit for {wait_s:.1f} s")
        number = len(self.attempts) + 1
        try:
            hold = self._state.ledger.hold(self._claim(step, number))
        except BudgetExceededError as exc:
            self._state.health.withdraw(deployment.name)
            self._state.limits.give_back(deployment.provider_name, tokens=tokens)
            self._refusal = exc
            return self._skip(step, f"over the {exc.window} budget of {exc.scope}")
        except BaseException:
            self._state.health.withdraw(deployment.name)
            raise
        self.open = OpenAttempt(step, number, hold, self._state.clock.monotonic_s())
        self._tries += 1
        self._tried.add(step.name)
        return True

    def _claim(self, step: Step, number: int) -> Claim:
        request = self.terms.request
        return Claim(
            operation_id=self.terms.request_id,
            number=number,
            deployment=step.deployment.name,
            provider=step.deployment.provider_name,
            model=step.deployment.model_name,
            scopes=scopes_of(
                tenant=request.tenant,
                use_case=request.use_case,
                user=request.user,
                provider=step.deployment.provider_name,
                tags=request.tags,
            ),
            bound_nusd=step.candidate.bound_nusd,
            price_version=step.price.version,
        )

    def _skip(self, step: Step, reason: str) -> bool:
        # A retry that may not be made is none: the walk goes on to the next deployment.
        self._tries = 0
        self.skipped.append(FailedStep(step.deployment.name, reason))
        return False

    async def _wait_for_a_rate_limit(self) -> Step | None:
        """Wait for the first provider to have room again, once nothing else is left to try."""
        stopped = self._failure is not None and not self._failure.meaning.fall_back
        if not self._waiting or stopped:
            return None
        # The first to have room, and of those that have it together the first of the plan.
        soonest_s = min(self._waiting.values())
        names = [name for name, ready_s in self._waiting.items() if ready_s - soonest_s < _TOGETHER_S]
        self._place = next(place for place, one in enumerate(self._steps) if one.name in names)
        step = self._steps[self._place]
        wait_s = max(0.0, self._waiting.pop(step.name) - self._state.clock.monotonic_s())
        if self._left_s() - wait_s < MIN_ATTEMPT_S:
            return None
        await self._state.clock.sleep(wait_s)
        self._tries = 0
        return step if self._take(step) else await self._wait_for_a_rate_limit()

    def _end(
        self,
        attempt: OpenAttempt,
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
        deployment = attempt.step.deployment
        ended = Attempt(
            number=attempt.number,
            deployment=deployment.name,
            provider=deployment.provider_name,
            model=deployment.model_name,
            outcome=_outcome(failure),
            failure=failure.kind.value if failure else None,
            status=failure.status if failure else None,
            latency_s=now_s - started_s,
            first_token_s=None if attempt.first_token_at_s is None else attempt.first_token_at_s - started_s,
            usage=charge.usage,
            cost_nusd=charge.cost_nusd,
            cost_source=charge.source,
            upstream_id=upstream_id,
            price_version=charge.price_version,
        )
        self.attempts.append(ended)
        if failure is None or _tells_of_health(attempt, failure, ended):
            self._state.health.record(deployment.name, healthy=failure is None, latency_s=ended.latency_s)
        else:
            self._state.health.withdraw(deployment.name)
        try:
            self._state.ledger.settle(attempt.hold, ended)
        except LedgerError as exc:
            # The answer is paid for; it is not lost because the booking has to wait.
            # Without a traceback: this may run inside a provider's error, whose text quotes the prompt.
            logger.error("booking is late: request=%s: %s", self.terms.request_id, exc)  # noqa: TRY400
            self.notices.append(f"booked late: {exc}")

    def _charge_of(self, attempt: OpenAttempt, answer: Answer) -> Charge:
        return charge_of(attempt, answer, ledger=self._state.ledger, clock=self._state.clock)

    def _left_s(self) -> float:
        return self.terms.deadline_at_s - self._state.clock.monotonic_s()


def _outcome(failure: Failure | None) -> Outcome:
    if failure is None:
        return Outcome.SUCCEEDED
    return Outcome.CANCELLED if failure.kind is FailureKind.CANCELLED else Outcome.FAILED


def _tells_of_health(attempt: OpenAttempt, failure: Failure, ended: Attempt) -> bool:
    """Return whether a failure speaks against the deployment, and not only of its caller."""
    if attempt.sent_at_s is None or not failure.meaning.unhealthy:
        return False
    # A caller in a hurry says nothing about a provider that still had time.
    had_s = attempt.step.deployment.provider.first_token_timeout_s
    return failure.kind is not FailureKind.TIMEOUT or ended.latency_s >= min(had_s, _limit_s(attempt)) * 0.99


def _limit_s(attempt: OpenAttempt) -> float:
    """Return how long the provider was allowed to take."""
    provider = attempt.step.deployment.provider
    return provider.stall_timeout_s if attempt.first_token_at_s is not None else provider.timeout_s


def _laid_out(terms: Terms, deployments: Mapping[str, Deployment]) -> tuple[Step, ...]:
    today = terms.today.date()
    named = ((candidate, deployments[candidate.deployment]) for candidate in terms.plan.candidates)
    return tuple(Step(candidate, deployment, deployment.price.on(today)) for candidate, deployment in named)
