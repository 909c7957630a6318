"""Money for sends that go past the Router: held before, settled after, one operation each.

`Meter.send` is a context manager around one send of somebody else's client. Leaving it without
having told what the send cost books it as a failure, by the same rules as a walk.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from orchestrator.calls import Attempt, CacheState, ChatRequest, CostSource, Message, Outcome, Usage
from orchestrator.catalog import Deployment
from orchestrator.clock import Clock
from orchestrator.errors import BudgetExceededError
from orchestrator.gateway.attempts import Charge, book_charge
from orchestrator.gateway.translate import failure_of
from orchestrator.money import ZERO_NUSD
from orchestrator.policy.budgets import scopes_of
from orchestrator.policy.estimate import estimate, measure
from orchestrator.policy.failures import Billing
from orchestrator.pricing import Price
from orchestrator.state.ledger import Claim, Hold, Ledger, Operation
from orchestrator.state.ledger_records import new_operation_id


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
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        answers: int = 1,
        declared: Sequence[Any] = (),
    ) -> Iterator[MeteredSend]:
        """Hold the most that `answers` answers of `max_tokens` tokens can cost, and settle on leaving.

        `declared` are the tools and formats that are sent along with the messages.

        Raises:
            BudgetExceededError: a limit would be passed; nothing may be sent.
            LedgerError: it could not be booked, so nothing may be sent.
        """
        started_s = self._clock.monotonic_s()
        price = self._deployment.price.on(self._clock.now().date())
        hold = self._hold(messages, price, max_tokens=max_tokens * answers, declared=declared)
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

    def _hold(
        self, messages: Sequence[Message], price: Price, *, max_tokens: int, declared: Sequence[Any]
    ) -> Hold:
        payer, deployment = self._payer, self._deployment
        scopes = scopes_of(
            tenant=payer.tenant,
            use_case=payer.use_case,
            user=payer.user,
            provider=deployment.provider_name,
            tags=payer.tags,
        )
        size = measure(
            ChatRequest.of(messages, use_case=payer.use_case, tenant=payer.tenant), declared=declared
        )
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
            operation_id=new_operation_id(self._clock.now()),
            number=1,
            deployment=deployment.name,
            provider=deployment.provider_name,
            model=deployment.model_name,
            scopes=scopes,
            bound_nusd=needed,
            price_version=price.version,
            size=size,
        )
        return self._ledger.hold(claim)

    def _ended(
        self, hold: Hold, price: Price, sending: MeteredSend, *, error: BaseException | None, latency_s: float
    ) -> Attempt:
        failure = failure_of(error) if error is not None else None
        charge = Charge(hold.claim.bound_nusd, CostSource.BOUND, Usage(estimated=True))
        if sending.usage is not None:
            charge = book_charge(
                sending.usage,
                price,
                deployment=self._deployment,
                hold=hold,
                ledger=self._ledger,
                clock=self._clock,
            )
        elif failure is not None and failure.meaning.billing is Billing.NO:
            charge = Charge(ZERO_NUSD, CostSource.NONE, Usage())
        return Attempt(
            number=1,
            deployment=hold.claim.deployment,
            provider=hold.claim.provider,
            model=hold.claim.model,
            outcome=Outcome.SUCCEEDED if error is None else Outcome.FAILED,
            failure=failure.kind.value if failure else None,
            status=failure.status if failure else None,
            latency_s=latency_s,
            usage=charge.usage,
            cost_nusd=charge.cost_nusd,
            cost_source=charge.source,
            upstream_id=sending.upstream_id,
            price_version=charge.price_version,
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
