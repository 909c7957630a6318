"""Asks something nobody waits for, on an account of its own: it waits for nothing, and is sent once.

What there is no money or no place for leaves no row; what was sent has one, whatever becomes of it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from orchestrator.config.loader import Config
from orchestrator.core.arms import Arm
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.json_log import name_request
from orchestrator.core.payer import Payer
from orchestrator.core.reply import ChatReply
from orchestrator.core.request import ChatRequest
from orchestrator.ledger.records import new_operation_id
from orchestrator.pipeline.call import Call, Trace
from orchestrator.pipeline.recording import record
from orchestrator.pipeline.services import PipelineServices
from orchestrator.resilience.retry_policy import RetryProfile
from orchestrator.routing.settings import UseCaseSettings

logger = logging.getLogger("orchestrator")

_PROFILE = RetryProfile(
    deadline_s=60.0,
    attempts_per_deployment=1,
    retry_delays_s=(),
    fallback_delays_s=(),
    background=True,
    max_rate_wait_s=0.0,
    max_recovery_wait_s=0.0,
)
"""Sent once, and never in the way of others: its deadline is that of the live request."""


def call_aside(
    live: Call, request: ChatRequest, *, config: Config, payer: Payer, arm: Arm, services: PipelineServices
) -> Call:
    """Return a call behind a live one: of the same tenant, on another account, with a time of its own."""
    return replace(
        live,
        id=new_operation_id(services.clock.now()),
        request=request,
        snapshot=replace(live.snapshot, config=config),
        use_case=_impatient(config.use_case_of(live.request)),
        profile=_PROFILE,
        payer=payer,
        started_at=services.clock.now(),
        deadline=Deadline.after(live.deadline.timeout_s, clock=services.clock),
        sink=None,
        stale=None,
        cache_key=None,
        planned=None,
        trace=Trace(),
        arm=arm,
    )


async def ask_aside(
    call: Call,
    answer: Callable[[Call], Awaitable[ChatReply]],
    *,
    services: PipelineServices,
    noted: Callable[[Call, ChatReply | None], Call] = lambda call, _: call,
) -> ChatReply | None:
    """Return what `answer` makes of a call, None where there is no answer, and write its row.

    `noted` returns the call as its row is to have it, with what the reply says.
    """
    name_request(call.logged)
    reply: ChatReply | None = None
    error: BaseException | None = None
    try:
        reply = await answer(call)
    except OrchestratorError as exc:
        error = exc
    except asyncio.CancelledError as exc:
        error = exc
        raise
    except Exception as exc:  # noqa: BLE001 -- a mistake of ours may quote the prompt, and is nobody's answer
        error = exc
        logger.error("%s of an experiment failed: %s", _what(call), type(exc).__name__)  # noqa: TRY400 -- as above
    finally:
        if call.trace.attempts:
            record(noted(call, reply), reply, error, services=services)
        elif isinstance(error, OrchestratorError):
            logger.debug("no %s: %s", _what(call), error)
    return reply


def _what(call: Call) -> str:
    return "question" if call.arm is None else f"{call.arm.kind.value} of request {call.arm.shadow_of}"


def _impatient(use_case: UseCaseSettings) -> UseCaseSettings:
    """Return a use case that does not wait for money which others hold: they go first."""
    on_limit = use_case.on_limit.model_copy(update={"wait_s": 0.0})
    return UseCaseSettings.model_construct(**{**dict(use_case), "on_limit": on_limit})
