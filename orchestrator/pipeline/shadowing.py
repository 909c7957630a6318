"""Asks the candidate of an experiment too, when a live answer is there: for the comparison alone.

Nothing of it can be felt by who asked: it begins when the answer is on its way to him, on money, time and
patience of its own, takes no slot of requests in flight, and waits for nothing. What there is no room or no
money for is dropped without a row; what was sent has a row of its own, which names the live request.
"""

import asyncio
import logging
from dataclasses import replace

from orchestrator.core.arms import ArmKind
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import OrchestratorError, UnavailableError
from orchestrator.core.json_log import name_request
from orchestrator.core.payer import Payer
from orchestrator.core.plan import Candidate
from orchestrator.core.reply import CacheState, ChatReply
from orchestrator.ledger.records import new_operation_id
from orchestrator.pipeline.call import Call, PlannedRequest, Step, Trace
from orchestrator.pipeline.dispatching import Dispatching
from orchestrator.pipeline.planning import planned_for
from orchestrator.pipeline.recording import record
from orchestrator.pipeline.services import PipelineServices
from orchestrator.resilience.retry_policy import RetryProfile
from orchestrator.routing.settings import UseCaseSettings

logger = logging.getLogger("orchestrator")

IN_FLIGHT_MAX = 8
"""Shadows of a process that are asked at once; others are dropped."""
_BEHIND_S = 0.005
"""The live answer is handed over in this time, before the first thing is done for its shadow."""
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


class Shadowing:
    """Begins a shadow behind each live answer that was drawn for one."""

    def __init__(self, services: PipelineServices, following: Step) -> None:
        """Stand around `following`."""
        self._services = services
        self._following = following
        self._ask = Dispatching(services)
        self._under_way: set[asyncio.Task[None]] = set()

    async def __call__(self, call: Call) -> ChatReply:
        """Return what the following step says, as it says it."""
        reply = await self._following(call)
        if call.arm is not None and call.arm.is_shadowed and reply.cached is CacheState.MISS:
            self._begin(call)
        return reply

    def _begin(self, live: Call) -> None:
        if len(self._under_way) >= IN_FLIGHT_MAX:
            return
        # The background loop cancels it when it closes, and waits until it has booked what it owes.
        task = asyncio.get_running_loop().create_task(self._shadow(live))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _shadow(self, live: Call) -> None:
        await asyncio.sleep(_BEHIND_S)
        call = self._call_of(live)
        name_request(call.logged)
        reply: ChatReply | None = None
        error: BaseException | None = None
        try:
            reply = await self._answer(call)
        except OrchestratorError as exc:
            error = exc
        except asyncio.CancelledError as exc:
            error = exc
            raise
        except Exception as exc:  # noqa: BLE001 -- a mistake of ours may quote the prompt, and is nobody's answer
            error = exc
            logger.error("a shadow of request %s failed: %s", live.id, type(exc).__name__)  # noqa: TRY400 -- as above
        finally:
            if call.trace.attempts:
                record(call, reply, error, services=self._services)
            else:
                logger.debug("no shadow of request %s: %s", live.id, error)

    def _call_of(self, live: Call) -> Call:
        """Return the call of a shadow: the same question of the same tenant, on the experiment's account."""
        if live.arm is None:
            msg = "only what is on a side of an experiment has a shadow"
            raise RuntimeError(msg)
        clock = self._services.clock
        config = live.snapshot.config.with_candidate(live.arm.experiment)
        identity = new_operation_id(clock.now())
        return replace(
            live,
            id=identity,
            snapshot=replace(live.snapshot, config=config),
            use_case=_impatient(config.use_case_of(live.request)),
            profile=_PROFILE,
            payer=Payer.of_shadow(live.arm.experiment),
            started_at=clock.now(),
            deadline=Deadline.after(live.deadline.timeout_s, clock=clock),
            sink=None,
            stale=None,
            cache_key=None,
            planned=None,
            trace=Trace(),
            arm=replace(live.arm, kind=ArmKind.SHADOW, is_shadowed=False, shadow_of=live.id),
        )

    async def _answer(self, call: Call) -> ChatReply:
        """Ask those that the candidate names, and no other: another's answer says nothing of it."""
        planned = planned_for(call, self._services)
        named = call.use_case.policy.named if call.use_case.policy is not None else ()

        def own(candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
            return tuple(each for each in candidates if not named or each.deployment in named)

        plan = replace(
            planned.plan, candidates=own(planned.plan.candidates), reserve=own(planned.plan.reserve)
        )
        call.trace.plan, call.trace.size = plan, planned.size
        if not plan.asked:
            raise UnavailableError("no deployment that the candidate names may serve it")
        return await self._ask(replace(call, planned=PlannedRequest(plan, planned.size)))


def _impatient(use_case: UseCaseSettings) -> UseCaseSettings:
    """Return a use case that does not wait for money which others hold: they go first."""
    on_limit = use_case.on_limit.model_copy(update={"wait_s": 0.0})
    return UseCaseSettings.model_construct(**{**dict(use_case), "on_limit": on_limit})
