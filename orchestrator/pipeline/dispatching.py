"""The innermost step: the attempts of a plan, and the reply that is made of their answer."""

import asyncio
from dataclasses import replace

from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reasoning import Reasoning
from orchestrator.core.reply import Attempt, ChatReply
from orchestrator.dispatch.dispatch_request import DispatchRequest
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.outcome import DispatchResult
from orchestrator.dispatch.target import targets_of
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
        dispatcher = Dispatcher(
            _dispatch_request_of(call),
            transport=call.snapshot.transport,
            services=self._services,
            take=call.sink,
        )
        try:
            async with asyncio.timeout(call.deadline.left_s()):
                result = await dispatcher.run()
        except TimeoutError:
            dispatcher.close(FailureKind.TIMEOUT)
            raise call.too_late(dispatcher.result().delivered) from None
        finally:
            dispatcher.close()
            ended = dispatcher.result()
            call.trace.attempts, call.trace.passed_over = ended.attempts, ended.passed_over
        reply = _reply_of(call, result)
        return replace(reply, degraded=degraded(call.snapshot.config, call.use_case, reply))


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
        targets=targets_of(plan, deployments, today=call.started_at.date()),
        size=call.planned.size,
        profile=call.profile,
        deadline=call.deadline,
        stream=call.sink is not None,
        started_at=call.started_at,
        on_filtered=call.use_case.on_filtered,
        older_answer=call.stale is not None,
    )


def _reply_of(call: Call, result: DispatchResult) -> ChatReply:
    answer = result.answer
    if answer is None:
        msg = "a dispatch that returns has an answer; without one it raises"
        raise RuntimeError(msg)
    last, plan = result.attempts[-1], result.dispatch.plan
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
        notices=(*clamped_notices(candidate), *result.notices),
        latency_s=call.deadline.elapsed_s(),
        created_at=call.started_at,
        plan=plan,
        reasoning=Reasoning(answer.reasoning, answer.reasoning_vendor, answer.reasoning_details),
        served_model=answer.served_model,
    )


def _model_of(answer: ProviderAnswer, attempt: Attempt, call: Call) -> str:
    """Return which model answered: by our name, or by the vendor's where OpenRouter chose one itself."""
    deployment = call.snapshot.config.catalog.deployments[attempt.deployment]
    is_router = deployment.upstream.startswith(ROUTER_PREFIX)
    return answer.served_model if is_router and answer.served_model else attempt.model
