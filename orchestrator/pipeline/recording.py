"""One row in the ledger for each request, whatever happens; an older answer where no deployment gives one."""

import asyncio
import logging
from dataclasses import replace
from typing import TypeVar

from orchestrator.core.errors import (
    BudgetExceededError,
    LedgerError,
    OrchestratorError,
    OverloadedError,
    UnavailableError,
)
from orchestrator.core.payer import is_own
from orchestrator.core.reply import CacheState, ChatReply, Degradation, DegradationKind, Outcome, Usage
from orchestrator.ledger.kept_plan import OwnTerms, PackedPlan, packed_plan
from orchestrator.ledger.record_settings import RecordMode
from orchestrator.ledger.records import RequestRecord
from orchestrator.ledger.request_log import log_ended
from orchestrator.ledger.store import LedgerBusyError
from orchestrator.pipeline.arm_tags import arm_tags
from orchestrator.pipeline.call import Call, Step
from orchestrator.pipeline.content_keeping import keep_content
from orchestrator.pipeline.prompt_printing import prompt_print
from orchestrator.pipeline.repeats import stale_reply
from orchestrator.pipeline.services import PipelineServices
from orchestrator.resilience.traffic_counts import TrafficCounts

MaybeReply = TypeVar("MaybeReply", ChatReply, None)

logger = logging.getLogger("orchestrator")


class Recording:
    """Writes the row of a call that asks, also of one that fails or is left, and names it in its error."""

    def __init__(self, services: PipelineServices, following: Step) -> None:
        """Stand around `following`."""
        self._services = services
        self._following = following

    async def __call__(self, call: Call) -> ChatReply:
        """Return the reply, or the older answer of the cache where there is none.

        Raises:
            OrchestratorError: what the following step raised, with the id and the cost of the request.
        """
        reply: ChatReply | None = None
        error: BaseException | None = None
        try:
            reply = await self._following(call)
        except UnavailableError as exc:
            error = exc
            exc.cost_nusd = call.trace.spent_nusd
            reply = stale_reply(call, exc, clock=self._services.clock)
            if reply is None:
                raise
        except BaseException as exc:
            error = exc
            raise
        finally:
            if isinstance(error, OrchestratorError):
                error.request_id = call.id
            _count(call, reply, error, traffic=self._services.traffic)
            record(call, reply, error, services=self._services)
            # Who is cancelled is not held up; what was booked is written all the same.
            stays = error is None or isinstance(error, Exception)
            late = await _late(call, self._services) if stays else None
        return reply if late is None else _with_notice(reply, late)


async def record_and_wait(
    call: Call, reply: MaybeReply, error: BaseException | None, *, services: PipelineServices
) -> MaybeReply:
    """Write the row of a call; return its reply when that is done, or with a notice that it follows."""
    record(call, reply, error, services=services)
    late = await _late(call, services)
    if late is None or reply is None:
        return reply
    return _with_notice(reply, late)


async def _late(call: Call, services: PipelineServices) -> LedgerError | None:
    """Wait until what a call has booked is in the ledger; return why it is not yet."""
    try:
        await services.ledger.written(call.id)
    except LedgerBusyError as exc:
        # Written in a moment; who waits in vain alerts.
        logger.info("the bookings follow: request=%s: %s", call.id, exc)
        return exc
    except LedgerError as exc:
        # They are kept, and follow with the next transaction.
        # Without a traceback: this may run inside a provider's error, whose text quotes the prompt.
        logger.error("the bookings are late: request=%s: %s", call.id, exc)  # noqa: TRY400
        return exc
    return None


def _with_notice(reply: ChatReply, late: LedgerError) -> ChatReply:
    return replace(reply, notices=(*reply.notices, f"booked late: {late}"))


