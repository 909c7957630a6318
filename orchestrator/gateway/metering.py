"""Money for sends that go past the Router: held before, settled after, one operation each.

`Meter.send` is a context manager around one send of somebody else's client. Leaving it without
having told what the send cost books it as a failure, by the same rules as a walk.
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from orchestrator.calls import Attempt, CacheState, ChatRequest, CostSource, Message, Outcome, Usage
from orchestrator.catalog import Deployment, Price
from orchestrator.clock import Clock
from orchestrator.errors import BudgetExceededError
from orchestrator.gateway.translate import failure_of
from orchestrator.money import ZERO_NUSD, NanoUsd
from orchestrator.policy.budgets import scopes_of
from orchestrator.policy.estimate import estimate, measure
from orchestrator.policy.failures import Billing
from orchestrator.state.ledger import Claim, Hold, Ledger, Operation


@dataclass(frozen=True, slots=True)
class Payer:
    """On whose account a metered client sends."""

    tenant: str
    use_case: str
    user: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(slots=True)
class MeteredSend:
    """One send under way; tell it `usage` before leaving."""

    usage: Usage | None = None
    upstream_id: str | None = None


class Meter:
    """Holds and settles the money of one client of one deployment."""

    def __init__(self, deployment: Deployment, payer: Payer, *, ledger: Ledger, clock: Clock) -> None:
        """Remember who pays for what; nothing is held yet."""
        self._deployment = deployment
        self._payer = payer
        self._ledger = ledger
        self._clock = clock

    @contextmanager
    def send(
        self, messages: Sequence[Message], *, max_tokens: int, answers: int = 1
    ) -> Iterator[MeteredSend]:
        """Hold the most that `answers` answers of `max_tokens` tokens can cost, and settle on leaving.

        Raises:
            BudgetExceededError: a limit would be passed; nothing may be sent.
            LedgerError: it could not be booked, so nothing may be sent.
        """
        started_s = self._clock.monotonic_s()
        price = self._deployment.price.on(self._clock.now().date())
        hold = self._hold(messages, price, max_tokens=max_tokens * answers)
        sending = MeteredSend()
        error: BaseException | None = None
        try:
            yield sending
        except BaseException as exc:
            error = exc
            raise
        finally:
            attempt = self._ended(
                hold, price, sending, error=error, latency_s=self._clock.monotonic_s() - started_s
            )
            self._ledger.settle(hold, attempt)
            self._ledger.close_operation(self._operation(hold, attempt))

    def _hold(self, messages: Sequence[Message], price: Price, *, max_tokens: int) -> Hold:
        payer, deployment = self._payer, self._deployment
        scopes = scopes_of(
            tenant=payer.tenant,
            use_case=payer.use_case,
            user=payer.user,
            provider=deployment.provider_name,
            tags=payer.tags,
        )
        size = measure(ChatRequest.of(messages, use_case=payer.use_case, tenant=payer.tenant))
        needed = price.bound_of(input_tokens=size.input_bound_tokens, output_tokens=max_tokens)
        ceiling = self._ledger.limits.tightest_for_request(scopes)
        found = estimate(
            size,
            model=deployment.model,
            price=price,
            max_tokens=max_tokens,
            ceiling_nusd=ceiling[1] if ceiling else None,
        )
        if ceiling is not None and (found is None or found.clamped_from is not None):
            # The client has its own max_tokens, which nobody here may lower in secret.
            raise BudgetExceededError(
                scope=ceiling[0],
                window="request",
                limit=ceiling[1],
                left=ceiling[1],
                needed=needed,
                resets_at=None,
            )
        claim = Claim(
            operation_id=uuid.uuid4().hex,
            number=1,
            deployment=deployment.name,
            provider=deployment.provider_name,
            model=deployment.model_name,
            scopes=scopes,
            bound_nusd=needed,
            price_version=price.version,
        )
        return self._ledger.hold(claim)

    def _ended(
        self, hold: Hold, price: Price, sending: MeteredSend, *, error: BaseException | None, latency_s: float
    ) -> Attempt:
        failure = failure_of(error) if error is not None else None
        usage, cost, source = Usage(estimated=True), hold.claim.bound_nusd, CostSource.BOUND
        if sending.usage is not None:
            usage, cost, source = sending.usage, price.cost_of(sending.usage), CostSource.PRICE_BOOK
        elif failure is not None and failure.meaning.billing is Billing.NO:
            usage, cost, source = Usage(), ZERO_NUSD, CostSource.NONE
        return Attempt(
            number=1,
            deployment=hold.claim.deployment,
            provider=hold.claim.provider,
            model=hold.claim.model,
            outcome=Outcome.SUCCEEDED if error is None else Outcome.FAILED,
            failure=failure.kind.value if failure else None,
            status=failure.status if failure else None,
            latency_s=latency_s,
            usage=usage,
            cost_nusd=NanoUsd(cost),
            cost_source=source,
            upstream_id=sending.upstream_id,
        )

    def _operation(self, hold: Hold, attempt: Attempt) -> Operation:
        return Operation(
            id=hold.claim.operation_id,
            started_at=hold.held_at,
            tenant=self._payer.tenant,
            use_case=self._payer.use_case,
            user=self._payer.user,
            tags=self._payer.tags,
            outcome=attempt.outcome,
            error=attempt.failure,
            cached=CacheState.MISS,
            degraded=None,
            deployment=attempt.deployment,
            provider=attempt.provider,
            model=attempt.model,
            attempts=1,
            usage=attempt.usage,
            cost_nusd=attempt.cost_nusd,
            latency_s=attempt.latency_s,
        )
