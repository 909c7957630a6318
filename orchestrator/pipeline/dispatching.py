"""The innermost step: the attempts of a plan, and the reply that is made of their answer."""

import asyncio
from dataclasses import replace

from orchestrator.core.deadline import STOOD_STILL_S
from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reasoning import Reasoning
from orchestrator.core.reply import Attempt, ChatReply
from orchestrator.dispatch.dispatch_request import DispatchRequest
from orchestrator.dispatch.outcome import DispatchResult
from orchestrator.dispatch.services import Services
from orchestrator.dispatch.strategies import strategy_of
from orchestrator.dispatch.target import targets_of
from orchestrator.pipeline.arms import arm_notices
from orchestrator.pipeline.call import Call
from orchestrator.pipeline.degradation import broken_off, clamped_notices, degraded
from orchestrator.pipeline.services import PipelineServices
from orchestrator.providers.openrouter import ROUTER_PREFIX


class Dispatching:
    """Asks the deployments of a plan until one answers; attempts are booked, also of a call that is left."""

    def __init__(self, services: PipelineServices) -> None:
        """Remember what the attempts share."""
        self._services = services.dispatch

    async def __call__(self, call: Call) -> ChatReply:
        """Return the reply, and leave in the call's trace what was tried.

        Raises:
            DeadlineExceededError: there was no answer in time.
            OrchestratorError: no deployment answered; says what became of each.
        """
        result = await dispatched(call, _dispatch_request_of(call), self._services)
        reply = _reply_of(call, result)
        degradation = degraded(call.snapshot.config, call.use_case, reply, passed_over=call.trace.passed_over)
        if degradation is not reply.degraded:
            reply = replace(reply, degraded=degradation)
        # Where answers are compared first, the reader of a stream gets the one that was accepted.
        return reply if result.decision is None else call.hand_over(reply)


async def dispatched(call: Call, dispatch: DispatchRequest, services: Services) -> DispatchResult:
    """Return what came of a dispatch, and add what was tried to the call's trace, however it ends.

    Raises:
        DeadlineExceededError: there was no answer in time.
        OrchestratorError: no deployment answered; says what became of each.
    """
    dispatcher = strategy_of(dispatch, transport=call.snapshot.transport, services=services, take=call.sink)
    try:
        async with asyncio.timeout(call.deadline.left_s()):
            return await dispatcher.run()
    except TimeoutError:
        stood_still = call.deadline.left_s() < -STOOD_STILL_S
        dispatcher.close(FailureKind.CANCELLED if stood_still else FailureKind.TIMEOUT)
        ended = dispatcher.result()
        raise call.too_late(ended.delivered, nothing_sent=not ended.attempts, remark=ended.remark) from None
    finally:
        dispatcher.close()
        ended = dispatcher.result()
        call.trace.attempts += ended.attempts
        call.trace.passed_over += ended.passed_over


def _dispatch_request_of(call: Call) -> DispatchRequest:
    if call.planned is None:
        msg = "a call is planned before it is dispatched: Planning stands around Dispatching"
        raise RuntimeError(msg)
    plan, deployments = call.planned.plan, call.snapshot.config.catalog.deployments
    return DispatchRequest(
        request_id=call.id,
        request=call.request,
        payer=call.payer,
        plan=plan,
        targets=targets_of(
            plan,
            deployments,
            today=call.started_at.date(),
            preferences=call.use_case.openrouter_preferences,
        ),
        size=call.planned.size,
        profile=call.profile,
        deadline=call.deadline,
        stream=call.sink is not None,
        started_at=call.started_at,
        on_filtered=call.use_case.on_filtered,
        money_wait_s=call.use_case.on_limit.wait_s,
        # A model that was asked for by name answers alone.
        policy=call.use_case.policy if call.request.model is None else None,
        older_answer=call.stale is not None,
    )


def _reply_of(call: Call, result: DispatchResult) -> ChatReply:
    answer, last = result.answer, result.answered_by
    if answer is None or last is None:
        msg = "a dispatch that returns has an answer; without one it raises"
        raise RuntimeError(msg)
    plan = result.dispatch.plan
    candidate = next(candidate for candidate in plan.asked if candidate.deployment == last.deployment)
    return ChatReply(
        request_id=call.id,
        text=answer.text,
        model=_model_of(answer, last, call),
        deployment=last.deployment,
        provider=last.provider,
        usage=answer.usage,
        cost_nusd=result.spent_nusd,
        finish_reason=answer.finish_reason,
        tool_calls=answer.tool_calls,
        attempts=result.attempts,
        degraded=broken_off(result.story),
        notices=(*clamped_notices(candidate), *result.notices, *arm_notices(call.arm)),
        latency_s=call.deadline.elapsed_s(),
        queued_s=call.trace.queued_s,
        created_at=call.started_at,
        plan=plan,
        decision=result.decision,
        reasoning=Reasoning(answer.reasoning, answer.reasoning_vendor, answer.reasoning_details),
        served_model=answer.served_model,
    )


def _model_of(answer: ProviderAnswer, attempt: Attempt, call: Call) -> str:
    """Return which model answered: by our name, or by the vendor's where OpenRouter chose one itself."""
    deployment = call.snapshot.config.catalog.deployments[attempt.deployment]
    is_router = deployment.upstream.startswith(ROUTER_PREFIX)
    return answer.served_model if is_router and answer.served_model else attempt.model