def record(
    call: Call, reply: ChatReply | None, error: BaseException | None, *, services: PipelineServices
) -> None:
    """Write the row of a call that has ended, with what else is booked in this turn of the loop."""
    recorded = call.recorded
    row = _record_of(call, reply, error, recorded.mode)
    log_ended(row)
    services.ledger.record_request_deferred(row)
    if recorded.mode is RecordMode.CONTENT:
        keep_content(call, reply, recorded, services.contents)


def record_repeat(call: Call, reply: ChatReply, *, services: PipelineServices) -> None:
    """Record a call that the cache answered; its row is gathered with others, and written a moment later."""
    row = _record_of(call, reply, None, call.recorded.mode)
    log_ended(row)
    services.ledger.gather_request(row)


def _count(
    call: Call, reply: ChatReply | None, error: BaseException | None, *, traffic: TrafficCounts
) -> None:
    """Count a call that a model answered or none could; a refused or cancelled one tells nothing of them."""
    outcome = _outcome(reply, error)
    if outcome not in {Outcome.SUCCEEDED, Outcome.FAILED}:
        return
    degraded = reply.degraded if reply is not None else None
    traffic.add(
        ("all", f"tenant:{call.payer.tenant}", f"use_case:{call.payer.use_case}"),
        succeeded=outcome is Outcome.SUCCEEDED,
        degraded=degraded is not None,
        emergency=degraded is not None and DegradationKind.EMERGENCY_MODEL in degraded.kinds,
        latency_s=call.deadline.elapsed_s(),
    )


def _record_of(
    call: Call, reply: ChatReply | None, error: BaseException | None, mode: RecordMode
) -> RequestRecord:
    attempts = call.trace.attempts
    degradation = reply.degraded if reply is not None else None
    explained = mode is not RecordMode.OFF
    return RequestRecord(
        id=call.id,
        started_at=call.started_at,
        tenant=call.payer.tenant,
        use_case=call.payer.use_case,
        user=call.payer.user,
        tags=(*call.payer.tags, *arm_tags(call, reply, error)),
        outcome=_outcome(reply, error),
        error=type(error).__name__ if error is not None and reply is None else None,
        cached=reply.cached if reply is not None else CacheState.MISS,
        degraded=_degraded(degradation, explained=explained),
        deployment=reply.deployment if reply is not None else None,
        provider=reply.provider if reply is not None else None,
        model=reply.model if reply is not None else None,
        attempts=len(attempts),
        # Tokens that were paid for, which a repeated reply has not.
        usage=Usage(
            input_tokens=sum(attempt.usage.input_tokens for attempt in attempts),
            output_tokens=sum(attempt.usage.output_tokens for attempt in attempts),
        ),
        cost_nusd=call.trace.spent_nusd,
        latency_s=call.deadline.elapsed_s(),
        plan=_packed(call, reply) if explained else None,
        # A shadow asks again what its live request has asked, on purpose.
        prompt=prompt_print(call) if explained and not is_own(call.payer.tenant) else None,
    )


def _packed(call: Call, reply: ChatReply | None) -> PackedPlan | None:
    """Return what is kept of a plan, None where there was none, as of a reply from the cache."""
    decision = reply.decision if reply is not None else None
    plan = call.trace.plan
    if plan is None:
        return None
    terms = OwnTerms.of(call.request)
    return packed_plan(plan, call.trace.passed_over, decision=decision, terms=terms)


def _degraded(degradation: Degradation | None, *, explained: bool) -> str | None:
    """Return that a reply is degraded, in words, or by kinds alone where no words are kept."""
    if degradation is None or explained:
        return None if degradation is None else degradation.text
    return ", ".join(kind.value for kind in degradation.kinds)


def _outcome(reply: ChatReply | None, error: BaseException | None) -> Outcome:
    if reply is not None:
        return Outcome.SUCCEEDED
    if isinstance(error, asyncio.CancelledError):
        return Outcome.CANCELLED
    refused = isinstance(error, BudgetExceededError | OverloadedError)
    return Outcome.REFUSED if refused else Outcome.FAILED
