"""The innermost step: the attempts of a plan, and the reply that is made of their answer."""

import asyncio
from dataclasses import replace

from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import ChatReply
from orchestrator.dispatch.dispatch_request import DispatchRequest
from orchestrator.dispatch.dispatcher import Walk
from orchestrator.pipeline.call import Call
from orchestrator.pipeline.reply_building import degraded
from orchestrator.pipeline.services import PipelineServices


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
        walk = self._walk(call)
        try:
            async with asyncio.timeout(call.deadline.left_s()):
                answer = await call.snapshot.gateway.run(walk, emit=call.sink)
        except TimeoutError:
            walk.finish(FailureKind.TIMEOUT)
            raise call.too_late(walk.delivered) from None
        finally:
            walk.finish()
            call.trace.attempts = tuple(walk.attempts)
        reply = _reply_of(call, walk, answer)
        return replace(reply, degraded=degraded(call.snapshot.config, call.use_case, reply))

    def _walk(self, call: Call) -> Walk:
        if call.planned is None:
            msg = "a call is planned before it is dispatched: Planning stands around Dispatching"
            raise RuntimeError(msg)
        terms = DispatchRequest(
            request_id=call.id,
            request=call.request,
            plan=call.planned.plan,
            size=call.planned.size,
            profile=call.profile,
            deadline_at_s=call.deadline.at_s,
            stream=call.sink is not None,
            today=call.started_at,
            older_answer=call.stale is not None,
        )
        return Walk(terms, deployments=call.snapshot.config.catalog.deployments, state=self._services)


def _reply_of(call: Call, walk: Walk, answer: ProviderAnswer) -> ChatReply:
    last = walk.attempts[-1]
    candidate = next(
        candidate for candidate in walk.terms.plan.asked if candidate.deployment == last.deployment
    )
    clamped = tuple(reason for reason in candidate.reasons if reason.startswith("max_tokens lowered"))
    return ChatReply(
        request_id=call.id,
        text=answer.text,
        model=last.model,
        deployment=last.deployment,
        provider=last.provider,
        usage=answer.usage,
        cost_nusd=call.trace.spent_nusd,
        finish_reason=answer.finish_reason,
        tool_calls=answer.tool_calls,
        attempts=call.trace.attempts,
        degraded=walk.story,
        notices=(*clamped, *walk.notices),
        latency_s=call.deadline.elapsed_s(),
        created_at=call.started_at,
        plan=walk.terms.plan,
    )
